// The ledger on pages of any content, with any commands: it may refuse, never run wild.
//
// Built with libFuzzer by tests/fuzz/run, else with a driver that makes inputs from a seed.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ledger/ledger.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

namespace {

int store(void* context, std::uint64_t offset, const void* source, std::uint64_t bytes)
{
  if (offset > sizeof(agnocast_registry) || bytes > sizeof(agnocast_registry) - offset) {
    std::fprintf(stderr, "the ledger stores outside of its pages\n");
    std::abort();
  }
  std::memcpy(static_cast<std::uint8_t*>(context) + offset, source, bytes);
  return 0;
}

/// Reads values off the input; zeros when it is used up.
class Input
{
 public:
  Input(const std::uint8_t* data, std::size_t bytes) : data_(data), left_(bytes) {}
  template <class T>
  T get()
  {
    T value{};
    const std::size_t n = left_ < sizeof value ? left_ : sizeof value;
    std::memcpy(&value, data_, n);
    data_ += n;
    left_ -= n;
    return value;
  }
  [[nodiscard]] bool any() const { return left_ != 0; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  // Exactly as large as the layout, so that a sanitizer sees every access beyond it.
  static const auto registry = std::make_unique<agnocast_registry>();
  std::memset(registry.get(), 0, sizeof *registry);
  auto* pages = reinterpret_cast<std::uint8_t*>(registry.get());
  agnocast_ledger ledger{pages, &store, pages, 0};
  const agnocast_ledger_setup setup{0x200000000000, 16ull << 30, 1ull << 30, 1, 0};
  agnocast_ledger_init(&ledger, &setup);
  Input input(data, bytes);
  agnocast_ledger_added added = {};
  for (int i = 0; i < 200 && input.any(); ++i) {
    const auto a = input.get<std::uint32_t>();
    const auto b = input.get<std::uint64_t>();
    switch (input.get<std::uint8_t>() % 9) {
      case 0: {  // garbage, mostly where decisions are made
        const std::size_t span =
          a % 2 == 0 ? sizeof(agnocast_registry_header) : sizeof(agnocast_registry);
        const auto value = input.get<std::uint64_t>();
        std::memcpy(pages + b % (span - sizeof value), &value, sizeof value);
        break;
      }
      case 1: {
        std::uint32_t slot = a % 40;
        if (b % 2 == 0) agnocast_ledger_free_slot(&ledger, a, &slot);
        auto process = input.get<agnocast_ledger_process>();
        if (b % 3 != 0) std::strcpy(process.name, "12");
        agnocast_ledger_add_process(&ledger, slot, &process, &added);
        break;
      }
      case 2:
        agnocast_ledger_remove_process(&ledger, a % 32, b % 64);
        break;
      case 3:
      case 4: {
        auto endpoint = input.get<agnocast_ledger_endpoint>();
        if (b % 4 != 0) {
          endpoint.kind = 1 + a % 2;
          endpoint.process = a % 16;
          endpoint.process_id = registry->processes[a % 16].id;
          endpoint.depth |= 1;
          endpoint.history = endpoint.reliability = endpoint.durability = 0;
          std::strcpy(endpoint.topic, a % 3 == 0 ? "/a" : "/b");
          std::strcpy(endpoint.node, "/n");
          std::strcpy(endpoint.type_name, "t");
          endpoint.type_hash %= 2;
        }
        agnocast_ledger_add_endpoint(&ledger, &endpoint, &added);
        break;
      }
      case 5:
        agnocast_ledger_remove_endpoint(&ledger, a % 64, b % 64);
        break;
      case 6:
        agnocast_ledger_close_endpoint(&ledger, a % 64, b % 64);
        break;
      case 7:
        agnocast_ledger_finish_process(&ledger, a % 40, b % 2 == 0 ? added.id : b % 64);
        break;
      default:
        agnocast_ledger_check(&ledger);
        agnocast_ledger_audit(&ledger);
        agnocast_ledger_process_count(&ledger);
    }
  }
  return 0;
}

#ifndef AGNOCAST_LIBFUZZER
int main(int argc, char** argv)
{
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 3000;
  std::mt19937_64 random(20260101);
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::uint8_t> input(random() % 4096);
    for (auto& byte : input) byte = static_cast<std::uint8_t>(random());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%d inputs\n", rounds);
}
#endif

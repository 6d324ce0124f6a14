// malloc and free outside a loan: the C library alone, and with our hook before it.
//
// All are called through the same pointers in the same loop, so only the hook differs. Before the
// process has joined a domain and after it are measured separately: it may take other branches.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <agnocast/agnocast.hpp>
#include <array>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "clock.hpp"
#include "commands.hpp"
#include "message_end.hpp"
#include "peer.hpp"
#include "statistics.hpp"

namespace bench {
namespace {

/// Volatile, so that the compiler neither knows the functions nor removes a pair of calls.
struct Allocator
{
  void* (*volatile allocate)(std::size_t) = nullptr;
  void (*volatile release)(void*) = nullptr;
};

Allocator look_up(void* handle)
{
  void* const allocate = dlsym(handle, "malloc");
  void* const release = dlsym(handle, "free");
  if (allocate == nullptr || release == nullptr) throw Failure("there is no malloc to measure");
  return {.allocate = reinterpret_cast<void* (*)(std::size_t)>(allocate),
          .release = reinterpret_cast<void (*)(void*)>(release)};
}

std::string home_of(const Allocator& allocator)
{
  Dl_info info{};
  void* const address = reinterpret_cast<void*>(allocator.allocate);
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return "?";
  return info.dli_fname;
}

struct Step
{
  std::uint32_t slot;
  std::uint32_t size_bytes;
};
constexpr std::size_t slot_count = 64;
using Script = std::array<Step, 4096>;

Script write_script()
{
  std::mt19937 random(1);  // the same in every run
  std::uniform_int_distribution<std::uint32_t> slot(0, slot_count - 1);
  std::uniform_int_distribution<std::uint32_t> size_bytes(16, 256);
  Script script;
  for (Step& step : script) step = {.slot = slot(random), .size_bytes = size_bytes(random)};
  return script;
}

/// Nanoseconds for one free and one malloc: each step replaces one of 64 live blocks.
double pair_cost_ns(const Allocator& allocator, const Script& script, std::uint64_t pairs)
{
  std::array<void*, slot_count> live{};
  for (void*& block : live) block = allocator.allocate(64);
  const std::uint64_t begin_ns = now_ns();
  for (std::uint64_t pair = 0; pair < pairs; ++pair) {
    const Step& step = script[pair % script.size()];
    allocator.release(live[step.slot]);
    live[step.slot] = allocator.allocate(step.size_bytes);
    *static_cast<volatile char*>(live[step.slot]) = 1;
  }
  const std::uint64_t end_ns = now_ns();
  for (void* block : live) allocator.release(block);
  return static_cast<double>(end_ns - begin_ns) / static_cast<double>(pairs);
}

/// Alternates the two, and which of them comes first.
void compare(const char* label, const Allocator& plain, const Allocator& hooked,
             const Script& script, const HookOptions& options)
{
  const unsigned repetitions = options.smoke ? 3 : options.repetitions;
  const std::uint64_t pairs = options.smoke ? 20'000 : options.pairs;
  std::vector<double> plain_ns;
  std::vector<double> hooked_ns;
  std::vector<double> ratios;
  pair_cost_ns(plain, script, pairs / 10);
  pair_cost_ns(hooked, script, pairs / 10);
  for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
    const bool plain_first = repetition % 2 == 0;
    const double first = pair_cost_ns(plain_first ? plain : hooked, script, pairs);
    const double second = pair_cost_ns(plain_first ? hooked : plain, script, pairs);
    plain_ns.push_back(plain_first ? first : second);
    hooked_ns.push_back(plain_first ? second : first);
    ratios.push_back(hooked_ns.back() / plain_ns.back());
  }
  std::printf("%-12s %12.2f %12.2f %12.3f %12.3f\n", label, median(plain_ns), median(hooked_ns),
              median(hooked_ns) / median(plain_ns), median(ratios));
}

}  // namespace

int run_hook(const HookOptions& options)
{
  if (options.core >= 0) pin_this_process(options.core);
  set_environment(0);
  void* const c_library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  if (c_library == nullptr) throw Failure("libc.so.6 is not loaded");
  const Allocator plain = look_up(c_library);
  const Allocator hooked = look_up(RTLD_DEFAULT);
  std::printf("plain malloc: %s\nmalloc with hook: %s\n", home_of(plain).c_str(),
              home_of(hooked).c_str());
  if (plain.allocate == hooked.allocate) throw Failure("the malloc hook is not in this process");

  const Script script = write_script();
  std::printf("nanoseconds for a pair of malloc and free, 16 to 256 B, medians\n");
  std::printf("%-12s %12s %12s %12s %12s\n", "process", "plain", "with hook", "ratio",
              "med. ratio");
  compare("not joined", plain, hooked, script, options);

  agnocast::Node node("hook");
  const auto publisher = node.create_publisher<Payload>("/bench/hook", agnocast::QoS(1));
  publisher->publish(written_loan(*publisher, 1, 4096));
  if (!agnocast::hook_in_force()) throw Failure("the malloc hook is not in force");
  compare("joined", plain, hooked, script, options);
  return 0;
}

}  // namespace bench

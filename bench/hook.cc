// malloc and free outside a loan: the C library alone, and with our hook before it.
//
// All are called through the same pointers in the same loop, so only the hook differs. Before the
// process has joined a domain and after it are measured separately: it may take other branches.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "harness/clock.hpp"
#include "harness/process.hpp"
#include "harness/statistics.hpp"

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
using Script = std::vector<Step>;

Script write_script(std::uint32_t slot_count)
{
  std::mt19937 random(1);  // the same in every run
  std::uniform_int_distribution<std::uint32_t> slot(0, slot_count - 1);
  std::uniform_int_distribution<std::uint32_t> size_bytes(16, 256);
  Script script(65'536);
  for (Step& step : script) step = {.slot = slot(random), .size_bytes = size_bytes(random)};
  return script;
}

// The least that any malloc before the C library's can cost: a jump to it.
void* (*next_malloc)(std::size_t) noexcept = nullptr;
void (*next_free)(void*) noexcept = nullptr;
void* jump_to_malloc(std::size_t bytes) noexcept
{
  return next_malloc(bytes);
}
void jump_to_free(void* block) noexcept
{
  next_free(block);
}

/// Nanoseconds for one free and one malloc: each step replaces one of so many live blocks.
double pair_cost_ns(const Allocator& allocator, std::uint32_t slot_count, const Script& script,
                    std::uint64_t pairs)
{
  std::vector<void*> live(slot_count);
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

struct Contenders
{
  Allocator plain, jump, hooked;
};

struct HookResult
{
  const char* process;
  std::uint32_t live;
  double plain_ns, jump_ns, hook_ns;
};

/// Alternates the three, and which of them comes first.
HookResult compare(const char* label, const Contenders& contenders, std::uint32_t slot_count,
                   const HookOptions& options)
{
  const Script script = write_script(slot_count);
  const unsigned repetitions = options.smoke ? 3 : options.repetitions;
  const std::uint64_t pairs = options.smoke ? 20'000 : options.pairs;
  const std::array<const Allocator*, 3> order{&contenders.plain, &contenders.jump,
                                              &contenders.hooked};
  std::array<std::vector<double>, 3> ns;
  for (const Allocator* allocator : order) pair_cost_ns(*allocator, slot_count, script, pairs / 10);
  for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t which = (repetition + i) % order.size();
      ns[which].push_back(pair_cost_ns(*order[which], slot_count, script, pairs));
    }
  }
  const HookResult result{label, slot_count, median(ns[0]), median(ns[1]), median(ns[2])};
  std::printf("%-11s %8u %8.2f %8.2f %8.2f %10.3f %10.3f\n", label, slot_count, result.plain_ns,
              result.jump_ns, result.hook_ns, result.jump_ns / result.plain_ns,
              result.hook_ns / result.plain_ns);
  return result;
}

void write_json(const std::string& path, const std::vector<HookResult>& results)
{
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw Failure(path + ": " + std::strerror(errno));
  std::fputs("{\n  \"command\": \"hook\",\n  \"results\": [", file);
  for (const HookResult& result : results) {
    std::fprintf(file,
                 "%s\n    {\"process\": \"%s\", \"live\": %u, \"plain_ns\": %.3f, \"jump_ns\": "
                 "%.3f, \"hook_ns\": %.3f}",
                 &result == results.data() ? "" : ",", result.process, result.live, result.plain_ns,
                 result.jump_ns, result.hook_ns);
  }
  std::fputs("\n  ]\n}\n", file);
  std::fclose(file);
}

struct Message
{
  std::vector<std::uint8_t> bytes;
};

}  // namespace

int run_hook(const HookOptions& options)
{
  if (options.core >= 0) pin_this_thread(options.core);
  // A domain of its own, unless the environment says otherwise.
  setenv("AGNOCAST_DOMAIN_ID", std::to_string(900 + getpid() % 90).c_str(), 0);
  void* const c_library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  if (c_library == nullptr) throw Failure("libc.so.6 is not loaded");
  const Allocator plain = look_up(c_library);
  const Allocator hooked = look_up(RTLD_DEFAULT);
  std::printf("plain malloc: %s\nmalloc with hook: %s\n", home_of(plain).c_str(),
              home_of(hooked).c_str());
  if (plain.allocate == hooked.allocate) throw Failure("the malloc hook is not in this process");

  next_malloc =
    reinterpret_cast<void* (*)(std::size_t) noexcept>(reinterpret_cast<void*>(plain.allocate));
  next_free = reinterpret_cast<void (*)(void*) noexcept>(reinterpret_cast<void*>(plain.release));
  const Contenders contenders{plain, {jump_to_malloc, jump_to_free}, hooked};
  // 64 live blocks never leave the C library's cache of the thread: its cheapest case. 10,000 are a
  // program at work.
  std::printf(
    "nanoseconds for a pair of malloc and free, 16 to 256 B, medians; \"jump\" only jumps\n");
  std::printf("%-11s %8s %8s %8s %8s %10s %10s\n", "process", "live", "plain", "jump", "hook",
              "jump/plain", "hook/plain");
  std::vector<HookResult> results;
  const auto compare_all = [&](const char* label) {
    for (const std::uint32_t slot_count : {64u, 10'000u}) {
      results.push_back(compare(label, contenders, slot_count, options));
    }
  };
  compare_all("not joined");

  agnocast::Node node("hook");
  const auto publisher = node.create_publisher<Message>("/bench/hook", agnocast::QoS(1));
  agnocast::ipc_shared_ptr<Message> loan = publisher->borrow_loaned_message();
  loan->bytes.resize(4096);
  publisher->publish(std::move(loan));
  if (!agnocast::hook_in_force()) throw Failure("the malloc hook is not in force");
  compare_all("joined");
  if (!options.json_path.empty()) write_json(options.json_path, results);
  return 0;
}

}  // namespace bench

// Blocks of all sizes: vectors that grow, a mixed load, and each call by itself.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <vector>

#include "harness/clock.hpp"
#include "harness/statistics.hpp"
#include "malloc/script.hpp"
#include "malloc/workloads.hpp"

namespace bench {
namespace {

/// Of this process: "VmRSS" now, "VmHWM" at most.
double resident_bytes(const std::string& which)
{
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == which + ":" && status >> kib) return kib * 1024;
  }
  throw Failure("the kernel does not say " + which);
}

long involuntary_switches()
{
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

using Durations = OwnPages<std::uint32_t>;

/// Calls that took very long, without those in which the thread was taken off its core.
class SlowCalls
{
 public:
  void note(std::uint64_t ns)
  {
    if (ns <= limit_ns) return;
    const long switches = involuntary_switches();
    if (switches == switches_) ++count_;
    switches_ = switches;
  }
  void reset() { *this = SlowCalls(); }
  [[nodiscard]] double count() const { return static_cast<double>(count_); }

 private:
  static constexpr std::uint64_t limit_ns = 50'000;
  long switches_ = involuntary_switches();
  std::uint64_t count_ = 0;
};

void add_percentiles(HeapFigures& figures, const std::string& prefix, const Durations& durations)
{
  // Whatever interrupts the machine meets calls in proportion to the time that they take.
  figures[prefix + "busy_ns"] = std::accumulate(durations.begin(), durations.end(), 0.0);
  std::sort(durations.begin(), durations.end());
  const auto at = [&](double part) {
    const auto last = static_cast<double>(durations.size() - 1);
    return static_cast<double>(durations[static_cast<std::size_t>(part * last)]);
  };
  figures[prefix + "p50_ns"] = at(0.5);
  figures[prefix + "p99_ns"] = at(0.99);
  figures[prefix + "p999_ns"] = at(0.999);
  figures[prefix + "p99999_ns"] = at(0.99999);
  figures[prefix + "max_ns"] = at(1);
}

/// A write to each page: what the user of the block does.
void touch(void* block, std::size_t bytes)
{
  auto* const byte = static_cast<volatile char*>(block);
  for (std::size_t i = 0; i < bytes; i += 4096) byte[i] = 1;
}

}  // namespace

HeapFigures measure_vectors(const HeapCase& heap_case)
{
  struct Point
  {
    float x, y, z, intensity;
  };
  const std::size_t points = heap_case.bytes / sizeof(Point);
  std::vector<double> ns;
  ns.reserve(heap_case.count);
  const std::size_t warm_up = 2;
  long faults = 0;
  for (std::uint64_t i = 0; i < heap_case.count + warm_up; ++i) {
    if (i == warm_up) faults = minor_page_faults();
    const std::uint64_t begin_ns = now_ns();
    {
      std::vector<Point> vector;
      for (std::size_t j = 0; j < points; ++j) {
        vector.push_back({static_cast<float>(j), 0, 0, 0});
      }
    }
    if (i >= warm_up) ns.push_back(static_cast<double>(now_ns() - begin_ns));
  }
  faults = minor_page_faults() - faults;
  return {{"p50_ns", median(ns)},
          {"page_faults", static_cast<double>(faults) / static_cast<double>(heap_case.count)}};
}

HeapFigures measure_mixed(const HeapCase& heap_case)
{
  const Script script(heap_case.live, heap_case.bytes, 1, heap_case.count);
  struct Block
  {
    void* start;
    std::size_t bytes;
  };
  const OwnPages<Block> live(heap_case.live);
  const double before = resident_bytes("VmRSS");
  std::size_t used = 0;
  std::size_t most_used = 0;
  const std::uint64_t begin_ns = now_ns();
  for (std::uint64_t i = 0; i < heap_case.count; ++i) {
    const Step& step = script[i];
    // One slot in eight keeps its block for eight times as long.
    Block& block = live[step.slot];
    if (step.slot % 8 == 0 && i % 8 != 0 && block.start != nullptr) continue;
    std::free(block.start);
    used -= block.bytes;
    block = {std::malloc(step.size_bytes), step.size_bytes};
    touch(block.start, block.bytes);
    used += block.bytes;
    most_used = std::max(most_used, used);
  }
  const std::uint64_t end_ns = now_ns();
  HeapFigures figures = {
    {"p50_ns", static_cast<double>(end_ns - begin_ns) / static_cast<double>(heap_case.count)},
    {"resident_bytes", resident_bytes("VmHWM") - before},
    {"used_bytes", static_cast<double>(most_used)}};
  for (const Block& block : live) std::free(block.start);
  return figures;
}

HeapFigures measure_calls(const HeapCase& heap_case, bool with_calls)
{
  const Script script(heap_case.live, heap_case.bytes, 1);
  const OwnPages<void*> live(heap_case.live);
  const Durations malloc_ns(heap_case.count);
  const Durations free_ns(heap_case.count);
  SlowCalls slow_mallocs;
  SlowCalls slow_frees;
  long faults = 0;
  // The script comes round: after its second turn the heap has seen all that it will see.
  const std::uint64_t warm_up = 3 * script.size();
  for (std::uint64_t i = 0; i < warm_up + heap_case.count; ++i) {
    if (i == warm_up) {
      faults = minor_page_faults();
      slow_mallocs.reset();
      slow_frees.reset();
    }
    const Step& step = script[i];
    const std::uint64_t begin_ns = now_ns();
    if (with_calls) std::free(live[step.slot]);
    const std::uint64_t freed_ns = now_ns();
    void* const block = with_calls ? std::malloc(step.size_bytes) : nullptr;
    const std::uint64_t end_ns = now_ns();
    if (block != nullptr) touch(block, step.size_bytes);
    live[step.slot] = block;
    slow_frees.note(freed_ns - begin_ns);
    slow_mallocs.note(end_ns - freed_ns);
    if (i < warm_up) continue;
    free_ns[i - warm_up] = static_cast<std::uint32_t>(freed_ns - begin_ns);
    malloc_ns[i - warm_up] = static_cast<std::uint32_t>(end_ns - freed_ns);
  }
  HeapFigures figures = {{"page_faults", static_cast<double>(minor_page_faults() - faults)},
                         {"malloc.slow_calls", slow_mallocs.count()},
                         {"free.slow_calls", slow_frees.count()}};
  add_percentiles(figures, "malloc.", malloc_ns);
  add_percentiles(figures, "free.", free_ns);
  return figures;
}

}  // namespace bench

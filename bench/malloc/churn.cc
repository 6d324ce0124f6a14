// Small blocks: replaced at random by each thread, or handed from one thread to another.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "harness/clock.hpp"
#include "malloc/script.hpp"
#include "malloc/workloads.hpp"

namespace bench {
namespace {

void replace_blocks(const Script& script, const OwnPages<void*>& live, std::uint64_t count)
{
  for (std::uint64_t i = 0; i < count; ++i) {
    const Step& step = script[i];
    std::free(live[step.slot]);
    void* const block = std::malloc(step.size_bytes);
    *static_cast<volatile char*>(block) = 1;
    live[step.slot] = block;
  }
}

/// Blocks under way from one thread to another.
class Belt
{
 public:
  Belt() : blocks_(slots) {}
  void put(void* block)
  {
    while (put_ - taken_.load(std::memory_order_acquire) == slots) std::this_thread::yield();
    blocks_[put_ % slots] = block;
    visible_.store(++put_, std::memory_order_release);
  }
  void* take()
  {
    while (visible_.load(std::memory_order_acquire) == next_) std::this_thread::yield();
    void* const block = blocks_[next_ % slots];
    taken_.store(++next_, std::memory_order_release);
    return block;
  }

 private:
  static constexpr std::uint64_t slots = 1024;
  OwnPages<void*> blocks_;
  alignas(64) std::atomic<std::uint64_t> visible_{0};
  std::uint64_t put_ = 0;
  alignas(64) std::atomic<std::uint64_t> taken_{0};
  std::uint64_t next_ = 0;
};

/// From when all threads are ready to when the last has finished.
template <typename Work>
double wall_ns(unsigned threads, const Work& work)
{
  std::uint64_t begin_ns = 0;
  std::barrier ready(static_cast<std::ptrdiff_t>(threads), [&]() noexcept { begin_ns = now_ns(); });
  std::vector<std::thread> running;
  for (unsigned i = 1; i < threads; ++i) running.emplace_back([&, i] { work(i, ready); });
  work(0U, ready);
  for (std::thread& thread : running) thread.join();
  return static_cast<double>(now_ns() - begin_ns);
}

}  // namespace

HeapFigures measure_churn(const HeapCase& heap_case)
{
  const double ns = wall_ns(heap_case.threads, [&](unsigned thread, auto& ready) {
    const Script script(heap_case.live, heap_case.bytes, thread + 1);
    const OwnPages<void*> live(heap_case.live);
    replace_blocks(script, live, heap_case.count / 10 + heap_case.live);
    ready.arrive_and_wait();
    replace_blocks(script, live, heap_case.count);
    for (void* block : live) std::free(block);
  });
  return {{"p50_ns", ns / static_cast<double>(heap_case.count)}};
}

HeapFigures measure_handover(const HeapCase& heap_case)
{
  std::vector<std::unique_ptr<Belt>> belts;
  for (unsigned i = 0; i < heap_case.threads / 2; ++i) belts.push_back(std::make_unique<Belt>());
  const double ns = wall_ns(heap_case.threads, [&](unsigned thread, auto& ready) {
    Belt& belt = *belts[thread / 2];
    const Script script(1, heap_case.bytes, thread + 1);
    ready.arrive_and_wait();
    for (std::uint64_t i = 0; i < heap_case.count; ++i) {
      if (thread % 2 == 0) {
        void* const block = std::malloc(script[i].size_bytes);
        *static_cast<volatile char*>(block) = 1;
        belt.put(block);
      } else {
        std::free(belt.take());
      }
    }
  });
  return {{"p50_ns", ns / static_cast<double>(heap_case.count)}};
}

}  // namespace bench

// The page that the driver of a comparison shares with the two processes it measures.
//
// Every system that is compared is a pair of processes, ping and pong, that do nothing but what the
// driver posts here. The layout is fixed, since not every end is written in C++.
//
// Who writes what: the driver task, task_number and go_on; ping last_number, stopped_number,
// sample_count, samples, done_number and line_to_pong, word_to_pong; pong ready_number,
// pong_thread, line_to_ping and word_to_ping; either end its own element of started.
//
// Invariants
// 1. task is written before task_number is raised, and not again before done_number has reached it.
// 2. Numbers of rounds grow over the whole run, so no word is ever reset.
// 3. ready_number = n says that pong has prepared what round n needs and does nothing more but wait
//    for it.
// 4. stopped_number = n says that ping has stopped the clock of round n: until then pong does
// nothing
//    but answer, so that on one core too nothing else is measured.
// 5. last_number is written before the message of that round is sent: pong stops after answering
// it.
//
// Ordering: every word is stored with release (or stronger) and loaded with acquire by the others.
//
// If the driver dies, the kernel kills both ends. If an end dies, the driver notices and ends the
// other; an end that waits in vain gives up by itself (Patience).
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bench {

enum class Side : std::uint32_t { ping, pong };
enum class Command : std::uint32_t { quit, exchange };
/// How the receiving thread waits: it asks again and again, it sleeps, or first one and then the
/// other.
enum class Mode : std::uint32_t { poll, block, spin };
/// flat: so many bytes. unsized: a Cloud, see content.hpp.
enum class Content : std::uint32_t { flat, unsized };

/// Room for a message of so many bytes in any layout, on whole pages.
constexpr std::size_t buffer_bytes(std::size_t message_bytes) noexcept
{
  constexpr std::size_t page_bytes = 4096;
  return (message_bytes / page_bytes + 2) * page_bytes;
}

struct Task
{
  Command command = Command::quit;
  Mode mode = Mode::poll;
  Content content = Content::flat;
  /// 0: what is timed is handing over a message that was written before. 1: it is written by the
  /// sender and read by the receiver, every byte, in the time that is measured.
  std::uint32_t touched = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t warm_up_rounds = 0;
  std::uint64_t rounds = 0;  ///< those that are counted
  std::uint64_t first_number = 0;
  std::uint64_t spin_ns = 0;    ///< in Mode::spin
  std::uint64_t budget_ns = 0;  ///< after it, no more rounds than rounds_min
  std::int32_t ping_core = 0;
  std::int32_t pong_core = 1;
};
static_assert(sizeof(Task) == 72);

/// What an end can do, in `supports`.
enum Support : std::uint32_t {
  supports_poll = 1,
  supports_block = 2,
  supports_spin = 4,
  supports_flat = 8,
  supports_unsized = 16,
  supports_written_and_read = 32,
  supports_only_written_and_read = 64,  ///< in addition: not what is handed over only
};

// Two cache lines: processors fetch lines in pairs.
inline constexpr std::size_t apart_bytes = 128;
inline constexpr std::size_t samples_max = 100'000;
inline constexpr std::uint64_t rounds_min = 10;

struct ExchangePage
{
  alignas(apart_bytes) std::atomic<std::uint32_t> task_number;
  alignas(apart_bytes) Task task;
  alignas(apart_bytes) std::atomic<std::uint32_t> done_number;
  alignas(apart_bytes) std::atomic<std::uint32_t> started[2];  ///< by Side; 1 when connected
  std::atomic<std::uint32_t> supports;                         ///< written by pong before started
  std::atomic<std::int32_t> pong_thread;                       ///< id of its receiving thread
  alignas(apart_bytes) std::atomic<std::uint64_t> ready_number;
  alignas(apart_bytes) std::atomic<std::uint64_t> last_number;
  std::atomic<std::uint64_t> stopped_number;
  alignas(apart_bytes) std::atomic<std::uint64_t> line_to_pong;  // these four: for the bare limits
  alignas(apart_bytes) std::atomic<std::uint64_t> line_to_ping;
  alignas(apart_bytes) std::atomic<std::uint32_t> word_to_pong;
  alignas(apart_bytes) std::atomic<std::uint32_t> word_to_ping;
  alignas(apart_bytes) std::atomic<std::uint64_t> sample_count;
  alignas(apart_bytes) std::uint64_t samples_ns[samples_max];  ///< round trips
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(offsetof(ExchangePage, task) == 128);
static_assert(offsetof(ExchangePage, started) == 384);
static_assert(offsetof(ExchangePage, ready_number) == 512);
static_assert(offsetof(ExchangePage, word_to_ping) == 1152);
static_assert(offsetof(ExchangePage, samples_ns) == 1408);

}  // namespace bench

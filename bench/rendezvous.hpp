// The page that the two processes of a measurement share, outside of agnocast.
//
// Who writes what: ping writes task, task_number, line_to_pong and word_to_pong; pong writes ready,
// line_to_ping and word_to_ping.
//
// Invariants: 1. task is written before task_number is raised, and not again before pong has
// answered a round of it or has raised ready: pong copies it first. 2. Numbers of rounds grow over
// the whole run, so no word is ever reset. 3. ready = n says that pong has prepared what round n
// needs and does nothing more but wait for it.
//
// Ordering: every word is stored with release (or stronger) and loaded with acquire by the other
// side.
//
// If ping dies, the kernel kills pong. If pong dies, the waits of ping notice it (Patience).
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bench {

enum class System : std::uint32_t { agnocast, cacheline, futex, consume, quit };
enum class Mode : std::uint32_t { poll, block };

/// What pong shall do next.
struct Task
{
  System system = System::quit;
  Mode mode = Mode::poll;
  std::uint64_t size_bytes = 0;
  std::uint64_t rounds = 0;
  std::uint64_t first_number = 0;
  std::uint64_t spin_ns = 0;
  bool same_core = false;
};

// Two cache lines: processors fetch lines in pairs.
inline constexpr std::size_t apart_bytes = 128;

struct RendezvousPage
{
  alignas(apart_bytes) std::atomic<std::uint32_t> task_number;
  alignas(apart_bytes) Task task;
  alignas(apart_bytes) std::atomic<std::uint64_t> ready;
  alignas(apart_bytes) std::atomic<std::uint64_t> line_to_pong;
  alignas(apart_bytes) std::atomic<std::uint64_t> line_to_ping;
  alignas(apart_bytes) std::atomic<std::uint32_t> word_to_pong;
  alignas(apart_bytes) std::atomic<std::uint32_t> word_to_ping;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// A mapping of the page, made by ping and handed to pong as a file descriptor.
class Rendezvous
{
 public:
  static Rendezvous create();
  static Rendezvous open(int fd);
  Rendezvous(Rendezvous&& other) noexcept;
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;
  ~Rendezvous();

  RendezvousPage* operator->() const noexcept { return page_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }

  void post(const Task& task);
  /// The task after number `seen`, which is raised; false if it has to be asked for again, at the
  /// latest after a second.
  bool next_task(std::uint32_t& seen, Task& task);

 private:
  explicit Rendezvous(int fd);

  int fd_;
  RendezvousPage* page_;
};

void futex_wake(std::atomic<std::uint32_t>& word) noexcept;
/// Returns when woken, at once if the word is not `seen`, or after a second.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept;

}  // namespace bench

// Rounds of ping and pong over any means, and the two bare limits: a cache line and a futex.
//
// An end sends and receives numbers. prepare(n) does what must be done before the clock starts,
// finish() what is done after it stopped.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "clock.hpp"
#include "peer.hpp"
#include "rendezvous.hpp"

namespace bench {

enum class Side : std::uint8_t { ping, pong };

/// What two processes can do at best when both are awake: hand over one cache line.
class LineEnd
{
 public:
  // Pong waits for the next line as soon as it has sent one, so there is nothing to announce.
  static constexpr bool announces_ready = false;

  LineEnd(RendezvousPage& page, Side side) noexcept
    : out_(side == Side::ping ? page.line_to_pong : page.line_to_ping),
      in_(side == Side::ping ? page.line_to_ping : page.line_to_pong)
  {
  }

  void prepare(std::uint64_t) noexcept {}
  void send(std::uint64_t number) noexcept { out_.store(number, std::memory_order_release); }
  void receive(std::uint64_t number, Peer& peer)
  {
    Patience patience(peer, "a cache line");
    while (in_.load(std::memory_order_acquire) != number) patience.spin();
  }
  void finish() noexcept {}

 private:
  std::atomic<std::uint64_t>& out_;
  std::atomic<std::uint64_t>& in_;
};

/// What two processes can do at best when the receiver sleeps: wake it with a futex.
class FutexEnd
{
 public:
  static constexpr bool announces_ready = true;

  FutexEnd(RendezvousPage& page, Side side) noexcept
    : out_(side == Side::ping ? page.word_to_pong : page.word_to_ping),
      in_(side == Side::ping ? page.word_to_ping : page.word_to_pong)
  {
  }

  void prepare(std::uint64_t) noexcept {}
  void send(std::uint64_t number) noexcept
  {
    out_.store(static_cast<std::uint32_t>(number), std::memory_order_release);
    futex_wake(out_);
  }
  void receive(std::uint64_t number, Peer& peer)
  {
    Patience patience(peer, "a futex");
    const auto expected = static_cast<std::uint32_t>(number);
    for (;;) {
      const std::uint32_t seen = in_.load(std::memory_order_acquire);
      if (seen == expected) return;
      futex_wait(in_, seen);
      if (in_.load(std::memory_order_acquire) == seen) patience.check();
    }
  }
  void finish() noexcept {}

 private:
  std::atomic<std::uint32_t>& out_;
  std::atomic<std::uint32_t>& in_;
};

/// The measuring side. Appends the durations of the rounds after the first `warm_up_rounds`;
/// `round_trips_ns` has the room for them, for in a round nothing may be allocated.
template <class End>
void ping_rounds(End& end, const Task& task, bool pong_must_sleep, std::uint64_t warm_up_rounds,
                 RendezvousPage& page, Peer& peer, std::vector<std::uint64_t>& round_trips_ns)
{
  for (std::uint64_t round = 0; round < task.rounds; ++round) {
    const std::uint64_t number = task.first_number + round;
    end.prepare(number);
    if constexpr (End::announces_ready) {
      Patience patience(peer, "the peer to get ready");
      while (page.ready.load(std::memory_order_acquire) != number) patience.rest(task.same_core);
    }
    if (pong_must_sleep) wait_until_asleep(peer, task.same_core);

    const std::uint64_t begin_ns = now_ns();
    end.send(number);
    end.receive(number, peer);
    const std::uint64_t end_ns = now_ns();

    end.finish();
    if (round >= warm_up_rounds) round_trips_ns.push_back(end_ns - begin_ns);
  }
}

/// The answering side.
template <class End>
void pong_rounds(End& end, const Task& task, RendezvousPage& page, Peer& peer)
{
  for (std::uint64_t round = 0; round < task.rounds; ++round) {
    const std::uint64_t number = task.first_number + round;
    end.prepare(number);
    if constexpr (End::announces_ready) page.ready.store(number, std::memory_order_release);
    end.receive(number, peer);
    end.send(number);
    end.finish();
  }
}

}  // namespace bench

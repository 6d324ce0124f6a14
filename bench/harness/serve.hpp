// The loops of the two ends of a comparison, over any means of communication.
//
// An end is a class with
//
//   static constexpr std::uint32_t supports;  what it can do, of Support
//   End(const EndArguments&)       makes its half of the connection, in both directions
//   void connect()                 waits until the other half is there
//   void begin(const Task&)        takes over size, mode, content
//   void prepare(number)           what is done before the clock starts: write the message, unless
//                                  the task says that writing it is measured too
//   void send(number)              sends it (if touched: writes it and sends it)
//   void receive(number)           waits for the message and returns when it is in hand, as an
//                                  object whose parts can be read (if touched: when all was read)
//   void finish(number)            throws Failure unless it was received as sent; gives it back
//
// Messages that are written before the clock starts are written `batch` rounds ahead: writing
// 64 MiB drives everything else out of the caches, and with one write for each round the clock
// would see that, and not the system. What it does see of it stands in the first round of each
// batch, and so in the percentiles from p75 on.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "harness/clock.hpp"
#include "harness/exchange.hpp"
#include "harness/process.hpp"

namespace bench {

inline constexpr std::size_t batch = 4;

/// What every end program is started with: --side ping|pong --fd N --parent PID --biggest BYTES.
struct EndArguments
{
  Side side = Side::ping;
  int fd = -1;
  pid_t parent = 0;
  std::size_t biggest_bytes = 0;  ///< of any message of the session
  /// For names of topics and the like: the same in both ends, no other session's.
  [[nodiscard]] std::string session() const { return std::to_string(parent); }
};

/// Throws Failure if something is missing.
EndArguments parse_end_arguments(int argc, char** argv);

/// The measuring side. In a round nothing is allocated.
template <class End>
void ping_rounds(End& end, const Task& task, ExchangePage& page)
{
  const bool same_core = task.ping_core == task.pong_core;
  std::optional<SleepObserver> pong;
  if (task.mode == Mode::block) pong.emplace(page.pong_thread.load(std::memory_order_acquire));
  std::uint64_t sample_count = 0;
  std::uint64_t counted_since_ns = 0;
  for (std::uint64_t round = 0;; ++round) {
    const std::uint64_t number = task.first_number + round;
    end.prepare(number);
    Patience patience("the other end to get ready");
    while (page.ready_number.load(std::memory_order_acquire) != number) patience.rest(same_core);
    // A receiver that spins first is meant to be met spinning.
    if (pong) pong->wait_until_asleep(same_core);
    if (round == task.warm_up_rounds) counted_since_ns = now_ns();
    const bool is_last = round + 1 >= task.warm_up_rounds + task.rounds ||
                         (round + 1 >= task.warm_up_rounds + rounds_min &&
                          now_ns() - counted_since_ns > task.budget_ns);
    if (is_last) page.last_number.store(number, std::memory_order_release);

    const std::uint64_t begin_ns = now_ns();
    end.send(number);
    end.receive(number);
    const std::uint64_t end_ns = now_ns();
    page.stopped_number.store(number, std::memory_order_release);

    end.finish(number);
    if (round >= task.warm_up_rounds && sample_count < samples_max) {
      page.samples_ns[sample_count++] = end_ns - begin_ns;
    }
    if (is_last) break;
  }
  page.sample_count.store(sample_count, std::memory_order_release);
}

/// The answering side.
template <class End>
void pong_rounds(End& end, const Task& task, ExchangePage& page)
{
  const bool same_core = task.ping_core == task.pong_core;
  for (std::uint64_t number = task.first_number;; ++number) {
    end.prepare(number);
    page.ready_number.store(number, std::memory_order_release);
    end.receive(number);
    end.send(number);
    Patience patience("the other end to stop the clock");
    while (page.stopped_number.load(std::memory_order_acquire) != number) patience.rest(same_core);
    end.finish(number);
    if (page.last_number.load(std::memory_order_acquire) == number) return;
  }
}

/// The main function of an end program.
template <class End>
int serve(const EndArguments& arguments)
{
  die_with_parent(arguments.parent);
  Exchange exchange = Exchange::open(arguments.fd);
  End end(arguments);
  end.connect();
  if (arguments.side == Side::pong) {
    exchange->supports.store(End::supports, std::memory_order_release);
    exchange->pong_thread.store(getpid(), std::memory_order_release);
  }
  exchange->started[static_cast<std::size_t>(arguments.side)].store(1, std::memory_order_release);
  std::uint32_t seen = 0;
  Task task;
  for (;;) {
    if (!exchange.next_task(seen, task)) continue;
    if (task.command == Command::quit) return 0;
    if (arguments.side == Side::ping) {
      pin_this_thread(task.ping_core);
      end.begin(task);
      ping_rounds(end, task, *exchange);
      exchange.done(seen);
    } else {
      pin_this_thread(task.pong_core);
      end.begin(task);
      pong_rounds(end, task, *exchange);
    }
  }
}

/// What main() of an end program consists of.
template <class End>
int serve_main(int argc, char** argv) noexcept
{
  try {
    return serve<End>(parse_end_arguments(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace bench

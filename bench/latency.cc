// The ping process of the latency measurement.
//
// One repetition goes through all sizes and modes; the bare limit of the mode is measured directly
// before each size, so that whatever the machine does meanwhile meets both.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "clock.hpp"
#include "commands.hpp"
#include "exchange.hpp"
#include "message_end.hpp"
#include "peer.hpp"
#include "rendezvous.hpp"
#include "report.hpp"
#include "statistics.hpp"

namespace bench {
namespace {

constexpr std::size_t bare_size_bytes = 64;

struct Rounds
{
  std::uint64_t warm_up;
  std::uint64_t counted;
};

Rounds rounds_for(Mode mode, std::size_t size_bytes, const LatencyOptions& options)
{
  struct Step
  {
    std::size_t below_bytes;
    std::uint64_t warm_up, poll, block, smoke;
  };
  constexpr Step steps[] = {{524'288, 200, 20'000, 3'000, 200},
                            {4'194'304, 50, 2'000, 1'000, 50},
                            {33'554'432, 20, 600, 300, 10},
                            {SIZE_MAX, 10, 300, 150, 5}};
  const Step* step = steps;
  while (size_bytes >= step->below_bytes && step->below_bytes != SIZE_MAX) ++step;
  std::uint64_t counted = mode == Mode::poll ? step->poll : step->block;
  if (options.smoke) counted = step->smoke;
  if (options.iterations != 0) counted = options.iterations;
  return {.warm_up = options.smoke ? step->smoke / 5 : step->warm_up, .counted = counted};
}

const char* name(System system)
{
  if (system == System::agnocast) return "agnocast";
  return system == System::cacheline ? "cacheline" : "futex";
}

class Measurement
{
 public:
  Measurement(const LatencyOptions& options, const Pins& pins)
    : options_(options),
      pins_(pins),
      rendezvous_(Rendezvous::create()),
      peer_(Peer::start({"echo", "--fd", std::to_string(rendezvous_.fd()), "--core",
                         std::to_string(pins.pong), "--parent", std::to_string(getpid())})),
      messages_(Side::ping)
  {
    messages_.connect(peer_);
  }

  /// One size in one mode, after the bare limit of the mode.
  void run(Mode mode, std::size_t size_bytes)
  {
    run_one(mode == Mode::poll ? System::cacheline : System::futex, mode, bare_size_bytes);
    run_one(System::agnocast, mode, size_bytes);
  }

  void quit()
  {
    rendezvous_.post({.system = System::quit});
    peer_.join();
    if (messages_.lost_count() != 0) throw Failure("messages were lost");
  }

  [[nodiscard]] std::vector<Result> results() const
  {
    std::vector<Result> results;
    for (const auto& [key, series] : series_) {
      const auto& [mode, is_message, size_bytes] = key;
      const System bare = mode == Mode::poll ? System::cacheline : System::futex;
      results.push_back({.system = name(is_message ? System::agnocast : bare),
                         .mode = mode == Mode::poll ? "poll" : "block",
                         .size_bytes = size_bytes,
                         .one_way = series.summary()});
    }
    return results;
  }

 private:
  void run_one(System system, Mode mode, std::size_t size_bytes)
  {
    const Rounds rounds = rounds_for(mode, size_bytes, options_);
    const Task task{.system = system,
                    .mode = mode,
                    .size_bytes = size_bytes,
                    .rounds = rounds.warm_up + rounds.counted,
                    .first_number = next_number_,
                    .spin_ns = options_.spin_us * 1'000,
                    .same_core = pins_.same_core()};
    next_number_ += task.rounds;
    std::vector<std::uint64_t> round_trips_ns;
    round_trips_ns.reserve(rounds.counted);

    RendezvousPage& page = *rendezvous_.operator->();
    const auto go = [&](auto& end, bool pong_must_sleep) {
      rendezvous_.post(task);
      ping_rounds(end, task, pong_must_sleep, rounds.warm_up, page, peer_, round_trips_ns);
    };
    if (system == System::agnocast) {
      messages_.begin(task);
      // A receiver that was told to spin is meant to be met spinning.
      go(messages_, mode == Mode::block && options_.spin_us == 0);
    } else if (system == System::cacheline) {
      LineEnd line(page, Side::ping);
      go(line, false);
    } else {
      FutexEnd futex(page, Side::ping);
      go(futex, true);
    }
    series_[{mode, system == System::agnocast, size_bytes}].add_run(round_trips_ns, 2);
  }

  using Key = std::tuple<Mode, bool, std::size_t>;  // the bare limit comes before the messages

  const LatencyOptions& options_;
  const Pins pins_;
  Rendezvous rendezvous_;
  Peer peer_;
  MessageEnd messages_;
  std::uint64_t next_number_ = 1;
  std::map<Key, Series> series_;
};

/// Says how much other programs had of the two cores. Pong must have been joined.
void print_disturbance()
{
  rusage ping{};
  rusage pong{};
  getrusage(RUSAGE_SELF, &ping);
  getrusage(RUSAGE_CHILDREN, &pong);
  std::printf("other threads took the core from ping %ld times, from pong %ld times\n",
              ping.ru_nivcsw, pong.ru_nivcsw);
}

std::vector<Mode> modes_of(const LatencyOptions& options, const Pins& pins)
{
  std::vector<Mode> modes;
  if (options.mode != "block" && pins.same_core()) {
    std::printf("poll is left out: two processes cannot poll on one core\n");
  } else if (options.mode != "block") {
    modes.push_back(Mode::poll);
  }
  if (options.mode != "poll") modes.push_back(Mode::block);
  return modes;
}

}  // namespace

int run_latency(const LatencyOptions& options)
{
  const Pins pins = usable_pins(options.cores, options.smoke);
  const std::vector<Mode> modes = modes_of(options, pins);
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> json(nullptr, &std::fclose);
  if (!options.json_path.empty()) {
    json.reset(std::fopen(options.json_path.c_str(), "w"));
    if (!json) throw Failure(options.json_path + ": " + std::strerror(errno));
  }
  std::size_t biggest_bytes = 0;
  for (const std::size_t size : options.sizes_bytes) biggest_bytes = std::max(biggest_bytes, size);
  set_environment(biggest_bytes);
  pin_this_process(pins.ping);
  std::printf("pinned: ping to core %d, pong to core %d\n", pins.ping, pins.pong);
  std::printf("reading the clock takes %llu ns, half of which is in each figure\n",
              static_cast<unsigned long long>(timer_overhead_ns()));
  if (options.spin_us != 0) {
    std::printf("block: receivers spin for %llu us and are not waited for to fall asleep\n",
                static_cast<unsigned long long>(options.spin_us));
  }

  std::vector<Result> results;
  if (!modes.empty()) {
    Measurement measurement(options, pins);
    const unsigned repetitions = options.smoke ? 1 : options.repetitions;
    for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
      for (const std::size_t size_bytes : options.sizes_bytes) {
        for (const Mode mode : modes) measurement.run(mode, size_bytes);
      }
      std::printf("repetition %u of %u done\n", repetition + 1, repetitions);
      std::fflush(stdout);
    }
    measurement.quit();
    results = measurement.results();
    print_table(results);
    print_disturbance();
  }
  if (json) write_json(json.get(), results);
  return 0;
}

}  // namespace bench

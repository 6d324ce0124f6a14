// The cost of publish() for its caller, with nobody and with one awake subscriber listening.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "clock.hpp"
#include "commands.hpp"
#include "message_end.hpp"
#include "peer.hpp"
#include "rendezvous.hpp"
#include "statistics.hpp"

namespace bench {
namespace {

constexpr std::uint64_t warm_up_rounds = 100;

std::vector<std::uint64_t> publish_to_nobody(agnocast::Publisher<Payload>& publisher,
                                             std::size_t size_bytes, std::uint64_t iterations)
{
  std::vector<std::uint64_t> durations_ns;
  durations_ns.reserve(iterations);
  for (std::uint64_t round = 0; round < warm_up_rounds + iterations; ++round) {
    agnocast::ipc_shared_ptr<Payload> loan = written_loan(publisher, round, size_bytes);
    const std::uint64_t begin_ns = now_ns();
    publisher.publish(std::move(loan));
    const std::uint64_t end_ns = now_ns();
    if (round >= warm_up_rounds) durations_ns.push_back(end_ns - begin_ns);
  }
  return durations_ns;
}

/// Pong polls; it has let go of each message before the next one is published.
std::vector<std::uint64_t> publish_to_one(MessageEnd& end, Rendezvous& rendezvous, Peer& peer,
                                          const Task& task)
{
  std::vector<std::uint64_t> durations_ns;
  durations_ns.reserve(task.rounds);
  end.begin(task);
  rendezvous.post(task);
  for (std::uint64_t round = 0; round < task.rounds; ++round) {
    const std::uint64_t number = task.first_number + round;
    end.prepare(number);
    const std::uint64_t begin_ns = now_ns();
    end.send(number);
    const std::uint64_t end_ns = now_ns();
    Patience patience(peer, "a message to be taken");
    while (rendezvous->ready.load(std::memory_order_acquire) != number) patience.rest(false);
    if (round >= warm_up_rounds) durations_ns.push_back(end_ns - begin_ns);
  }
  return durations_ns;
}

void print(const char* label, const Series& series)
{
  const Summary cost = series.summary();
  std::printf("%-24s %8.0f %8.0f %8zu\n", label, cost.p50_ns, cost.p99_ns, cost.n);
}

}  // namespace

int run_publish(const PublishOptions& options)
{
  const Pins pins = usable_pins(options.cores, options.smoke);
  if (pins.same_core()) {
    std::printf("nothing measured: a polling subscriber needs a core of its own\n");
    return 0;
  }
  set_environment(options.size_bytes);
  pin_this_process(pins.ping);
  std::printf("pinned: publisher to core %d, subscriber to core %d\n", pins.ping, pins.pong);

  Rendezvous rendezvous = Rendezvous::create();
  Peer peer = Peer::start({"echo", "--fd", std::to_string(rendezvous.fd()), "--core",
                           std::to_string(pins.pong), "--parent", std::to_string(getpid())});
  MessageEnd heard(Side::ping);
  heard.connect(peer);
  agnocast::Node node("alone");
  const auto unheard = node.create_publisher<Payload>("/bench/unheard", agnocast::QoS(1));

  const std::uint64_t iterations = options.smoke ? 500 : options.iterations;
  Task task{.system = System::consume,
            .size_bytes = options.size_bytes,
            .rounds = warm_up_rounds + iterations,
            .first_number = 1};
  Series to_nobody;
  Series to_one;
  for (unsigned repetition = 0; repetition < (options.smoke ? 1 : options.repetitions);
       ++repetition) {
    to_nobody.add_run(publish_to_nobody(*unheard, options.size_bytes, iterations), 1);
    to_one.add_run(publish_to_one(heard, rendezvous, peer, task), 1);
    task.first_number += task.rounds;
  }
  rendezvous.post({.system = System::quit});
  peer.join();

  std::printf("publish() of %zu bytes, in ns, of which %llu are the clock\n%-24s %8s %8s %8s\n",
              options.size_bytes, static_cast<unsigned long long>(timer_overhead_ns()), "", "p50",
              "p99", "n");
  print("no subscriber", to_nobody);
  print("one awake subscriber", to_one);
  return 0;
}

}  // namespace bench

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "harness/scale_serve.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>

#include "harness/clock.hpp"
#include "harness/process.hpp"

namespace bench {
namespace {

constexpr std::uint64_t give_up_ns = 2'000'000'000;
constexpr std::uint64_t pause_ns = 300'000;  ///< for who received a message to fall asleep again

std::uint64_t cpu_ns()
{
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1'000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

void sleep_ns(std::uint64_t duration_ns)
{
  // By a call that nobody else makes, so that it can be told from those of the system measured.
  const timespec time{.tv_sec = static_cast<time_t>(duration_ns / 1'000'000'000),
                      .tv_nsec = static_cast<long>(duration_ns % 1'000'000'000)};
  pselect(0, nullptr, nullptr, nullptr, &time, nullptr);
}

ScalePage& map_page(int fd)
{
  // A fault in the middle of a measurement would be seen in it.
  void* address =
    mmap(nullptr, sizeof(ScalePage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (address == MAP_FAILED) throw Failure("cannot map the shared page");
  return *static_cast<ScalePage*>(address);
}

void await_go(ScalePage& page, ScaleProcess& self)
{
  self.state.store(ScaleState::ready, std::memory_order_release);
  while (page.go.load(std::memory_order_acquire) == 0) sleep_ns(1'000'000);
}

std::uint64_t received_by_all(const ScalePage& page, const ScaleArguments& arguments)
{
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < arguments.subscribers; ++i) {
    sum += page.processes[arguments.publishers + i].received.load(std::memory_order_acquire);
  }
  return sum;
}

/// Waits for the moment at which message `number` of this publisher is to be published.
void await_turn(const ScaleArguments& arguments, const ScalePage& page, std::uint64_t number,
                std::uint64_t begin_ns)
{
  if (arguments.pace == Pace::rate) {
    // Publishers are spread over the period as topics are.
    const std::uint64_t period_ns = 1'000'000'000 / (arguments.rate_hz * arguments.topics);
    const std::uint64_t due_ns =
      begin_ns + number * period_ns + arguments.index * period_ns / arguments.publishers;
    const std::uint64_t now = now_ns();
    // No loop until the moment is there: it would be the most of what the processor is used for.
    if (due_ns > now) sleep_ns(due_ns - now);
    return;
  }
  const std::uint64_t may_be_under_way = arguments.pace == Pace::flood ? scale_window : 1;
  const std::uint64_t deadline_ns = now_ns() + give_up_ns;
  while ((number - 1) * arguments.subscribers >=
         received_by_all(page, arguments) + may_be_under_way * arguments.subscribers) {
    if (arguments.awake) {
      relax();
    } else {
      sleep_ns(50'000);
    }
    if (now_ns() > deadline_ns) throw Failure("a subscriber does not receive");
  }
  if (arguments.pace == Pace::each && !arguments.awake) sleep_ns(pause_ns);
}

void publish_all(const ScaleArguments& arguments, ScalePage& page, ScaleProcess& self,
                 ScalePublisher& publisher)
{
  std::uint64_t* const samples = page.samples_ns[arguments.index];
  const std::uint64_t begin_ns = now_ns();
  for (std::uint64_t number = 1; number <= arguments.messages; ++number) {
    const std::size_t topic = number % arguments.topics;
    publisher.prepare(topic, number);
    await_turn(arguments, page, number, begin_ns);
    const std::uint64_t sent_ns = now_ns();
    publisher.publish(topic, {number, sent_ns});
    const std::uint64_t cost_ns = now_ns() - sent_ns;
    if (self.sample_count < scale_samples_max) samples[self.sample_count++] = cost_ns;
    self.published.store(number, std::memory_order_release);
  }
  self.duration_ns = now_ns() - begin_ns;
}

void receive_all(const ScaleArguments& arguments, ScalePage& page, ScaleProcess& self,
                 ScaleSubscriber& subscriber)
{
  std::uint64_t* const samples = page.samples_ns[arguments.index];
  const bool tracks_last = arguments.publishers == 1 && arguments.topics == 1;
  std::uint64_t received = 0;
  const std::function<void(const Stamp&)> got = [&](const Stamp& stamp) {
    const std::uint64_t latency_ns = now_ns() - stamp.sent_ns;
    if (self.sample_count < scale_samples_max) samples[self.sample_count++] = latency_ns;
    if (tracks_last && stamp.number < scale_messages_max) {
      std::atomic<std::uint64_t>& last = page.last_ns[stamp.number];
      std::uint64_t seen = last.load();
      while (seen < latency_ns && !last.compare_exchange_weak(seen, latency_ns)) {
      }
    }
    self.received.store(++received, std::memory_order_release);
  };
  while (page.quit.load(std::memory_order_acquire) == 0) {
    const std::uint64_t before = received;
    subscriber.receive(got);
    // More of them than cores: who has nothing to do lets the next one look.
    if (arguments.awake && received == before && arguments.subscribers > 1) sched_yield();
  }
}

template <class End>
void await_connection(End& end)
{
  Patience patience("all topics to connect");
  while (!end.is_connected()) {
    patience.check();
    sleep_ns(1'000'000);
  }
}

}  // namespace

bool is_scale_end(int argc, char** argv)
{
  return argc > 1 && std::strcmp(argv[1], "scale") == 0;
}

ScaleArguments parse_scale_arguments(int argc, char** argv)
{
  CLI::App app("One process of a scale sweep; started by agnocast-bench itself");
  ScaleArguments arguments;
  std::string role;
  std::string pace;
  app.add_option("--role", role)->required()->check(CLI::IsMember({"publisher", "subscriber"}));
  app.add_option("--index", arguments.index)->required();
  app.add_option("--fd", arguments.fd)->required();
  app.add_option("--parent", arguments.parent)->required();
  app.add_option("--publishers", arguments.publishers)->required();
  app.add_option("--subscribers", arguments.subscribers)->required();
  app.add_option("--topics", arguments.topics)->required();
  app.add_option("--size", arguments.size_bytes)->required();
  app.add_option("--awake", arguments.awake)->required();
  app.add_option("--pace", pace)->required()->check(CLI::IsMember({"each", "rate", "flood"}));
  app.add_option("--rate-hz", arguments.rate_hz)->required();
  app.add_option("--messages", arguments.messages)->required();
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::Error& error) {
    throw Failure(error.what());
  }
  arguments.publishes = role == "publisher";
  arguments.pace = pace == "each" ? Pace::each : pace == "rate" ? Pace::rate : Pace::flood;
  if (arguments.index >= scale_processes_max) throw Failure("too many processes");
  return arguments;
}

int serve_scale(const ScaleArguments& arguments, const MakePublisher& make_publisher,
                const MakeSubscriber& make_subscriber)
{
  die_with_parent(arguments.parent);
  prctl(PR_SET_TIMERSLACK, 1UL);  // of this thread: its sleeps end when they should
  ScalePage& page = map_page(arguments.fd);
  ScaleProcess& self = page.processes[arguments.index];
  std::uint64_t cpu_before_ns = 0;
  if (arguments.publishes) {
    pin_this_thread(0);
    const auto publisher = make_publisher(arguments);
    await_connection(*publisher);
    await_go(page, self);
    cpu_before_ns = cpu_ns();
    publish_all(arguments, page, self, *publisher);
    self.state.store(ScaleState::done, std::memory_order_release);
    while (page.quit.load(std::memory_order_acquire) == 0) sleep_ns(1'000'000);
    self.cpu_ns = cpu_ns() - cpu_before_ns;
  } else {
    if (arguments.awake) pin_this_thread(1);
    const auto subscriber = make_subscriber(arguments);
    await_connection(*subscriber);
    await_go(page, self);
    cpu_before_ns = cpu_ns();
    receive_all(arguments, page, self, *subscriber);
    self.cpu_ns = cpu_ns() - cpu_before_ns;
  }
  return 0;
}

}  // namespace bench

// The actors that are killed, and the program's main().
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "storm/actor.hpp"

#include <execinfo.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

namespace agnocast::storm {

using namespace std::chrono_literals;

std::size_t random_size(Random& random)
{
  const std::uint64_t power = random.between(4, 19);
  return (std::size_t{1} << power) + random.below(std::uint64_t{1} << power);
}

void rest(std::uint64_t microseconds)
{
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

namespace {

// Small ones: a killed publisher's big message costs the machine more than it tells.
std::size_t mostly_small(Random& random)
{
  const std::size_t size = random_size(random);
  return random.chance(25) ? size : size % 20'000;
}

QoS random_qos(Random& random)
{
  QoS qos(random.between(1, 30));
  if (random.chance(30)) qos.keep_all(random.between(1, 20));
  if (random.chance(30)) qos.transient_local();
  if (random.chance(20)) qos.best_effort();
  return qos;
}

std::unique_ptr<AnyPublisher> random_publisher(const Stage& stage, Node& node, Random& random)
{
  stage.doing("create a publisher");
  const auto topic = static_cast<std::uint32_t>(random.below(stage.board->topics));
  return make_publisher(stage, node, topic, random_qos(random), 1ms * random.between(0, 60), false);
}

std::unique_ptr<AnySubscription> random_subscription(const Stage& stage, Node& node, Random& random,
                                                     bool with_callback)
{
  stage.doing("create a subscription");
  const std::size_t limits[] = {1, 2, 8, 64, 300};
  const SubscriptionPlan plan{static_cast<std::uint32_t>(random.below(stage.board->topics)),
                              random_qos(random),
                              limits[random.below(5)],
                              random.chance(50) ? static_cast<std::uint32_t>(random.below(60)) : 0,
                              with_callback,
                              false};
  return make_subscription(stage, node, plan, random.next());
}

void publish_for_a_while(const Stage& stage, AnyPublisher& publisher, Random random,
                         std::uint32_t thread, std::uint64_t until)
{
  while (ok() && now_ns() < until) {
    stage.doing("publish");
    const std::uint64_t burst = random.chance(5) ? random.between(2, 20) : 1;
    for (std::uint64_t i = 0; i < burst; ++i) {
      publisher.publish(random, mostly_small(random), thread, random.chance(8));
    }
    rest(random.between(200, 6'000));
  }
}

}  // namespace

void play_publisher(const Stage& stage, Random& random)
{
  Node node("publisher");
  std::vector<std::unique_ptr<AnyPublisher>> publishers(random.between(1, 3));
  while (ok()) {
    std::unique_ptr<AnyPublisher>& chosen = publishers[random.below(publishers.size())];
    if (!chosen || random.chance(20)) {
      chosen.reset();
      chosen = random_publisher(stage, node, random);
    }
    const std::uint64_t until = now_ns() + random.below(100) * 1'000'000;
    std::vector<std::thread> helpers;
    if (random.chance(15)) {
      for (std::uint32_t thread = 1; thread <= 2; ++thread) {
        helpers.emplace_back([&, thread, r = Random(random.next())] {
          publish_for_a_while(stage, *chosen, r, thread, until);
        });
      }
    }
    publish_for_a_while(stage, *chosen, Random(random.next()), 0, until);
    for (std::thread& helper : helpers) helper.join();
  }
}

void play_subscriber(const Stage& stage, Random& random)
{
  auto node = std::make_shared<Node>("subscriber");
  const std::uint64_t how = random.below(3);  // spin, wait set, poll
  const bool slow = random.chance(30);
  stage.doing("create a wait set");
  std::unique_ptr<WaitSet> waits = how == 1 ? std::make_unique<WaitSet>() : nullptr;
  std::vector<std::unique_ptr<AnySubscription>> subscriptions(random.between(1, 3));
  while (ok()) {
    auto& chosen = subscriptions[random.below(subscriptions.size())];
    if (!chosen || random.chance(2)) {
      chosen.reset();
      chosen = random_subscription(stage, *node, random, how == 0);
      if (waits) waits->add(chosen->base());
    }
    stage.doing("take");
    if (how == 0) {
      for (int i = 0; i < 20 && spin_once(node, 5ms); ++i) {
        for (const auto& one : subscriptions) {
          if (one) one->release_due(now_ns());
        }
      }
    } else if (how == 1) {
      waits->wait(20ms, random.chance(10) ? 50us : 0us);
    } else {
      rest(random.between(100, 5'000));
    }
    for (const auto& one : subscriptions) {
      if (!one) continue;
      if (how != 0) one->take_some(20);
      one->release_due(now_ns());
    }
    if (slow) rest(random.below(30'000));
  }
}

void play_relay(const Stage& stage, Random& random)
{
  Node node("relay");
  auto from = random_subscription(stage, node, random, false);
  auto to = random_publisher(stage, node, random);
  WaitSet waits;
  waits.add(from->base());
  while (ok()) {
    stage.doing("relay");
    waits.wait(20ms);
    if (from->take_some(4) != 0) to->publish(random, mostly_small(random), 0, random.chance(3));
    from->release_due(now_ns());
    rest(random.between(500, 3'000));
  }
}

void play_joiner(const Stage& stage, Random& random)
{
  Node node("joiner");
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    if (random.chance(50)) {
      auto publisher = random_publisher(stage, node, random);
      if (random.chance(70)) publisher->publish(random, mostly_small(random), 0, false);
    } else {
      auto subscription = random_subscription(stage, node, random, false);
      subscription->take_some(3);
    }
  }
  if (random.chance(20)) ::_exit(0);  // as one that crashed
}

void play_tidier(const Stage& stage, Random& random)
{
  Node node("tidier");
  random_publisher(stage, node, random)->publish(random, 100, 0, true);
}

namespace {

void be_the_child(const Stage& stage, Random& random)
{
  const std::uint32_t place = stage.board->forked_count.fetch_add(1);
  if (place < forked_max) stage.board->forked[place].store(::getpid());
  if (random.chance(20)) ::_exit(0);
  if (random.chance(20)) std::exit(0);
  Node node("child");
  auto publisher = random_publisher(stage, node, random);
  auto subscription = random_subscription(stage, node, random, false);
  for (int i = 0; i < 3; ++i) {
    publisher->publish(random, mostly_small(random), 0, false);
    subscription->take_some(3);
    rest(random.below(2'000));
  }
  publisher.reset();
  subscription.reset();
  std::exit(0);
}

}  // namespace

void play_forker(const Stage& stage, Random& random)
{
  const pid_t conductor = ::getppid();
  Node node("forker");
  auto publisher = random_publisher(stage, node, random);
  auto subscription = random_subscription(stage, node, random, false);
  while (ok()) {
    stage.doing("fork");
    publisher->publish(random, mostly_small(random), 0, false);
    Random its_own(random.next());
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == conductor) ::_exit(0);  // the forker is dead already
      be_the_child(stage, its_own);
    }
    stage.count(Count::forks);
    stage.doing("publish beside the child");
    publish_for_a_while(stage, *publisher, Random(random.next()), 0,
                        now_ns() + random.below(30) * 1'000'000);
    subscription->take_some(5);
    stage.doing("wait for the child");
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    stage.count(Count::errors);
    report(*stage.board, stage.seat, "its forked child ended with status %x",
           static_cast<unsigned>(status));
  }
}

}  // namespace agnocast::storm

namespace {

using agnocast::storm::Board;
using agnocast::storm::Kind;
using agnocast::storm::Random;
using agnocast::storm::Stage;

Stage the_stage{};

void on_crash(int signal)
{
  void* frames[60];
  const int count = ::backtrace(frames, 60);
  agnocast::storm::report(*the_stage.board, the_stage.seat,
                          "crash: signal %d, process %d, %s; stack on standard error", signal,
                          ::getpid(), the_stage.board->seats[the_stage.seat].doing);
  ::backtrace_symbols_fd(frames, count, STDERR_FILENO);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void play(Kind kind, Random& random)
{
  using namespace agnocast::storm;
  switch (kind) {
    case Kind::stable_publisher:
      return play_stable_publisher(the_stage, random);
    case Kind::stable_subscriber:
      return play_stable_subscriber(the_stage, random);
    case Kind::publisher:
      return play_publisher(the_stage, random);
    case Kind::subscriber:
      return play_subscriber(the_stage, random);
    case Kind::relay:
      return play_relay(the_stage, random);
    case Kind::joiner:
      return play_joiner(the_stage, random);
    case Kind::forker:
      return play_forker(the_stage, random);
    case Kind::tidier:
      return play_tidier(the_stage, random);
  }
}

}  // namespace

// agnocast_storm_actor <kind> <descriptor of the board> <seat> <seed>: started by agnocast_storm.
int main(int argc, char** argv)
{
  if (argc != 5) return 2;
  the_stage = {Board::map(std::atoi(argv[2])), std::strtoul(argv[3], nullptr, 10)};
  if (the_stage.board == nullptr || the_stage.seat >= agnocast::storm::seats_max) return 2;
  void* warm[2];
  ::backtrace(warm, 2);  // loads what it needs now, not in the handler
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) ::signal(signal, on_crash);
  Random random(std::strtoull(argv[4], nullptr, 10));
  try {
    agnocast::init();
    play(static_cast<Kind>(std::atoi(argv[1])), random);
  } catch (const std::exception& error) {
    the_stage.count(agnocast::storm::Count::errors);
    agnocast::storm::report(*the_stage.board, the_stage.seat, "exception while it was to %s: %s",
                            the_stage.board->seats[the_stage.seat].doing, error.what());
    return 1;
  }
  return 0;
}

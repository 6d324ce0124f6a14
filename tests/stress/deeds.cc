// What a thread of an actor does, one thing at a time, by lot.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>
#include <thread>

#include "stress/world.hpp"

namespace agnocast::stress {

using namespace std::chrono_literals;

void World::check(const Message& message, const MessageInfo& info, const char* when) const
{
  const char* fault = fault_of(message);
  if (fault == nullptr) return;
  report(*board, "process %zu: message %llu of publisher %llu is damaged %s: %s (number %llx)",
         process, static_cast<unsigned long long>(info.sequence),
         static_cast<unsigned long long>(info.publisher_id), when, fault,
         static_cast<unsigned long long>(message.number));
}

Actor*& this_actor()
{
  thread_local Actor* actor = nullptr;
  return actor;
}

namespace {

std::string topic_of(Random& random)
{
  return "/stress/t" + std::to_string(random.below(5));
}

QoS random_qos(Random& random)
{
  QoS qos(random.between(1, 20));
  if (random.chance(20)) qos.keep_all(random.between(1, 10));
  if (random.chance(30)) qos.transient_local();
  if (random.chance(30)) qos.best_effort();
  return qos;
}

std::shared_ptr<Home> any_home(Actor& actor)
{
  if (auto home = actor.world.homes.get(actor.random); home && !actor.random.chance(2)) return home;
  auto home = std::make_shared<Home>();
  home->age = actor.world.ages.fetch_add(1);
  home->node = std::make_shared<Node>("n" + std::to_string(home->age));
  home->is_spun = std::make_shared<std::atomic_flag>();
  actor.world.homes.put(actor.random, home);
  return home;
}

void take_some(Actor& actor)
{
  const auto reader =
    actor.world.readers.get(actor.random, [](const auto& one) { return one->fate == nullptr; });
  if (!reader) return;
  for (std::uint64_t left = actor.random.between(1, 5); left > 0; --left) {
    try {
      const bool newest = actor.random.chance(20);
      const Kept message =
        newest ? reader->subscription->take_latest() : reader->subscription->take();
      if (!message) return;
      actor.world.count(Count::received);
      actor.world.check(*message, message.info(), "when it was taken");
      keep(actor, message);
    } catch (const UsageError&) {
      return actor.world.release(actor.world.kept.remove(actor.random));  // the hold limit
    }
  }
}

void look(Actor& actor)
{
  if (const auto reader = actor.world.readers.get(actor.random); reader && !reader->fate) {
    static_cast<void>(reader->subscription->has_message());
    static_cast<void>(reader->subscription->publisher_count());
    static_cast<void>(reader->subscription->held_count());
  }
  if (const auto publisher = actor.world.publishers.get(actor.random)) {
    static_cast<void>(publisher->subscription_count());
    static_cast<void>(publisher->retained_count());
    if (actor.random.chance(20)) publisher->reclaim();
  }
  if (actor.random.chance(10)) static_cast<void>(DomainView().snapshot());
}

// Dropped, published, or left for another thread to do so.
void loan(Actor& actor)
{
  if (const auto found = actor.world.loans.remove(actor.random)) {
    fill(*found->message, actor.world.numbers.fetch_add(1));  // from now on this thread's
    if (found->publisher && actor.random.chance(60)) {
      found->publisher->publish(std::move(found->message));
    }
    return;
  }
  const auto publisher = actor.world.publishers.get(actor.random);
  if (!publisher) return;
  auto message = publisher->borrow_loaned_message();
  fill(*message, actor.world.numbers.fetch_add(1));
  if (actor.random.chance(60) || actor.world.board->hands_over_loans == 0) return;
  // From now on, until somebody claims it, what this thread allocates goes to the shared heap.
  auto open = std::make_shared<OpenLoan>();
  open->publisher = actor.random.chance(70) ? publisher : nullptr;
  open->message = std::move(message);
  actor.world.loans.put(actor.random, std::move(open));
}

void use_a_wait_set(Actor& actor)
{
  auto waiter = actor.world.waiters.get(actor.random);
  if (!waiter || actor.random.chance(5)) {
    actor.world.waiters.put(actor.random, std::make_shared<Waiter>());
    return;
  }
  const auto reader =
    actor.world.readers.get(actor.random, [](const auto& one) { return one->fate == nullptr; });
  const std::uint64_t dice = actor.random.below(100);
  if (dice < 30 && reader) return waiter->set.add(*reader->subscription);
  if (dice < 40 && reader) return waiter->set.remove(*reader->subscription);
  if (dice < 55) return waiter->set.wake();
  if (waiter->is_waiting.test_and_set()) return;
  waiter->set.wait(std::chrono::milliseconds(actor.random.below(10)),
                   actor.random.chance(20) ? 50us : 0us);
  waiter->is_waiting.clear();
}

// Brings back who is in spin(), then goes on.
void shut_down_for_a_moment(Actor& actor)
{
  World& world = actor.world;
  if (world.in_spin.load() == 0 || world.interrupting.exchange(true)) return;
  shutdown();
  while (world.in_spin.load() != 0) std::this_thread::sleep_for(100us);
  init();
  world.interrupting.store(false);
  world.count(Count::shutdowns);
}

void publish_one(Actor& actor)
{
  if (const auto publisher = actor.world.publishers.get(actor.random)) publish(actor, *publisher);
}

void create_a_subscription(Actor& actor)
{
  const auto home = any_home(actor);
  actor.world.readers.put(actor.random, make_reader(actor, *home, actor.random.chance(75)));
}

void create_a_publisher(Actor& actor)
{
  const auto home = any_home(actor);
  actor.world.publishers.put(actor.random, make_publisher(actor, *home));
}

void release_one(Actor& actor)
{
  actor.world.release(actor.world.kept.remove(actor.random));
}

struct Deed
{
  std::uint64_t weight;  ///< of 1000
  const char* name;
  void (*run)(Actor&);
};
constexpr Deed deeds[] = {
  {220, "publish", publish_one},
  {200, "spin", spin_somehow},
  {150, "take", take_some},
  {90, "create a subscription", create_a_subscription},
  {30, "destroy a subscription", [](Actor& actor) { actor.world.readers.remove(actor.random); }},
  {30, "create a publisher", create_a_publisher},
  {8, "destroy a publisher", [](Actor& actor) { actor.world.publishers.remove(actor.random); }},
  {4, "destroy a node", [](Actor& actor) { actor.world.homes.remove(actor.random); }},
  {80, "use a wait set", use_a_wait_set},
  {120, "release a message", release_one},
  {40, "handle a loan", loan},
  {20, "shut down for a moment", shut_down_for_a_moment},
  {8, "look", look}};

}  // namespace

void keep(Actor& actor, const Kept& message)
{
  if (actor.random.chance(40)) actor.world.release(actor.world.kept.put(actor.random, message));
}

std::shared_ptr<Reader> make_reader(Actor& actor, const Home& home, bool with_callback)
{
  constexpr std::size_t limits[] = {1, 2, 8, 64};
  const SubscriptionOptions options{.hold_limit = limits[actor.random.below(4)]};
  const std::string topic = topic_of(actor.random);
  const QoS qos = random_qos(actor.random);
  auto reader = std::make_shared<Reader>();
  reader->world = &actor.world;
  actor.world.count(Count::subscriptions);
  if (!with_callback) {
    reader->subscription = home.node->create_subscription<Message>(topic, qos, options);
    return reader;
  }
  reader->fate = std::make_shared<Fate>();
  reader->fate->node_age = home.age;
  reader->subscription = home.node->create_subscription<Message>(
    topic, qos,
    [&world = actor.world, fate = reader->fate](const Kept& message) {
      run_callback(world, fate, message);
    },
    options);
  return reader;
}

std::shared_ptr<Publisher<Message>> make_publisher(Actor& actor, const Home& home)
{
  return home.node->create_publisher<Message>(topic_of(actor.random), random_qos(actor.random),
                                              PublisherOptions{.keep_all_timeout = 5ms});
}

void publish(Actor& actor, Publisher<Message>& publisher)
{
  auto message = publisher.borrow_loaned_message();
  fill(*message, actor.world.numbers.fetch_add(1));
  if (publisher.publish(std::move(message)) == PublishStatus::published) {
    actor.world.count(Count::published);
  }
}

void do_something(Actor& actor)
{
  actor.world.count(Count::deeds);
  std::uint64_t dice = actor.random.below(1'000);
  for (const Deed& deed : deeds) {
    if (dice < deed.weight) {
      actor.doing(deed.name);
      return deed.run(actor);
    }
    dice -= deed.weight;
  }
}

}  // namespace agnocast::stress

// Callbacks, and the subscriptions that they belong to.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <array>

#include "stress/world.hpp"

namespace agnocast::stress {

namespace {

/// The callbacks that the thread is inside of, innermost last.
struct Inside
{
  std::array<const Fate*, 8> fates{};
  std::size_t count = 0;

  [[nodiscard]] bool contains(const Fate* fate) const
  {
    for (std::size_t i = 0; i < count; ++i) {
      if (fates[i] == fate) return true;
    }
    return false;
  }
};
thread_local Inside inside;

/// Enters and leaves a callback, with the checks of the rule.
class Run
{
 public:
  Run(World& world, Fate& fate) : world_(world), fate_(fate)
  {
    fate_.running.fetch_add(1);
    if (fate_.gone.load()) {
      report(*world_.board,
             "a callback began after the destructor of its subscription had returned");
    }
    inside.fates[inside.count++] = &fate_;
  }
  ~Run()
  {
    --inside.count;
    fate_.running.fetch_sub(1);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

 private:
  World& world_;
  Fate& fate_;
};

// Its own, another of its node, or one of a younger node; or one that has no callback.
void destroy_a_reader(Actor& actor, const Fate& fate)
{
  const bool own = actor.random.chance(40);
  const auto may_go = [&](const std::shared_ptr<Reader>& reader) {
    if (own) return reader->fate.get() == &fate;
    return reader->fate == nullptr || reader->fate->node_age >= fate.node_age;
  };
  const std::shared_ptr<Reader> reader = actor.world.readers.remove(actor.random, may_go);
  if (!reader) return;
  const bool is_own = reader->fate.get() == &fate;
  actor.world.count(is_own ? Count::own_destroyed : Count::other_destroyed);
}

void destroy_the_node(Actor& actor, const Fate& fate)
{
  std::shared_ptr<Node>* spun = spun_node();
  if (spun == nullptr || !*spun) return;
  const std::shared_ptr<Home> home = actor.world.homes.remove(
    actor.random, [&](const std::shared_ptr<Home>& other) { return other->age == fate.node_age; });
  spun->reset();  // with `home`, the last reference
  actor.world.count(Count::nodes_dropped);
}

void make_something(Actor& actor, const Fate& fate)
{
  const auto is_own = [&](const std::shared_ptr<Home>& home) { return home->age == fate.node_age; };
  const std::shared_ptr<Home> home = actor.world.homes.get(actor.random, is_own);
  if (!home) return;
  if (actor.random.chance(30)) {
    actor.world.publishers.put(actor.random, make_publisher(actor, *home));
    return;
  }
  // What it replaces is destroyed here.
  actor.world.readers.put(actor.random, make_reader(actor, *home, actor.random.chance(80)),
                          [&](const std::shared_ptr<Reader>& reader) {
                            return !reader->fate || reader->fate->node_age >= fate.node_age;
                          });
}

void do_something_inside(Actor& actor, const Fate& fate)
{
  const std::uint64_t dice = actor.random.below(1'000);
  World& world = actor.world;
  if (dice < 200) return destroy_a_reader(actor, fate);
  if (dice < 320) return make_something(actor, fate);
  if (dice < 335) return destroy_the_node(actor, fate);
  if (dice < 360) {
    world.publishers.remove(actor.random);
  } else if (dice < 500) {
    if (const auto publisher = world.publishers.get(actor.random)) publish(actor, *publisher);
  } else if (dice < 515 && inside.count < 3) {
    if (std::shared_ptr<Node>* node = spun_node(); node != nullptr && *node) spin_some(*node);
  } else if (dice < 525) {
    throw Thrown{};
  }
}

}  // namespace

Reader::~Reader()
{
  const bool is_inside = fate && inside.contains(fate.get());
  subscription.reset();
  if (!fate) return;
  fate->gone.store(true);
  if (!is_inside && fate->running.load() != 0) {
    report(*world->board, "the destructor of a subscription returned while its callback ran");
  }
}

void run_callback(World& world, const std::shared_ptr<Fate>& fate, const Kept& message)
{
  const std::shared_ptr<Fate> held = fate;  // the callback object may go meanwhile
  const Run run(world, *held);
  world.count(Count::callbacks);
  world.check(*message, message.info(), "in a callback");
  Actor* actor = this_actor();
  if (actor == nullptr)
    return report(*world.board, "a callback runs in a thread that spins nothing");
  actor->doing("run a callback");
  const Kept copy = message;
  keep(*actor, copy);
  do_something_inside(*actor, *held);
  world.check(*copy, copy.info(), "at the end of a callback");
}

}  // namespace agnocast::stress

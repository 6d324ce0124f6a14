// What the threads of one actor of a stress share, and the rule that it is there for:
//
//   When the destructor of a subscription has returned, its callback neither runs nor will run,
//   unless the destructor was called inside of that callback; then it will not run again.
//
// A callback may destroy its own subscription, any other of its node, and those of younger nodes.
// Not those of older nodes: two callbacks that destroy each other's subscription in two threads
// would each wait for the other by that rule, which no library can mend.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/agnocast.hpp>
#include <memory>

#include "stress/message.hpp"
#include "stress/table.hpp"

namespace agnocast::stress {

/// What is known of a callback; outlives its subscription.
struct Fate
{
  std::uint64_t node_age = 0;
  std::atomic<int> running{0};
  std::atomic<bool> gone{false};  ///< the destructor of its subscription has returned
};

struct World;

/// A node, how old it is, and whether somebody spins it: one thread at a time may.
struct Home
{
  std::shared_ptr<Node> node;
  std::uint64_t age = 0;
  std::shared_ptr<std::atomic_flag> is_spun;
};

struct Reader
{
  World* world = nullptr;
  std::shared_ptr<Fate> fate;  ///< none: without a callback
  Subscription<Message>::SharedPtr subscription;
  ~Reader();
};

struct Waiter
{
  WaitSet set;
  std::atomic_flag is_waiting = ATOMIC_FLAG_INIT;  ///< one thread at a time may
};

/// A loan on its way from one thread to another.
struct OpenLoan
{
  std::shared_ptr<Publisher<Message>> publisher;  ///< none: it is only going to be dropped
  ipc_shared_ptr<Message> message;
  explicit operator bool() const { return static_cast<bool>(message); }
};

using Kept = ipc_shared_ptr<const Message>;

struct World
{
  Board* board = nullptr;
  std::size_t process = 0;
  std::atomic<bool> ending{false};
  std::atomic<bool> interrupting{false};
  std::atomic<int> in_spin{0};  ///< threads that only shutdown() brings back
  std::atomic<std::uint64_t> ages{0};
  std::atomic<std::uint64_t> numbers{0};

  Table<std::shared_ptr<Home>> homes{4};
  Table<std::shared_ptr<Publisher<Message>>> publishers{6};
  Table<std::shared_ptr<Reader>> readers{16};
  Table<std::shared_ptr<Waiter>> waiters{3};
  Table<std::shared_ptr<OpenLoan>> loans{3};
  Table<Kept> kept{48};

  void count(Count what, std::uint64_t amount = 1) const
  {
    board->processes[process].counts[static_cast<std::size_t>(what)].fetch_add(
      amount, std::memory_order_relaxed);
  }
  void check(const Message& message, const MessageInfo& info, const char* when) const;
  void release(Kept message) const
  {
    if (message) check(*message, message.info(), "when it was released");
  }
};

/// One thread of an actor, and what it is inside of.
struct Actor
{
  World& world;
  std::size_t thread;
  Random random;

  /// A sign of life.
  void doing(const char* what) const
  {
    ThreadSeat& seat = world.board->processes[world.process].threads[thread];
    std::strncpy(seat.doing, what, sizeof seat.doing - 1);
    seat.alive_ns.store(now_ns());
  }
};

/// One random operation, as any thread may do it outside of a callback.
void do_something(Actor& actor);
/// What the callback of a subscription does.
void run_callback(World& world, const std::shared_ptr<Fate>& fate, const Kept& message);
/// A reader of a random topic, with a callback on that node or without one.
std::shared_ptr<Reader> make_reader(Actor& actor, const Home& home, bool with_callback);
std::shared_ptr<Publisher<Message>> make_publisher(Actor& actor, const Home& home);
void publish(Actor& actor, Publisher<Message>& publisher);
/// Keeps some of what was received, and checks what that replaces.
void keep(Actor& actor, const Kept& message);
/// The running thread's; set by each thread of an actor.
Actor*& this_actor();

/// What a callback throws now and then.
struct Thrown
{
};

/// How a thread spins; while it does, the variable is the only thing outside of the tables that
/// keeps the node, and a callback may empty it.
void spin_somehow(Actor& actor);
std::shared_ptr<Node>* spun_node();

}  // namespace agnocast::stress

// Threads and processes that end in the middle of things.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "machine/machine.hpp"

namespace agnocast::test {
namespace {

class Endings : public ForcefulTest
{
};

using Loan = ipc_shared_ptr<Report>;

struct Pair
{
  Node node{"pair"};
  std::shared_ptr<Publisher<Report>> publisher = node.create_publisher<Report>("/endings", QoS(10));
  std::shared_ptr<Subscription<Report>> subscription =
    node.create_subscription<Report>("/endings", QoS(10));

  void check(std::uint64_t number)
  {
    publish_report(*publisher, number);
    std::uint64_t taken = 0;
    while (const auto message = subscription->take()) {
      require(is_whole(*message, message->number), "a message is whole");
      taken = message->number;
    }
    require(taken == number, "the last message comes");
  }
};

// Destroyed with the thread, before or after what the library keeps for the thread.
thread_local std::optional<Loan> kept_by_thread;
thread_local std::optional<ipc_shared_ptr<const Report>> taken_by_thread;

TEST_F(Endings, OfThreadsWithLoansInThreadLocalsGiveTheMemoryBack)
{
  EXPECT_ALL_WELL([] {
    Pair pair;
    std::size_t used = 0;
    for (int round = 0; round < 200; ++round) {
      std::thread([&] {
        if (round % 2 == 0) kept_by_thread.emplace();  // its destructor is registered first
        auto loan = pair.publisher->borrow_loaned_message();
        fill(*loan, 1);
        kept_by_thread = std::move(loan);
      }).join();
      if (round == 20) used = shared_heap_statistics().used_bytes;
    }
    require(shared_heap_statistics().used_bytes <= used + 100'000, "nothing piles up");
    pair.check(1);
  });
}

TEST_F(Endings, OfThreadsThatHoldMessagesInThreadLocalsReleaseThem)
{
  EXPECT_ALL_WELL([] {
    Pair pair;
    for (std::uint64_t round = 1; round <= 200; ++round) {
      publish_report(*pair.publisher, round);
      std::thread([&] { taken_by_thread = pair.subscription->take(); }).join();
      require(pair.subscription->held_count() == 0, "it is released");
    }
    require(pair.subscription->lost_count() == 0, "none is lost");
  });
}

// A key of the user, whose destructor may run after the library's own.
TEST_F(Endings, OfThreadsWithLoansUnderPthreadKeysGiveTheMemoryBack)
{
  EXPECT_ALL_WELL([] {
    Pair pair;
    pthread_key_t key{};
    require(::pthread_key_create(&key, [](void* loan) { delete static_cast<Loan*>(loan); }) == 0,
            "a key");
    std::size_t used = 0;
    for (int round = 0; round < 200; ++round) {
      std::thread([&] {
        const PrivateHeapScope in_private;
        auto loan = std::make_unique<Loan>(pair.publisher->borrow_loaned_message());
        {
          const SharedHeapScope shared;
          (*loan)->values.assign(1000, 7);
        }
        ::pthread_setspecific(key, loan.release());
      }).join();
      if (round == 20) used = shared_heap_statistics().used_bytes;
    }
    require(shared_heap_statistics().used_bytes <= used + 100'000, "nothing piles up");
    pair.check(1);
  });
}

TEST_F(Endings, OfThreadsWhoseLoansMovedToMainLeaveThemWhole)
{
  EXPECT_ALL_WELL([] {
    Pair pair;
    for (std::uint64_t round = 1; round <= 50; ++round) {
      Loan loan;
      std::thread([&] {
        loan = pair.publisher->borrow_loaned_message();
        fill(*loan, round);
      }).join();
      require(is_whole(*loan, round), "it is whole after its thread");
      pair.publisher->publish(std::move(loan));
      const auto message = pair.subscription->take();
      require(message && is_whole(*message, round), "and published");
    }
    require(!in_shared_heap(std::make_unique<int>(1).get()), "main allocates in private again");
  });
}

/// Runs a program that ends by itself in the middle of publishing: its status, and that its partner
/// received nothing that is broken and the domain is clean afterwards.
int end_while_publishing(const std::function<void(Pair&)>& end, bool in_order)
{
  Node node("listener");
  auto subscription = node.create_subscription<Report>("/endings", QoS(10));
  Process ending([&](Channel& channel) {
    static auto* pair = new Pair();  // who ends with threads running must not destroy it
    for (int i = 0; i < 2; ++i) {
      std::thread([] {
        for (std::uint64_t number = 1;; ++number)
          publish_report(*pair->publisher, number % 100 + 1);
      }).detach();
    }
    channel.say("publishing");
    channel.hear();
    end(*pair);
  });
  require(ending.hear() == "publishing", "it publishes");
  int count = 0;
  const auto take = [&] {
    while (const auto message = subscription->take()) {
      require(is_whole(*message, message->number), "a message is whole");
      ++count;
    }
    return count > 20;
  };
  require(eventually(take), "messages come");
  ending.say("end");
  const int status = ending.wait();
  require(status != -1000, "it ends");
  require(eventually([&] {
            take();
            return subscription->publisher_count() == 0;
          }),
          "its end is noticed");
  require(eventually([&] { return remains_of(ending.pid()).empty(); }),
          "its objects are removed: " + remains_of(ending.pid()));
  if (in_order) require(status >= 0, "no signal: " + std::to_string(status));
  return status;
}

TEST_F(Endings, ByExitWhileDetachedThreadsPublishAreInOrder)
{
  EXPECT_ALL_WELL([] {
    for (int i = 0; i < 10; ++i) {
      require(end_while_publishing([](Pair&) { std::exit(3); }, true) == 3, "exit");
    }
  });
}

TEST_F(Endings, ByExitOfAnotherThreadAreInOrder)
{
  EXPECT_ALL_WELL([] {
    for (int i = 0; i < 10; ++i) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/endings", QoS(10));
      Process ending([&](Channel& channel) {
        static auto* pair = new Pair();  // who exits with threads running must not destroy it
        std::thread([&channel] {
          channel.say("publishing");
          channel.hear();
          std::exit(4);
        }).detach();
        for (std::uint64_t number = 1;; ++number) publish_report(*pair->publisher, number % 99 + 1);
      });
      require(ending.hear() == "publishing", "it publishes");
      ending.say("end");
      require(ending.wait() == 4, "it ends as it wished");
      while (const auto message = subscription->take()) {
        require(is_whole(*message, message->number), "a message is whole");
      }
      require(eventually([&] { return subscription->publisher_count() == 0; }), "it is noticed");
      require(remains_of(ending.pid()).empty(), "it left in order: " + remains_of(ending.pid()));
    }
  });
}

TEST_F(Endings, ByQuickExitAndAbortAreCleanedUpByOthers)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_CORE, 0);
    for (int i = 0; i < 3; ++i) {
      require(end_while_publishing([](Pair&) { std::quick_exit(5); }, true) == 5, "quick_exit");
      require(end_while_publishing([](Pair&) { std::abort(); }, false) == -SIGABRT, "abort");
    }
  });
}

TEST_F(Endings, WithPublishersAndSubscriptionsInStaticStorageAreInOrder)
{
  EXPECT_ALL_WELL([] {
    Process program([](Channel& channel) {
      static Node node("statics");
      static auto subscription = node.create_subscription<Report>("/endings", QoS(10));
      static auto publisher = node.create_publisher<Report>("/endings", QoS(10));
      static auto loan = publisher->borrow_loaned_message();
      static ipc_shared_ptr<const Report> held;
      static WaitSet waits;
      waits.add(*subscription);
      fill(*loan, 1);
      publish_report(*publisher, 2);
      held = subscription->take();
      require(held && is_whole(*held, 2), "a message");
      channel.say("ready");
    });
    require(program.hear() == "ready", "statics");
    require(program.wait() == 0, "it ends in order");
    require(remains_of(program.pid()).empty(), "and leaves nothing");
  });
}

TEST_F(Endings, ByExitInACallbackAreInOrder)
{
  EXPECT_ALL_WELL([] {
    for (const bool is_static : {false, true}) {
      Process program([&](Channel& channel) {
        static std::shared_ptr<Node> of_process;
        static std::shared_ptr<Subscription<Report>> static_subscription;
        auto node = std::make_shared<Node>("callback");
        auto subscription = node->create_subscription<Report>(
          "/endings", QoS(10), [](const ipc_shared_ptr<const Report>& message) {
            require(is_whole(*message, 1), "a whole message");
            std::exit(6);
          });
        if (is_static) {
          of_process = node;
          static_subscription = subscription;
        }
        auto publisher = node->create_publisher<Report>("/endings", QoS(10));
        publish_report(*publisher, 1);
        channel.say("ready");
        spin(node);
      });
      require(program.hear() == "ready", "a program");
      require(program.wait() == 6, "it ends as it wished");
      require(remains_of(program.pid()).empty(), "and leaves nothing");
    }
  });
}

}  // namespace
}  // namespace agnocast::test

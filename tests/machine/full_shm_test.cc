// A /dev/shm that is tiny, or becomes full at the worst moment.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <new>

#include "machine/machine.hpp"

namespace agnocast::test {
namespace {

struct Growing
{
  std::vector<char> bytes;
};

TEST(TinySharedMemory, OfOneMegabyteIsRefusedWithCauseObjectAndRemedy)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=1m");
    const std::string outcome = in_process([] { return outcome_of_joining(); });
    require(static_cast<bool>(contains(outcome, {"Error", "/dev/shm/agnocast_registry", "full",
                                                 "2031 kB", "remount,size="})),
            outcome);
    require(outcome == in_process([] { return outcome_of_joining(); }),
            "a second try says the same");
  });
}

TEST(TinySharedMemory, OfThreeMegabytesServesASmallMempool)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=3m");
    const std::string refused = in_process([] { return outcome_of_joining(); });
    require(static_cast<bool>(
              contains(refused, {"ResourceError", "/dev/shm has only", "AGNOCAST_MEMPOOL_SIZE"})),
            refused);
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "102400", 1);
    const std::string outcome = in_process([] { return outcome_of_joining(); });
    require(outcome == "nothing thrown", outcome);
    require(shared_objects().empty(), "nothing is left: " + shared_objects());
  });
}

TEST(FullSharedMemory, InTheMiddleOfFillingDropsTheLoanAndNothingElse)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=16m");
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "102400", 1);
    Talker other("/other");
    Process listener([](Channel& channel) {
      Node node("listener");
      auto others = node.create_subscription<Report>("/other", QoS(50));
      auto growing = node.create_subscription<Growing>("/growing", QoS(50));
      channel.say("ready");
      std::uint64_t last = 0;
      await_number(*others, last, 20);
      const auto message = await_message(*growing);
      require(message && message->bytes == std::vector<char>(3'000'000, 'c'), "it is whole");
      channel.say("all well");
    });
    require(listener.hear() == "ready", "a listener");
    require(other.publish(10) == "published", "the other publishes");
    Process greedy([](Channel& channel) {
      Node node("greedy");
      auto publisher = node.create_publisher<Growing>("/growing", QoS(5));
      auto another = node.create_publisher<Report>("/another", QoS(5));
      auto reader = node.create_subscription<Report>("/another", QoS(5));
      Filler filler;
      filler.fill(2'000'000);
      const auto used = shared_heap_statistics().used_bytes;
      std::string outcome;
      const std::string said = standard_error_of([&] {
        outcome = outcome_of([&] {
          auto loan = publisher->borrow_loaned_message();
          for (;;) loan->bytes.insert(loan->bytes.end(), 100'000, 'c');
        });
      });
      require(static_cast<bool>(contains(outcome, {"bad_alloc"})), outcome);
      require(static_cast<bool>(contains(
                said, {"agnocast", "shared heap", "/dev/shm", "remount", "fewer messages"})),
              said);
      require(shared_heap_statistics().used_bytes <= used + 10'000, "the loan is gone");
      require(publisher->retained_count() == 0, "and nothing was published");
      channel.say("full");
      channel.hear();
      publish_report(*another, 7);  // there is still room for what was given back
      const auto message = reader->take();
      require(message && is_whole(*message, 7), "the process goes on");
      filler.clear();
      auto loan = publisher->borrow_loaned_message();
      loan->bytes.assign(3'000'000, 'c');
      publisher->publish(std::move(loan));
      channel.say("published");
      channel.hear();
    });
    require(greedy.hear() == "full", "it becomes full");
    require(other.publish(10) == "published", "the other has the room that it had");
    greedy.say("go on");
    require(greedy.hear() == "published", "and works again");
    require(listener.hear() == "all well", "the listener took everything");
    other.leave();
  });
}

TEST(FullSharedMemory, BetweenBorrowAndPublishDoesNotStopThePublish)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=16m");
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "1024000", 1);
    Process listener([](Channel& channel) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/machine", QoS(200));
      channel.say("ready");
      std::uint64_t last = 0;
      await_number(*subscription, last, 30);
      require(subscription->lost_count() == 0, "none is lost");
      channel.say("all well");
    });
    require(listener.hear() == "ready", "a listener");
    Node node("talker");
    auto publisher = node.create_publisher<Report>("/machine", QoS(5));
    std::vector<ipc_shared_ptr<Report>> loans;
    for (std::uint64_t i = 1; i <= 30; ++i) {
      loans.push_back(publisher->borrow_loaned_message());
      fill(*loans.back(), i);
    }
    Filler filler;
    filler.fill();
    for (auto& loan : loans) {
      require(publisher->publish(std::move(loan)) == PublishStatus::published, "it is published");
    }
    require(listener.hear() == "all well", "and received");
  });
}

TEST(FullSharedMemory, RefusesANewProcessAndANewSubscriptionWithoutHarm)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=16m");
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "1024000", 1);
    Talker talker;
    Node node("listener");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    Filler filler;
    filler.fill();
    const std::string outcome = in_process([] { return outcome_of_joining(); });
    require(static_cast<bool>(contains(outcome, {"ResourceError", "/dev/shm", "remount"})),
            outcome);
    // Until the control part is full; what was made before stays.
    const std::string refused = outcome_of([&] {
      std::vector<std::shared_ptr<Subscription<Report>>> many;
      for (int i = 0; i < 2000; ++i) {
        many.push_back(node.create_subscription<Report>("/many", QoS(1)));
      }
    });
    require(static_cast<bool>(contains(refused, {"ResourceError", "/dev/shm", "remount"})),
            refused);
    require(talker.publish(10) == "published", "the talker publishes in what it has");
    std::uint64_t last = 0;
    await_number(*subscription, last, 10);
    filler.clear();
    const std::string joined = in_process([] { return outcome_of_joining(); });
    require(joined == "nothing thrown", joined);
    talker.leave();
  });
}

}  // namespace
}  // namespace agnocast::test

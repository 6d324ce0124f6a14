// Resource limits: an error, or a lesser service that is said once; never a signal or a dead end.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <cerrno>
#include <memory>

#include "machine/machine.hpp"

namespace agnocast::test {
namespace {

class Limits : public ForcefulTest
{
};

// A listener and a talker that was made after it, so that an announcement is due. What the listener
// says on standard error, with the queue's warning in it, if all comes through.
void exchange_without_queues()
{
  Process listener([](Channel& channel) {
    std::unique_ptr<Node> node;
    std::shared_ptr<Subscription<Report>> subscription;
    const std::string said = standard_error_of([&] {
      node = std::make_unique<Node>("listener");
      subscription = node->create_subscription<Report>("/machine", QoS(50));
      const auto second = node->create_publisher<Report>("/unread", QoS(1));
      WaitSet waits;
      waits.add(*subscription);
      channel.say("ready");
      std::uint64_t last = 0;
      while (last < 100 && waits.wait(patience)) last = take_all(*subscription, last);
      require(last == 100, "all messages wake the listener; the last was " + std::to_string(last));
    });
    require(subscription->lost_count() == 0, "none is lost");
    require(count_of(said, "no message queue /new_publisher@") == 1,
            "one warning says so: " + said);
    channel.say("all well");
  });
  require(listener.hear() == "ready", "a listener");
  Talker talker;
  for (int i = 0; i < 4; ++i) {
    require(talker.publish(25) == "published", "published");
    require(eventually([&] { return talker.retained() == 0; }), "all is read and freed");
  }
  const std::string said = listener.hear();
  require(said == "all well", said);
  talker.process().kill();  // deaths are noticed without queues, too
  require(listener.wait() == 0, "the listener ends");
}

TEST_F(Limits, OnFileSizeBelowTheRegistryIsAnErrorAndNoSignal)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_FSIZE, 1'000'000);
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(contains(outcome, {"Error", "registry", "ulimit -f unlimited"})),
            outcome);
    set_limit(RLIMIT_FSIZE, RLIM_INFINITY);
    const std::string again = outcome_of_joining();
    require(again == "nothing thrown", again);
  });
}

TEST_F(Limits, OnFileSizeBelowTheMempoolIsAnErrorAndNoSignal)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_FSIZE, 34'000'000);
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "100000000", 1);
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(contains(
              outcome, {"ResourceError", "area", "ulimit -f unlimited", "AGNOCAST_MEMPOOL_SIZE"})),
            outcome);
  });
}

TEST_F(Limits, OnFileSizeThatComesLaterIsAnErrorAndNoSignal)
{
  EXPECT_ALL_WELL([] {
    Node node("limited");
    auto publisher = node.create_publisher<Report>("/machine", QoS(5));
    auto subscription = node.create_subscription<Report>("/machine", QoS(5));
    set_limit(RLIMIT_FSIZE, 4096);
    publish_report(*publisher, 1);
    auto message = subscription->take();
    require(message && is_whole(*message, 1), "what there was works on");
    const std::string outcome =
      outcome_of([&] { static_cast<void>(node.create_publisher<Report>("/new", QoS(5))); });
    require(static_cast<bool>(contains(outcome, {"RegistryError", "ulimit -f unlimited"})),
            outcome);
    // The heap grows in a file that is there already.
    publish_report(*publisher, 2, 2'000'000);
    message = subscription->take();
    require(message && is_whole(*message, 2, 2'000'000), "the heap grows");
  });
}

TEST_F(Limits, OnAddressSpaceNamesTheWindowAndASmallerOneServes)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_AS, rlim_t{8} << 30);
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(
              contains(outcome, {"ResourceError", "window", "ulimit -v", "AGNOCAST_WINDOW"})),
            outcome);
    ::setenv("AGNOCAST_WINDOW", "0x550000000000:0x40000000:0x4000000", 1);
    const std::string again = outcome_of_joining();
    require(again == "nothing thrown", again);
  });
}

TEST_F(Limits, OnAddressSpaceThatIsReachedLaterDelaysPeersAndKillsNobody)
{
  EXPECT_ALL_WELL([] {
    Talker early;
    Process limited([](Channel& channel) {
      Node node("limited");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      require(eventually([&] { return subscription->publisher_count() == 1; }), "the early one");
      // No mapping can be made any more; the C library still has a little memory.
      ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
      ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
      std::vector<char>(8'000'000, 'x').clear();
      set_limit(RLIMIT_AS, 1);
      channel.say("limited");
      std::uint64_t last = 0;
      await_number(*subscription, last, 10);
      channel.say("early");
      channel.hear();
      require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
      set_limit(RLIMIT_AS, RLIM_INFINITY);
      last = 0;
      await_number(*subscription, last, 5);
      require(subscription->lost_count() == 0, "none is lost");
      channel.say("late");
    });
    require(limited.hear() == "limited", "a limited listener");
    require(early.publish(10) == "published", "published");
    require(limited.hear() == "early", "peers that were here are heard");
    Talker late;
    require(late.publish(5) == "published", "published");
    early.process().kill();
    limited.say("killed");
    const std::string said = limited.hear();
    require(said == "late", "the late one is heard once there is room: " + said);
    late.leave();
    require(limited.wait() == 0, "and all ends in order");
  });
}

TEST_F(Limits, OnDescriptorsAtJoinIsAnErrorAndJoiningWorksLater)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_NOFILE, 64);
    AllDescriptors all;
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(
              contains(outcome, {"Error", "/dev/shm", "too many open files", "ulimit -n"})),
            outcome);
    all.clear();
    const std::string again = outcome_of_joining();
    require(again == "nothing thrown", again);
  });
}

TEST_F(Limits, OnDescriptorsWhenAPeerComesDelaysItUntilThereAreSomeAgain)
{
  EXPECT_ALL_WELL([] {
    Process limited([](Channel& channel) {
      set_limit(RLIMIT_NOFILE, 64);
      Node node("limited");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      auto unread = node.create_publisher<Report>("/unread", QoS(5));
      const auto descriptors = open_descriptors();
      AllDescriptors all;
      channel.say("limited");
      channel.hear();
      require(!subscription->take(), "it cannot be read yet");
      const std::string refused =
        outcome_of([&] { static_cast<void>(node.create_publisher<Report>("/new", QoS(1))); });
      require(static_cast<bool>(contains(refused, {"Error", "too many open files", "ulimit -n"})),
              refused);
      all.clear();
      std::uint64_t last = 0;
      await_number(*subscription, last, 5);
      require(subscription->lost_count() == 0, "from the first message on");
      channel.say("connected");
      channel.hear();
      require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
      require(eventually([&] { return open_descriptors() == descriptors; }), "none is kept");
      channel.say("all well");
    });
    require(limited.hear() == "limited", "a limited listener");
    Talker talker;
    require(talker.publish(5) == "published", "published");
    limited.say("published");
    std::string said = limited.hear();
    require(said == "connected", said);
    talker.process().kill();
    limited.say("killed");
    said = limited.hear();
    require(said == "all well", said);
  });
}

TEST_F(Limits, OnDescriptorsDoNotHideADeathFromTheControlThread)
{
  EXPECT_ALL_WELL([] {
    Talker talker;
    Process limited([](Channel& channel) {
      set_limit(RLIMIT_NOFILE, 64);
      Node node("limited");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      AllDescriptors all;
      channel.say("limited");
      channel.hear();
      all.clear();
      require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
      channel.say("all well");
    });
    require(limited.hear() == "limited", "a limited listener");
    const pid_t victim = talker.process().pid();
    talker.process().kill();
    limited.say("killed");
    const std::string said = limited.hear();
    require(said == "all well", said);
    require(eventually([&] { return remains_of(victim).empty(); }), "its objects are removed");
  });
}

TEST_F(Limits, OnDescriptorsWhenAnEndpointGoesLeavesNoGhost)
{
  EXPECT_ALL_WELL([] {
    Process limited([](Channel& channel) {
      set_limit(RLIMIT_NOFILE, 64);
      Node node("limited");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50).keep_all(10));
      auto publisher = node.create_publisher<Report>("/other", QoS(1));
      channel.say("ready");
      channel.hear();
      AllDescriptors all;
      subscription.reset();
      publisher.reset();
      channel.say("gone");
      channel.hear();
      all.clear();
      channel.say("free");
      channel.hear();
    });
    require(limited.hear() == "ready", "a subscription");
    Node node("talker");
    PublisherOptions options;
    options.keep_all_timeout = std::chrono::milliseconds(20);
    auto publisher = node.create_publisher<Report>("/machine", QoS(1).keep_all(10), options);
    auto other = node.create_subscription<Report>("/other", QoS(1));
    require(eventually([&] { return other->publisher_count() == 1; }), "its publisher");
    limited.say("go");
    require(limited.hear() == "gone", "the subscription is destroyed");
    limited.say("go");
    require(limited.hear() == "free", "descriptors are free again");
    require(eventually([&] { return publisher->subscription_count() == 0; }),
            "no ghost subscribes");
    require(eventually([&] { return other->publisher_count() == 0; }), "no ghost publishes");
    for (std::uint64_t i = 1; i <= 50; ++i) {
      auto loan = publisher->borrow_loaned_message();
      fill(*loan, i);
      require(publisher->publish(std::move(loan)) == PublishStatus::published, "nobody blocks");
    }
    limited.say("end");
    require(limited.wait() == 0, "and it ends in order");
  });
}

TEST_F(Limits, OnQueueBytesOnlyDelayTheFirstMapping)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_MSGQUEUE, 0);
    exchange_without_queues();
  });
}

// Nobody can tell the sleeper that a publisher has come, but by waking it.
TEST_F(Limits, OnMessageQueuesLoseNoMessageOfAPublisherThatGoesAtOnce)
{
  EXPECT_ALL_WELL([] {
    set_limit(RLIMIT_MSGQUEUE, 0);
    Process listener([](Channel& channel) {
      Node node("listener");
      const auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      WaitSet waits;
      waits.add(*subscription);
      channel.say("ready");
      std::uint64_t last = 0;
      while (last < 20 && waits.wait(patience)) {
        while (const auto message = subscription->take()) {
          require(message->number == last + 1, "in their order, after " + std::to_string(last));
          last = message->number;
          channel.say(std::to_string(last));
        }
      }
      channel.hear();
    });
    require(listener.hear() == "ready", "a listener");
    Node node("talker");
    for (std::uint64_t i = 1; i <= 20; ++i) {
      // The other's patience with one that does not connect is per process: it must connect.
      auto publisher = node.create_publisher<Report>("/machine", QoS(1));
      publish_report(*publisher, i);
      publisher.reset();
      const std::string said = listener.hear();
      require(said == std::to_string(i), "message " + std::to_string(i) + " comes: " + said);
    }
    listener.say("end");
    require(listener.wait() == 0, "the listener ends");
  });
}

TEST_F(Limits, OnTheNumberOfQueuesOnlyDelayTheFirstMapping)
{
  EXPECT_ALL_WELL([] {
    enter_namespaces(CLONE_NEWNS | CLONE_NEWIPC);
    std::ofstream("/proc/sys/fs/mqueue/queues_max") << "1";
    become_ordinary();  // who may ignore it does
    std::string number;
    std::ifstream("/proc/sys/fs/mqueue/queues_max") >> number;
    if (number != "1") throw Cannot("queues_max of an ipc namespace cannot be set");
    const mqd_t taken = ::mq_open("/taken", O_RDWR | O_CREAT | O_CLOEXEC, 0600, nullptr);
    require(taken >= 0, "the one queue");
    exchange_without_queues();
    ::mq_close(taken);
    ::mq_unlink("/taken");
  });
}

TEST_F(Limits, WithoutAnyQueueInTheKernelOnlyDelayTheFirstMapping)
{
  EXPECT_ALL_WELL([] {
    refuse_system_call(SYS_mq_open, ENOSYS);
    refuse_system_call(SYS_mq_unlink, ENOSYS);
    exchange_without_queues();
  });
}

TEST_F(Limits, OnThreadsAtJoinIsAnErrorThatSaysSo)
{
  EXPECT_ALL_WELL([] {
    // The way every C library makes a thread; a limit of the user would hit the whole machine.
    refuse_system_call(SYS_clone, EAGAIN);
    refuse_system_call(SYS_clone3, EAGAIN);
    const std::string outcome = outcome_of_joining();
    require(static_cast<bool>(contains(outcome, {"ResourceError", "control thread", "ulimit -u"})),
            outcome);
    require(remains_of(::getpid()).empty(), "nothing is left: " + remains_of(::getpid()));
  });
}

TEST_F(Limits, OnThreadStacksOfSixtyFourKilobytesAreEnough)
{
  EXPECT_ALL_WELL([] {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    require(::pthread_attr_setstacksize(&attributes, 65536) == 0 &&
              ::pthread_setattr_default_np(&attributes) == 0,
            "stacks of 64 KiB, as by ulimit -s");
    Node node("small");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    Talker talker;
    require(talker.publish(20) == "published", "published");
    std::uint64_t last = 0;
    await_number(*subscription, last, 20);
    talker.process().kill();
    require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
  });
}

}  // namespace
}  // namespace agnocast::test

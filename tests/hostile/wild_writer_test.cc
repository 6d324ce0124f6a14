// An attacker who writes where all who may join can write: doorbells, queues and the registry.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "hostile/attacker.hpp"

namespace agnocast::test {
namespace {

class WildWriter : public ForcefulTest
{
};

// A reader that sleeps until each message comes, and a publisher that waits for each to be taken.
struct Pair
{
  Process reader;
  Process publisher;

  explicit Pair(std::chrono::seconds limit = patience)
    : reader([=](Channel& channel) {
        Node node("reader");
        auto subscription = node.create_subscription<Flat>("/to", QoS(10));
        auto answer = node.create_publisher<Flat>("/from", QoS(10));
        WaitSet wait_set;
        wait_set.add(*subscription);
        channel.say(std::to_string(answer->id()));
        const std::uint64_t publisher_id = std::stoull(channel.hear().value());
        const std::uint64_t count = std::stoull(channel.hear().value());
        channel.say(receive_in_order(
          *subscription, wait_set, publisher_id, 1, count,
          [&](std::uint64_t number) { publish_flat(*answer, number); }, limit));
        channel.hear();
      }),
      publisher([=](Channel& channel) {
        Node node("publisher");
        auto publisher_ = node.create_publisher<Flat>("/to", QoS(10));
        auto answers = node.create_subscription<Flat>("/from", QoS(10));
        WaitSet wait_set;
        wait_set.add(*answers);
        channel.say(std::to_string(publisher_->id()));
        const std::uint64_t reader_id = std::stoull(channel.hear().value());
        const std::uint64_t count = std::stoull(channel.hear().value());
        std::string outcome = "in order";
        for (std::uint64_t i = 1; i <= count && outcome == "in order"; ++i) {
          publish_flat(*publisher_, i);
          outcome = receive_in_order(*answers, wait_set, reader_id, i, i, {}, limit);
        }
        channel.say(outcome);
        channel.hear();
      })
  {
    const std::string reader_id = reader.hear();
    reader.say(publisher.hear());
    publisher.say(reader_id);
  }
  void start(int count)
  {
    for (Process* process : {&reader, &publisher}) process->say(std::to_string(count));
  }
  void expect_all()
  {
    EXPECT_EQ(reader.hear(), "in order");
    EXPECT_EQ(publisher.hear(), "in order");
    for (Process* process : {&reader, &publisher}) {
      process->say("leave");
      EXPECT_EQ(process->wait(), 0);
    }
  }
};

TEST_F(WildWriter, RandomDoorbellsHangNobody)
{
  Pair pair;
  Process vandal([&](Channel& channel) {
    std::byte* const bells[] = {map_for_attack(doorbell_path(pair.reader.pid()), AGNOCAST_PAGE),
                                map_for_attack(doorbell_path(pair.publisher.pid()), AGNOCAST_PAGE)};
    Garbage garbage(5);
    channel.say("writing");
    for (;;) {
      for (std::byte* bell : bells) {
        write_word(bell, garbage.below(64) / 8 * 8, garbage.value(nullptr));
      }
    }
  });
  ASSERT_EQ(vandal.hear(), "writing");
  pair.start(2000);
  pair.expect_all();
  vandal.kill();
}

TEST_F(WildWriter, DoorbellsThatAreSetBackAfterEachRingMakeWakeUpsLateAndNoMore)
{
  Pair pair;
  Process vandal([&](Channel& channel) {
    std::byte* const bells[] = {map_for_attack(doorbell_path(pair.reader.pid()), AGNOCAST_PAGE),
                                map_for_attack(doorbell_path(pair.publisher.pid()), AGNOCAST_PAGE)};
    channel.say("writing");
    for (;;) {
      for (std::byte* bell : bells) {
        for (std::uint64_t word = 0; word < 8; ++word) write_word(bell, word * 8, 0);
      }
    }
  });
  ASSERT_EQ(vandal.hear(), "writing");
  pair.start(500);
  pair.expect_all();
  vandal.kill();
}

TEST_F(WildWriter, AQueueFullOfGarbageDisturbsNobody)
{
  Pair pair;
  Process vandal([&](Channel& channel) {
    mqd_t queues[2];
    const pid_t pids[] = {pair.reader.pid(), pair.publisher.pid()};
    for (int i = 0; i < 2; ++i) {
      const std::string name = "/new_publisher@" + std::to_string(pids[i]);
      queues[i] = ::mq_open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      require(queues[i] >= 0, "a queue");
    }
    Garbage garbage(6);
    channel.say("writing");
    for (std::uint64_t sent = 0;; ++sent) {
      std::uint64_t words[6];
      for (auto& word : words) word = garbage.value(nullptr);
      if (sent % 2 == 0) words[0] = AGNOCAST_ANNOUNCEMENT_MAGIC;
      for (const mqd_t queue : queues) {
        ::mq_send(queue, reinterpret_cast<const char*>(words), garbage.below(sizeof words + 1), 0);
      }
    }
  });
  ASSERT_EQ(vandal.hear(), "writing");
  pair.start(1000);
  // A newcomer is found although no announcement fits into the queues.
  EXPECT_EQ(in_process([] { return outcome_of_joining("/late"); }), "nothing thrown");
  pair.expect_all();
  vandal.kill();
}

TEST_F(WildWriter, ARegistryThatIsWrittenAtRandomEndsNobodysProcess)
{
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Pair pair(std::chrono::seconds(2));
    std::vector<std::unique_ptr<Process>> joiners;
    Process vandal([&](Channel& channel) {
      const int fd = open_for_attack(registry_path());
      Garbage garbage(seed);
      channel.say("writing");
      for (;;) {
        const std::uint64_t word = garbage.value(nullptr);
        std::uint64_t offset = offsetof(agnocast_registry, processes) + garbage.below(8 * 128);
        switch (garbage.below(4)) {
          case 0:
            offset = offsetof(agnocast_registry, endpoints) + garbage.below(16 * 320);
            break;
          case 1:
            offset = offsetof(agnocast_registry, topics) + garbage.below(8 * 576);
            break;
          case 2:  // behind the window, which would be noticed at once
            offset = 40 + garbage.below(48);
            break;
          default:
            break;
        }
        require(::pwrite(fd, &word, 8, static_cast<off_t>(offset / 8 * 8)) == 8, "a write");
      }
    });
    ASSERT_EQ(vandal.hear(), "writing");
    pair.start(300);
    for (int i = 0; i < 3; ++i) {
      joiners.push_back(std::make_unique<Process>([](Channel& channel) {
        channel.say("started");
        for (int n = 0; n < 20; ++n) {
          // Any error is right, but an error.
          static_cast<void>(outcome_of([] {
            Node node("joiner");
            auto publisher = node.create_publisher<Flat>("/to", QoS(1));
            auto subscription = node.create_subscription<Flat>("/from", QoS(1));
            publish_flat(*publisher, 1);
            static_cast<void>(subscription->take());
          }));
        }
      }));
      ASSERT_EQ(joiners.back()->hear(), "started");
    }
    for (auto& joiner : joiners) EXPECT_EQ(joiner->wait(), 0);
    vandal.kill();
    // What the pair gets is the vandal's choice; that it lives is not.
    for (Process* process : {&pair.reader, &pair.publisher}) {
      EXPECT_NE(process->hear(), "<nothing>");
      process->say("leave");
      EXPECT_EQ(process->wait(), 0);
    }
    ::unlink(registry_path().c_str());
    // Names that the processes could not remove under a registry in ruins.
    for (const auto& joiner : joiners) ::unlink(area_path(joiner->pid()).c_str());
    EXPECT_EQ(in_process([] { return outcome_of_joining(); }), "nothing thrown");
  }
}

TEST_F(WildWriter, ALockOnTheRegistryThatIsNeverGivenBackIsAnErrorThatNamesItsHolder)
{
  Process keeper([](Channel& channel) {
    const std::string path = registry_path() + ".lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    require(::fcntl(fd, F_SETLK, &lock) == 0, "the lock");
    channel.say("locked");
    channel.hear();
    ::unlink(path.c_str());
  });
  ASSERT_EQ(keeper.hear(), "locked");
  const std::string said = in_process([] { return outcome_of_joining(); });
  EXPECT_TRUE(contains(said, {"RegistryError", registry_path(), "keeps its lock",
                              "process " + std::to_string(keeper.pid())}));
  keeper.say("leave");
  EXPECT_EQ(keeper.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

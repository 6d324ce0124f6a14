// A peer that writes any value into its own area while others publish to it and take from it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "hostile/attacker.hpp"

namespace agnocast::test {
namespace {

class WildPeer : public ForcefulTest
{
};

constexpr std::uint64_t message_count = 3000;

// Joins, takes part in all topics, then writes garbage into its own control part until it is ended.
std::unique_ptr<Process> wild_process(std::uint64_t seed, bool spare_header)
{
  return std::make_unique<Process>([=](Channel& channel) {
    Node node("wild_" + std::to_string(seed));
    auto publisher = node.create_publisher<Flat>("/shared", QoS(16));
    auto back = node.create_publisher<Flat>("/acknowledged", QoS(16));
    auto reader = node.create_subscription<Flat>("/shared", QoS(10).keep_all(10));
    auto other = node.create_subscription<Flat>("/acknowledged", QoS(10));
    auto reports = node.create_subscription<Report>("/reports", QoS(10));
    for (std::uint64_t i = 1; i <= 20; ++i) {
      publish_flat(*publisher, i);
      publish_flat(*back, i);
    }
    channel.say("joined");
    channel.hear();  // the others are connected
    static_cast<void>(reader->take());
    std::byte* const own = area_address(::getpid());
    std::byte* const writable = map_for_attack(area_path(::getpid()), AGNOCAST_GUARD);
    Garbage garbage(seed);
    channel.say("writing");
    for (std::uint64_t written = 0;; ++written) {
      std::uint64_t offset = AGNOCAST_CONTROL + garbage.below(0x6000) / 8 * 8;
      if (written % 64 == 0) offset = AGNOCAST_WAITERS_OFFSET + garbage.below(0x400) / 8 * 8;
      if (written % 4096 == 0 && !spare_header) offset = garbage.below(192) / 8 * 8;
      write_word(writable, offset, garbage.value(own));
    }
  });
}

// Publishes numbers, at most 50 ahead of what the healthy reader has acknowledged.
std::unique_ptr<Process> healthy_publisher()
{
  return std::make_unique<Process>([](Channel& channel) {
    Node node("publisher");
    auto publisher = node.create_publisher<Flat>("/shared", QoS(100));
    auto reports = node.create_publisher<Report>("/reports", QoS(100));
    channel.say(std::to_string(publisher->id()));
    const std::uint64_t reader = std::stoull(channel.hear().value());
    auto acknowledged = node.create_subscription<Flat>("/acknowledged", QoS(100));
    channel.say("connected");
    channel.hear();
    WaitSet wait_set;
    wait_set.add(*acknowledged);
    const auto batch = message_count / 30;
    std::string outcome = "in order";
    for (std::uint64_t i = 1; i <= message_count && outcome == "in order"; ++i) {
      publish_flat(*publisher, i);
      publish_report(*reports, i, 50);
      if (i % batch != 0) continue;
      outcome = receive_in_order(*acknowledged, wait_set, reader, i / batch, i / batch);
    }
    channel.say(outcome);
    channel.hear();  // the wild one is dead
    const bool is_level = eventually([&] {
      return publisher->reclaim() + reports->reclaim() == 0 && publisher->retained_count() == 0 &&
             reports->retained_count() == 0;
    });
    channel.say(is_level ? "nothing retained"
                         : std::to_string(publisher->retained_count()) + " retained");
    channel.hear();
  });
}

std::unique_ptr<Process> healthy_reader()
{
  return std::make_unique<Process>([](Channel& channel) {
    const Complaints complaints;
    Node node("reader");
    auto acknowledge = node.create_publisher<Flat>("/acknowledged", QoS(100));
    channel.say(std::to_string(acknowledge->id()));
    const std::uint64_t publisher = std::stoull(channel.hear().value());
    auto subscription = node.create_subscription<Flat>("/shared", QoS(200));
    auto reports = node.create_subscription<Report>("/reports", QoS(200));
    channel.say("connected");
    channel.hear();
    WaitSet wait_set;
    wait_set.add(*subscription);
    const auto batch = message_count / 30;
    std::string outcome = receive_in_order(
      *subscription, wait_set, publisher, 1, message_count, [&](std::uint64_t number) {
        const auto report = await_message(*reports);
        require(report && is_whole(*report, number, 50), "report " + std::to_string(number));
        if (number % batch == 0) publish_flat(*acknowledge, number / batch);
      });
    channel.say(outcome);
    channel.say(std::to_string(complaints.count("agnocast: ")));
    channel.hear();
  });
}

void run(std::uint64_t seed, bool spare_header)
{
  auto publisher = healthy_publisher();
  auto reader = healthy_reader();
  const std::string publisher_id = publisher->hear();
  const std::string reader_id = reader->hear();
  publisher->say(reader_id);
  reader->say(publisher_id);
  ASSERT_EQ(publisher->hear(), "connected");
  ASSERT_EQ(reader->hear(), "connected");
  auto wild = wild_process(seed, spare_header);
  ASSERT_EQ(wild->hear(), "joined");
  wild->say("go");
  ASSERT_EQ(wild->hear(), "writing");
  reader->say("go");
  publisher->say("go");
  EXPECT_EQ(publisher->hear(), "in order");
  EXPECT_EQ(reader->hear(), "in order");
  EXPECT_LE(std::stoi(reader->hear()), 2) << "one process is complained of once";
  wild->kill();
  publisher->say("wild one is dead");
  EXPECT_EQ(publisher->hear(), "nothing retained");
  for (Process* process : {publisher.get(), reader.get()}) {
    process->say("leave");
    EXPECT_EQ(process->wait(), 0);
  }
}

TEST_F(WildPeer, OneThatWritesGarbageIntoItsRingsConnectionsAndWaitersDisturbsNobody)
{
  for (std::uint64_t seed = 1; seed <= 6; ++seed) run(seed, true);
}

TEST_F(WildPeer, OneThatWritesGarbageIntoItsHeaderTooDisturbsNobody)
{
  for (std::uint64_t seed = 11; seed <= 16; ++seed) run(seed, false);
}

// The connection of this process to a publisher, in its own area.
agnocast_connection* find_connection(std::byte* area, std::uint64_t publisher)
{
  for (std::uint64_t offset = AGNOCAST_CONTROL; offset < AGNOCAST_CONTROL + 0x10000; offset += 64) {
    auto* connection = reinterpret_cast<agnocast_connection*>(area + offset);
    if (connection->publisher_id == publisher) return connection;
  }
  return nullptr;
}

TEST_F(WildPeer, AStampOfTheFutureMakesItsPublisherTheOldestAndNotTheNewest)
{
  Process reader([](Channel& channel) {
    Node node("reader");
    auto subscription = node.create_subscription<Flat>("/stamped", QoS(10));
    channel.say("ready");
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      require(eventually([&] { return subscription->publisher_count() == 2; }), "two publishers");
      const auto message = subscription->take_latest();
      channel.say(message ? std::to_string(message->number) : "nothing");
    }
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process liar([](Channel& channel) {
    Node node("liar");
    auto publisher = node.create_publisher<Flat>("/stamped", QoS(10));
    publish_flat(*publisher, 1);
    std::byte* const area = map_for_attack(area_path(::getpid()), AGNOCAST_GUARD);
    std::uint64_t entries = 0;
    for (std::uint64_t at = AGNOCAST_CONTROL; at < AGNOCAST_CONTROL + 0x10000; at += 64) {
      const auto* ring = reinterpret_cast<const agnocast_ring*>(area + at);
      if (ring->publisher_id == publisher->id()) entries = ring->entries;
    }
    require(entries != 0, "a ring");
    const std::uint64_t first = entries / 64 * 64 + sizeof(agnocast_ring_entry);
    write_word(area, first + offsetof(agnocast_ring_entry, stamp_ns), ~std::uint64_t{0} >> 1);
    channel.say("lied");
    channel.hear();
  });
  ASSERT_EQ(liar.hear(), "lied");
  Process honest([](Channel& channel) {
    Node node("honest");
    auto publisher = node.create_publisher<Flat>("/stamped", QoS(10));
    publish_flat(*publisher, 2);
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(honest.hear(), "published");
  reader.say("take");
  EXPECT_EQ(reader.hear(), "2");
  for (Process* process : {&reader, &liar, &honest}) {
    process->say("leave");
    EXPECT_EQ(process->wait(), 0);
  }
}

TEST_F(WildPeer, HoldsPinNoMoreThanTheConnectionsCapacityHoweverManyAreClaimed)
{
  Process publisher([](Channel& channel) {
    Node node("publisher");
    auto publisher_ = node.create_publisher<Flat>("/pinned", QoS(5));
    channel.say(std::to_string(publisher_->id()));
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      for (std::uint64_t i = 1; i <= 500; ++i) publish_flat(*publisher_, i);
      publisher_->reclaim();
      channel.say(std::to_string(publisher_->retained_count()));
    }
  });
  const std::string id = publisher.hear();
  Process liar([&](Channel& channel) {
    Node node("liar");
    auto subscription = node.create_subscription<Flat>("/pinned", QoS(1), SubscriptionOptions{8});
    std::byte* const area = map_for_attack(area_path(::getpid()), AGNOCAST_GUARD);
    auto* connection = find_connection(area, std::stoull(id));
    require(connection != nullptr && connection->holds_capacity == 8, "a connection");
    channel.say("connected");
    channel.hear();
    const auto offset =
      static_cast<std::uint64_t>(reinterpret_cast<std::byte*>(connection) - area) + 32;
    for (std::uint64_t i = 0; i < 400; ++i) write_word(area, offset + 8 * i, 501 + i);
    __atomic_store_n(&connection->holds_end, ~0u, __ATOMIC_SEQ_CST);
    channel.say("lying");
    channel.hear();
  });
  ASSERT_EQ(liar.hear(), "connected");
  publisher.say("publish");  // now the publisher has looked at the connection
  EXPECT_LE(std::stoi(publisher.hear()), 5);
  liar.say("lie");
  ASSERT_EQ(liar.hear(), "lying");
  publisher.say("publish");
  const int pinned = std::stoi(publisher.hear());
  EXPECT_LE(pinned, 5 + 8);
  EXPECT_GE(pinned, 8);
  liar.kill();
  publisher.say("publish");
  EXPECT_LE(std::stoi(publisher.hear()), 5) << "the holds of the dead count for nothing";
  publisher.say("leave");
  EXPECT_EQ(publisher.wait(), 0);
}

TEST_F(WildPeer, AHeadBeyondTheEntriesDoesNotKeepItsReadersAwake)
{
  Process liar([&](Channel& channel) {
    Node node("liar");
    auto publisher = node.create_publisher<Flat>("/ahead", QoS(10));
    publish_flat(*publisher, 1);
    channel.say("published");
    channel.hear();
    std::byte* const area = map_for_attack(area_path(::getpid()), AGNOCAST_GUARD);
    int changed = 0;
    for (std::uint64_t at = AGNOCAST_CONTROL; at < AGNOCAST_CONTROL + 0x10000; at += 64) {
      auto* ring = reinterpret_cast<agnocast_ring*>(area + at);
      if (ring->publisher_id != publisher->id() || ring->head != 1) continue;
      __atomic_store_n(&ring->head, std::uint64_t{1000}, __ATOMIC_SEQ_CST);
      ++changed;
    }
    require(changed == 1, "its ring is found");
    channel.say("lying");
    channel.hear();
  });
  ASSERT_EQ(liar.hear(), "published");
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    int got = 0;
    const auto spun = node->create_subscription<Flat>(
      "/ahead", QoS(10), [&](const Subscription<Flat>::MessagePtr&) { ++got; });
    const auto waited = node->create_subscription<Flat>("/ahead", QoS(10));
    const auto polled = node->create_subscription<Flat>("/ahead", QoS(10));
    WaitSet wait_set;
    wait_set.add(*waited);
    channel.say("ready");
    channel.hear();
    for (int i = 0; i < 3; ++i) {
      require(!spin_once(node, std::chrono::milliseconds(5)), "nothing to run");
      require(!wait_set.wait(std::chrono::milliseconds(5)), "nothing to wake for");
      require(!waited->has_message() && !waited->take(), "nothing to take");
      require(!polled->take() && !polled->take_latest(), "nothing to poll");
    }
    const auto honest = node->create_publisher<Flat>("/ahead", QoS(10));
    publish_flat(*honest, 7);
    require(spin_once(node, patience) && got == 1, "another publisher is heard");
    require(wait_set.wait(patience) && waited->take()->number == 7, "by this one too");
    require(polled->take()->number == 7, "and by this one");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  liar.say("lie");
  ASSERT_EQ(liar.hear(), "lying");
  reader.say("look");
  EXPECT_EQ(reader.hear(), "done");
  EXPECT_EQ(reader.wait(), 0);
  liar.kill();
}

TEST_F(WildPeer, ACursorThatNeverMovesCostsAKeepAllPublisherItsTimeoutAndNoMore)
{
  Process publisher([](Channel& channel) {
    Node node("publisher");
    auto publisher_ = node.create_publisher<Flat>(
      "/stuck", QoS(4).keep_all(4), PublisherOptions{std::chrono::milliseconds(20), true});
    channel.say(std::to_string(publisher_->id()));
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      int timed_out = 0;
      for (std::uint64_t i = 1; i <= 20; ++i) {
        timed_out += publish_flat(*publisher_, i) == PublishStatus::timed_out;
      }
      channel.say(std::to_string(timed_out));
    }
  });
  const std::string id = publisher.hear();
  Process liar([&](Channel& channel) {
    Node node("liar");
    auto subscription = node.create_subscription<Flat>("/stuck", QoS(4).keep_all(4));
    std::byte* const area = map_for_attack(area_path(::getpid()), AGNOCAST_GUARD);
    auto* connection = find_connection(area, std::stoull(id));
    require(connection != nullptr, "a connection");
    __atomic_store_n(&connection->cursor, std::uint64_t{0}, __ATOMIC_SEQ_CST);
    channel.say("lying");
    channel.hear();
  });
  ASSERT_EQ(liar.hear(), "lying");
  publisher.say("publish");
  EXPECT_GE(std::stoi(publisher.hear()), 16);
  liar.kill();
  publisher.say("publish");
  EXPECT_EQ(publisher.hear(), "0");
  publisher.say("leave");
  EXPECT_EQ(publisher.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

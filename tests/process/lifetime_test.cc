// How long messages live: freed as early as nobody needs them, and kept for as long as somebody
// holds them, whatever else is gone.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Document
{
  std::string title;
  std::vector<std::vector<std::uint32_t>> pages;
};

void fill(Document& document, std::uint32_t number)
{
  document.title = "a title too long for the string object, of document " + std::to_string(number);
  for (std::uint32_t page = 0; page < 20; ++page) {
    document.pages.emplace_back(1000, number * 1000 + page);
  }
}

void check(const Document& document, std::uint32_t number)
{
  Document expected;
  fill(expected, number);
  require(document.title == expected.title && document.pages == expected.pages,
          "the content of document " + std::to_string(number));
}

void publish(Publisher<Document>& publisher, std::uint32_t number)
{
  auto message = publisher.borrow_loaned_message();
  fill(*message, number);
  publisher.publish(std::move(message));
}

/// Publishes documents 1, 2, … when it hears "publish"; says retained_count() when it hears "count"
/// after it has become what is said, or the wrong one.
void serve_documents(Channel& channel, const QoS& qos)
{
  const auto node = std::make_shared<Node>("library");
  auto publisher = node->create_publisher<Document>("/documents", qos);
  channel.say("ready");
  std::uint32_t number = 0;
  while (const auto line = channel.hear()) {
    if (*line == "end") return;
    if (*line == "publish") {
      publish(*publisher, ++number);
      channel.say("published");
    } else if (*line == "destroy") {
      publisher.reset();
      channel.say("destroyed");
    } else {
      const std::size_t wanted = std::stoul(*line);
      eventually([&] { return publisher->retained_count() == wanted; }, std::chrono::seconds(10));
      channel.say(std::to_string(publisher->retained_count()));
    }
  }
}

void tell(Process& process, const std::string& line, const std::string& answer)
{
  process.say(line);
  ASSERT_EQ(process.hear(), answer);
}

void end(Process& process)
{
  process.say("end");
  EXPECT_EQ(process.wait(), 0);
}

TEST(EarlyReclaim, FreesAMessageThatAllHaveReadWithoutAnotherPublish)
{
  const auto read_and_hold = [](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Document>("/documents", QoS(10));
    channel.say("ready");
    channel.hear();
    auto message = subscription->take();
    check(*message, 1);
    channel.say("holding");
    channel.hear();
    check(*message, 1);
    message.reset();
    channel.say("released");
    channel.hear();
  };
  Process first(read_and_hold);
  ASSERT_EQ(first.hear(), "ready");
  Process second(read_and_hold);
  ASSERT_EQ(second.hear(), "ready");
  Process library([](Channel& channel) { serve_documents(channel, QoS(10)); });
  ASSERT_EQ(library.hear(), "ready");
  ASSERT_NO_FATAL_FAILURE(tell(library, "publish", "published"));
  ASSERT_NO_FATAL_FAILURE(tell(first, "take", "holding"));
  ASSERT_NO_FATAL_FAILURE(tell(library, "1", "1"));  // the second has not read it
  ASSERT_NO_FATAL_FAILURE(tell(second, "take", "holding"));
  ASSERT_NO_FATAL_FAILURE(tell(first, "release", "released"));
  ASSERT_NO_FATAL_FAILURE(tell(library, "1", "1"));  // the second holds it
  ASSERT_NO_FATAL_FAILURE(tell(second, "release", "released"));
  ASSERT_NO_FATAL_FAILURE(tell(library, "0", "0"));
  for (Process* process : {&first, &second, &library}) end(*process);
}

TEST(EarlyReclaim, KeepsWhatALateTransientLocalSubscriptionWillGet)
{
  Process library([](Channel& channel) { serve_documents(channel, QoS(2).transient_local()); });
  ASSERT_EQ(library.hear(), "ready");
  const auto read_two = [](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription =
      node->create_subscription<Document>("/documents", QoS(2).transient_local());
    check(*subscription->take(), 2);
    check(*subscription->take(), 3);
    require(!subscription->take(), "no more");
    channel.say("done");
  };
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(tell(library, "publish", "published"));
  for (int i = 0; i < 3; ++i) {
    Process reader(read_two);
    EXPECT_EQ(reader.hear(), "done");
    EXPECT_EQ(reader.wait(), 0);
    ASSERT_NO_FATAL_FAILURE(tell(library, "2", "2"));
  }
  end(library);
}

struct CountsDestructions
{
  ~CountsDestructions() { ++destroyed; }
  static inline std::atomic<int> destroyed = 0;
  std::vector<int> content = std::vector<int>(1000, 1);
};

TEST(Reclaim, RunsEachDestructorOnceInThePublishersProcess)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    auto publisher = node->create_publisher<CountsDestructions>("/counted", 4);
    auto subscription = node->create_subscription<CountsDestructions>("/counted", QoS(4));
    auto& destroyed = CountsDestructions::destroyed;
    for (int i = 0; i < 10; ++i) publisher->publish(publisher->borrow_loaned_message());
    require(eventually([&] { return destroyed == 6; }), "those that fell out of retention");
    (void)publisher->borrow_loaned_message();
    require(destroyed == 7, "the dropped loan");
    auto held = subscription->take();
    subscription.reset();
    publisher.reset();
    require(eventually([&] { return destroyed == 10; }), "those that nobody can read any more");
    require(held->content == std::vector<int>(1000, 1), "what is held lives");
    held.reset();
    require(eventually([&] { return destroyed == 11; }), "the last one");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(Reclaim, OnRequestFreesAndSaysHowMany)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Document>("/documents", 10);
    const auto subscription = node->create_subscription<Document>("/documents", QoS(10));
    std::size_t freed = 0;
    for (std::uint32_t i = 1; i <= 5; ++i) publish(*publisher, i);
    require(publisher->reclaim() == 0 && publisher->retained_count() == 5, "all are unread");
    for (int i = 0; i < 5; ++i) {
      (void)subscription->take();
      freed += publisher->reclaim();
    }
    require(freed <= 5 && publisher->retained_count() == 0, "all are read and freed");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

enum class Ending { orderly, killed, stays, destroys_publisher };

/// A reader whose message outlives its subscription, its node and the publisher.
void a_handle_outlives(Ending how)
{
  Process reader([](Channel& channel) {
    ipc_shared_ptr<const Document> message;
    std::shared_ptr<const Document> standard;
    {
      const auto node = std::make_shared<Node>("reader");
      const auto by_callback = node->create_subscription<Document>(
        "/documents", QoS(1), [&](std::shared_ptr<const Document> m) { standard = std::move(m); });
      const auto subscription = node->create_subscription<Document>("/documents", QoS(1));
      channel.say("ready");
      channel.hear();
      message = subscription->take();
      spin_some(node);
    }
    require(message && standard.get() == message.get(), "both got it");
    check(*message, 1);
    channel.say("holding");
    channel.hear();
    for (int i = 0; i < 100; ++i) check(*message, 1);
    message.reset();
    check(*standard, 1);
    standard.reset();
    channel.say("released");
    channel.hear();
  });
  ASSERT_EQ(reader.hear(), "ready");
  std::optional<Process> library;
  library.emplace([](Channel& channel) { serve_documents(channel, QoS(1)); });
  ASSERT_EQ(library->hear(), "ready");
  ASSERT_NO_FATAL_FAILURE(tell(*library, "publish", "published"));
  ASSERT_NO_FATAL_FAILURE(tell(reader, "take", "holding"));
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(tell(*library, "publish", "published"));
  if (how == Ending::orderly) end(*library);
  if (how == Ending::killed) library->kill();
  if (how == Ending::destroys_publisher) {
    ASSERT_NO_FATAL_FAILURE(tell(*library, "destroy", "destroyed"));
  }
  // Others come and take what memory and which slot they get.
  for (int i = 0; i < 3; ++i) {
    Process other([](Channel& channel) { serve_documents(channel, QoS(1)); });
    ASSERT_EQ(other.hear(), "ready");
    ASSERT_NO_FATAL_FAILURE(tell(other, "publish", "published"));
    end(other);
  }
  ASSERT_NO_FATAL_FAILURE(tell(reader, "check", "released"));
  if (how == Ending::stays || how == Ending::destroys_publisher) end(*library);
  end(reader);
}

TEST(Handle, OutlivesItsSubscriptionAndNode)
{
  a_handle_outlives(Ending::stays);
}

TEST(Handle, OutlivesThePublisher)
{
  a_handle_outlives(Ending::destroys_publisher);
}

TEST(Handle, OutlivesThePublishersProcess)
{
  a_handle_outlives(Ending::orderly);
}

TEST(Handle, OutlivesThePublishersProcessThatWasKilled)
{
  a_handle_outlives(Ending::killed);
}

}  // namespace
}  // namespace agnocast::test

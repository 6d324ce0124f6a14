// spin(), spin_some() and spin_once(): every kind of callback, and every way to come back.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using namespace std::chrono_literals;

struct Letter
{
  int number;
  std::string text;
};

void send(Publisher<Letter>& publisher, int number)
{
  auto message = publisher.borrow_loaned_message();
  message->number = number;
  message->text = "a letter that does not fit into the string object: " + std::to_string(number);
  publisher.publish(std::move(message));
}

void check(const Letter& letter, int number)
{
  require(letter.number == number, "the next number");
  require(
    letter.text == "a letter that does not fit into the string object: " + std::to_string(number),
    "the text");
}

/// Each line is how many letters to send on /letters; "end" ends.
void send_on_command(Channel& channel)
{
  const auto node = std::make_shared<Node>("sender");
  const auto publisher = node->create_publisher<Letter>("/letters", 100);
  channel.say("ready");
  int number = 0;
  while (const auto line = channel.hear()) {
    if (*line == "end") return;
    for (int left = std::stoi(*line); left > 0; --left) send(*publisher, ++number);
    channel.say("sent");
  }
}

void tell(Process& process, const std::string& line, const std::string& answer)
{
  process.say(line);
  ASSERT_EQ(process.hear(), answer);
}

/// Runs `body` as the reader; it says "ready", then gets what a sender sent, `counts` at a time.
void with_sender(const std::function<void(Channel&)>& body, const std::vector<std::string>& counts)
{
  Process reader(body);
  ASSERT_EQ(reader.hear(), "ready");
  Process sender(send_on_command);
  ASSERT_EQ(sender.hear(), "ready");
  for (const std::string& count : counts) {
    ASSERT_NO_FATAL_FAILURE(tell(sender, count, "sent"));
    ASSERT_NO_FATAL_FAILURE(tell(reader, "sent", "ok"));
  }
  EXPECT_EQ(reader.wait(), 0);
  sender.say("end");
  EXPECT_EQ(sender.wait(), 0);
}

TEST(Callback, MayTakeTheMessageInAnyOfThreeWaysWithOrWithoutItsInfo)
{
  with_sender(
    [](Channel& channel) {
      const auto node = std::make_shared<Node>("reader");
      int calls = 0;
      std::vector<ipc_shared_ptr<const Letter>> kept;
      std::vector<std::shared_ptr<const Letter>> kept_standard;
      const auto a = node->create_subscription<Letter>("/letters", 10,
                                                       [&](const ipc_shared_ptr<const Letter>& m) {
                                                         check(*m, 1);
                                                         kept.push_back(m);
                                                         ++calls;
                                                       });
      const auto b =
        node->create_subscription<Letter>("/letters", 10, [&](ipc_shared_ptr<const Letter> m) {
          check(*m, 1);
          kept.push_back(std::move(m));
          ++calls;
        });
      const auto c =
        node->create_subscription<Letter>("/letters", 10, [&](std::shared_ptr<const Letter> m) {
          check(*m, 1);
          kept_standard.push_back(m);
          ++calls;
        });
      const auto with_info = [&](const Letter& letter, const MessageInfo& info) {
        check(letter, 1);
        require(info.sequence == 1 && info.publisher_id != 0, "the message's info");
        require(info.publish_time_ns != 0, "the publish time");
        ++calls;
      };
      const auto d = node->create_subscription<Letter>(
        "/letters", 10, [&](const ipc_shared_ptr<const Letter>& m, const MessageInfo& info) {
          with_info(*m, info);
        });
      const auto e = node->create_subscription<Letter>(
        "/letters", 10,
        [&](ipc_shared_ptr<const Letter> m, const MessageInfo& info) { with_info(*m, info); });
      const auto f = node->create_subscription<Letter>(
        "/letters", 10, [&](const std::shared_ptr<const Letter>& m, const MessageInfo& info) {
          with_info(*m, info);
        });
      const auto g = node->create_subscription<Letter>("/letters", 10, [&](const auto& m) {
        static_assert(std::is_same_v<decltype(m), const ipc_shared_ptr<const Letter>&>);
        check(*m, 1);
        ++calls;
      });
      channel.say("ready");
      channel.hear();
      spin_some(node);
      require(calls == 7, "each callback ran once");
      require(kept.size() == 2 && kept[0] == kept[1], "one message, not copies of it");
      require(kept_standard.at(0).get() == kept[0].get(), "at one address");
      require(a->held_count() == 1 && c->held_count() == 1, "what is kept is held");
      require(d->held_count() == 0 && f->held_count() == 0, "what is not kept is not held");
      kept_standard.clear();
      require(c->held_count() == 0, "released");
      channel.say("ok");
    },
    {"1"});
}

TEST(SpinSome, RunsTheCallbacksOfAllMessagesThatAreThereAndDoesNotWait)
{
  with_sender(
    [](Channel& channel) {
      const auto node = std::make_shared<Node>("reader");
      int next = 1;
      const auto subscription = node->create_subscription<Letter>(
        "/letters", 10, [&](const ipc_shared_ptr<const Letter>& m) { check(*m, next++); });
      spin_some(node);
      require(next == 1, "nothing yet");
      channel.say("ready");
      for (const int expected : {6, 7}) {
        channel.hear();
        spin_some(node);
        require(next == expected, "all that were there");
        spin_some(node);
        require(next == expected, "each once");
        channel.say("ok");
      }
    },
    {"5", "1"});
}

TEST(SpinOnce, RunsOneCallbackOrTimesOut)
{
  with_sender(
    [](Channel& channel) {
      const auto node = std::make_shared<Node>("reader");
      int next = 1;
      const auto subscription = node->create_subscription<Letter>(
        "/letters", 10, [&](const ipc_shared_ptr<const Letter>& m) { check(*m, next++); });
      require(!spin_once(node, 0ns), "nothing and no waiting");
      require(!spin_once(node, 5ms), "nothing within the time");
      channel.say("ready");
      channel.hear();
      require(spin_once(node, patience) && next == 2, "one");
      require(spin_once(node) && next == 3, "the second");
      require(spin_once(node, 0ns) && next == 4, "the third");
      require(!spin_once(node, 0ns) && next == 4, "no fourth");
      channel.say("ok");
    },
    {"3"});
}

TEST(SpinOnce, SleepsUntilAMessageComes)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    int next = 1;
    const auto subscription = node->create_subscription<Letter>(
      "/letters", 10, [&](const ipc_shared_ptr<const Letter>& m) { check(*m, next++); });
    channel.say("ready");
    for (int i = 0; i < 100; ++i) {
      require(spin_once(node, patience), "a message comes");
      channel.say("got");
    }
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process sender(send_on_command);
  ASSERT_EQ(sender.hear(), "ready");
  for (int i = 0; i < 100; ++i) {
    ASSERT_NO_FATAL_FAILURE(tell(sender, "1", "sent"));
    ASSERT_EQ(reader.hear(), "got");
  }
  EXPECT_EQ(reader.wait(), 0);
  sender.say("end");
  EXPECT_EQ(sender.wait(), 0);
}

/// Spins until the fifth message; `stop` is called by its callback.
void spin_until_the_fifth(Channel& channel, const std::function<void()>& stop,
                          const SpinOptions& options = {})
{
  init();
  require(ok(), "ok after init");
  const auto node = std::make_shared<Node>("reader");
  int next = 1;
  const auto subscription =
    node->create_subscription<Letter>("/letters", 10, [&](const ipc_shared_ptr<const Letter>& m) {
      check(*m, next++);
      if (next == 6) stop();
    });
  channel.say("ready");
  spin(node, options);
  require(next == 6 && !ok(), "five came, then the end");
  channel.hear();
  channel.say("ok");
}

TEST(Spin, ReturnsAfterShutdownInACallback)
{
  with_sender([](Channel& channel) { spin_until_the_fifth(channel, shutdown); }, {"5"});
}

TEST(Spin, DoesTheSameWhenItPollsBeforeItSleeps)
{
  with_sender(
    [](Channel& channel) {
      SpinOptions options;
      options.spin_for = 1ms;
      spin_until_the_fifth(channel, shutdown, options);
    },
    {"5"});
}

TEST(Spin, ReturnsAfterShutdownInAnotherThread)
{
  with_sender(
    [](Channel& channel) {
      std::thread stopper;
      spin_until_the_fifth(channel, [&] { stopper = std::thread([] { shutdown(); }); });
      stopper.join();
    },
    {"5"});
}

TEST(Spin, CanBeStartedAgainAfterShutdownAndInit)
{
  Process process([](Channel& channel) {
    for (int round = 0; round < 20; ++round) {
      init();
      const auto node = std::make_shared<Node>("reader");
      const auto subscription =
        node->create_subscription<Letter>("/letters", 1, [](const auto&) {});
      std::thread stopper([] { shutdown(); });
      spin(node);
      stopper.join();
      require(!ok(), "shut down");
      spin(node);  // returns at once
    }
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

// Who gets which messages: every combination of who is first, both depths, both durabilities and
// both ways of reading, with the exact sequences and the exact counts of lost messages.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

struct Text
{
  std::uint64_t number;
  std::string text;
};

QoS qos_of(std::size_t depth, bool transient)
{
  QoS qos(depth);
  return transient ? qos.transient_local() : qos;
}

std::string text_of(std::uint64_t number)
{
  return "message number " + std::to_string(number) + " with a text outside of the string object";
}

/// Each line it hears is how many to publish; it numbers them from 1 on.
void publish_on_command(Channel& channel, const QoS& qos)
{
  const auto node = std::make_shared<Node>("writer");
  const auto publisher = node->create_publisher<Text>("/matrix", qos);
  channel.say("ready");
  std::uint64_t number = 0;
  while (const auto line = channel.hear()) {
    if (*line == "end") return;
    for (int left = std::stoi(*line); left > 0; --left) {
      auto message = publisher->borrow_loaned_message();
      message->number = ++number;
      message->text = text_of(number);
      publisher->publish(std::move(message));
    }
    channel.say("published");
  }
}

std::string checked(const Text& message, const MessageInfo& info)
{
  require(message.text == text_of(message.number), "text belongs to number");
  require(info.sequence == message.number, "sequence counts from 1");
  return std::to_string(message.number) + " ";
}

/// Each line it hears makes it read all there is and say the numbers and the lost count.
void collect_on_command(Channel& channel, const QoS& qos, bool by_callback)
{
  const auto node = std::make_shared<Node>("reader");
  std::string found;
  Subscription<Text>::SharedPtr subscription;
  if (by_callback) {
    subscription = node->create_subscription<Text>(
      "/matrix", qos, [&](const ipc_shared_ptr<const Text>& message, const MessageInfo& info) {
        found += checked(*message, info);
      });
  } else {
    subscription = node->create_subscription<Text>("/matrix", qos);
  }
  channel.say("ready");
  while (const auto line = channel.hear()) {
    if (*line == "end") return;
    found.clear();
    if (by_callback) {
      spin_some(node);
    } else {
      while (const auto message = subscription->take()) found += checked(*message, message.info());
    }
    channel.say(found + "lost " + std::to_string(subscription->lost_count()));
  }
}

/// first..last and a count of lost ones, as the reader says it.
std::string numbers(std::size_t first, std::size_t last, std::size_t lost)
{
  std::string text;
  for (std::size_t number = first; number <= last; ++number) text += std::to_string(number) + " ";
  return text + "lost " + std::to_string(lost);
}

enum class First { publisher, subscription };

// Who is first, publisher depth, subscription depth, publisher and subscription transient_local,
// by callback.
using Combination = std::tuple<First, std::size_t, std::size_t, bool, bool, bool>;

class DeliveryMatrix : public testing::TestWithParam<Combination>
{
};

void tell(Process& process, const std::string& line, const std::string& answer)
{
  process.say(line);
  ASSERT_EQ(process.hear(), answer);
}

TEST_P(DeliveryMatrix, EverySubscriptionGetsExactlyWhatItsQosPromises)
{
  const auto [first, publisher_depth, subscription_depth, publisher_transient,
              subscription_transient, by_callback] = GetParam();
  const QoS publisher_qos = qos_of(publisher_depth, publisher_transient);
  const QoS subscription_qos = qos_of(subscription_depth, subscription_transient);
  const std::size_t depth = subscription_depth;  // whatever the publisher's is
  const bool callback = by_callback;
  const auto publishing = [&](Channel& channel) { publish_on_command(channel, publisher_qos); };
  const auto reading = [&](Channel& channel) {
    collect_on_command(channel, subscription_qos, callback);
  };

  std::unique_ptr<Process> publisher;
  std::unique_ptr<Process> reader;
  std::size_t lost = 0;
  if (first == First::publisher) {
    publisher = std::make_unique<Process>(publishing);
    ASSERT_EQ(publisher->hear(), "ready");
    tell(*publisher, "15", "published");
    reader = std::make_unique<Process>(reading);
    ASSERT_EQ(reader->hear(), "ready");
    const bool gets_old = publisher_transient && subscription_transient;
    const std::size_t kept = std::min(publisher_depth, subscription_depth);
    tell(*reader, "collect", gets_old ? numbers(16 - kept, 15, 0) : numbers(1, 0, 0));
  } else {
    reader = std::make_unique<Process>(reading);
    ASSERT_EQ(reader->hear(), "ready");
    publisher = std::make_unique<Process>(publishing);
    ASSERT_EQ(publisher->hear(), "ready");
    tell(*publisher, "15", "published");
    lost = 15 - depth;
    tell(*reader, "collect", numbers(16 - depth, 15, lost));
  }

  tell(*publisher, "15", "published");  // 16 to 30: more than any depth
  lost += 15 - depth;
  tell(*reader, "collect", numbers(31 - depth, 30, lost));
  tell(*reader, "collect", numbers(1, 0, lost));

  tell(*publisher, "4", "published");  // 31 to 34: between the depths
  lost += 4 - std::min<std::size_t>(4, depth);
  tell(*reader, "collect", numbers(35 - std::min<std::size_t>(4, depth), 34, lost));

  tell(*publisher, "1", "published");
  tell(*reader, "collect", numbers(35, 35, lost));

  publisher->say("end");
  reader->say("end");
  EXPECT_EQ(publisher->wait(), 0);
  EXPECT_EQ(reader->wait(), 0);
}

std::string name_of(const testing::TestParamInfo<Combination>& info)
{
  const auto& [first, publisher_depth, subscription_depth, publisher_transient,
               subscription_transient, by_callback] = info.param;
  return std::string(first == First::publisher ? "PublisherFirst" : "SubscriptionFirst") + "_" +
         (publisher_transient ? "TransientLocal" : "Volatile") + std::to_string(publisher_depth) +
         "_" + (subscription_transient ? "TransientLocal" : "Volatile") +
         std::to_string(subscription_depth) + "_" + (by_callback ? "Callback" : "Take");
}

INSTANTIATE_TEST_SUITE_P(All, DeliveryMatrix,
                         testing::Combine(testing::Values(First::publisher, First::subscription),
                                          testing::Values(1, 10), testing::Values(1, 10),
                                          testing::Bool(), testing::Bool(), testing::Bool()),
                         name_of);

}  // namespace
}  // namespace agnocast::test

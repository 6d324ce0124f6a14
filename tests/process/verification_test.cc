// Messages that are not as their type says: what a subscription that verifies does about them; and
// messages of types that the reader was not compiled with.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace sample {

struct Point
{
  float x, y, z;
};
struct Scan
{
  std::string frame_id;
  std::map<std::string, std::vector<std::optional<Point>>> channels;
};

}  // namespace sample

namespace agnocast::test {
namespace {

using sample::Scan;

const std::string long_name = "a name that is too long for the string itself";

/// Publishes a good scan, one whose channels lie in private memory, and a good one.
void publish_three(Publisher<Scan>& publisher)
{
  for (int i = 0; i < 3; ++i) {
    std::map<std::string, std::vector<std::optional<sample::Point>>> channels;
    channels[long_name] = {sample::Point{1, 2, 3}, std::nullopt};
    auto scan = publisher.borrow_loaned_message();
    scan->frame_id = std::to_string(i);
    if (i == 1) {
      scan->channels = std::move(channels);
    } else {
      scan->channels = channels;
    }
    require(publisher.publish(std::move(scan)) == PublishStatus::published, "it is published");
  }
}

TEST(Verification, KeepsAwayAMessageThatPointsOutsideOfItsSendersMemory)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    SubscriptionOptions options;
    options.verify = true;
    const auto subscription = node->create_subscription<Scan>("/scans", QoS(8), options);
    channel.say("ready");
    channel.hear();
    std::string seen;
    while (const auto scan = subscription->take()) {
      seen += scan->frame_id + " ";
      require(scan->channels.at(long_name).size() == 2, "it is whole");
    }
    channel.say(seen + std::to_string(subscription->rejected_count()) + " rejected, " +
                std::to_string(subscription->held_count()) + " held");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    PublisherOptions options;
    options.audit = Audit::off;
    const auto publisher = node->create_publisher<Scan>("/scans", QoS(8), options);
    publish_three(*publisher);
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "published");
  reader.say("take");
  EXPECT_EQ(reader.hear(), "0 2 1 rejected, 0 held");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(GenericSubscription, ReadsMessagesOfATypeThatItDoesNotKnow)
{
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    QoS qos(8);
    qos.transient_local();
    PublisherOptions options;
    options.audit = Audit::off;
    const auto publisher = node->create_publisher<Scan>("/scans", qos, options);
    publish_three(*publisher);
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "published");
  Process reader([](Channel& channel) {
    const auto description = find_description("/scans");
    require(description && description->name() == "sample::Scan", "the type is found");
    const auto node = std::make_shared<Node>("reader");
    QoS qos(8);
    qos.transient_local();
    GenericSubscription subscription(*node, "/scans", *description, qos);
    std::string seen;
    while (const auto scan = subscription.take()) {
      const auto wrong = verify(scan.view());
      seen += (wrong ? *wrong : "fine") + "; ";
    }
    channel.say(seen);
  });
  const std::string seen = reader.hear();
  EXPECT_EQ(seen.rfind("fine; channels: ", 0), 0U) << seen;
  EXPECT_NE(seen.find("; fine; ", 7), std::string::npos) << seen;
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(GenericSubscription, FindsNoDescriptionWhereNobodyIs)
{
  Process reader([](Channel&) { require(!find_description("/nobody"), "there is none"); });
  EXPECT_EQ(reader.wait(), 0);
}

TEST(TypeMismatch, ShowsBothLayoutsOfOneName)
{
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<sample::Point>("/points", QoS(1));
    channel.say("ready");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "ready");
  Process reader([](Channel& channel) {
    std::vector<DescribedType> types = describe<sample::Point>().types();
    std::swap(types[0].fields[0].name, types[0].fields[1].name);
    const auto node = std::make_shared<Node>("reader");
    try {
      const GenericSubscription subscription(*node, "/points", TypeDescription(types), QoS(1));
      channel.say("nothing thrown");
    } catch (const TypeMismatchError& error) {
      std::string text = error.what();  // as one line
      std::replace(text.begin(), text.end(), '\n', '|');
      channel.say(text);
    }
  });
  const std::string said = reader.hear();
  const std::string carried = "the topic carries:|struct sample::Point (12 bytes)|  0      float x";
  const std::string asked = "asks for:|struct sample::Point (12 bytes)|  0      float y";
  EXPECT_NE(said.find(carried), std::string::npos) << said;
  EXPECT_NE(said.find(asked), std::string::npos) << said;
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

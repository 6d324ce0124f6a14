// A shared heap that grows while subscribers read.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class HeapGrowth : public ForcefulTest
{
};

TEST_F(HeapGrowth, AHeapGrowsFromOneGranuleToThreeHundredMegabytesUnderAReader)
{
  constexpr std::uint64_t messages = 150;
  constexpr std::size_t values = 250'000;  // 2 MB
  Process reader([](Channel& channel) {
    Node node("reader");
    SubscriptionOptions options;
    options.hold_limit = messages;
    auto subscription = node.create_subscription<Report>("/growth", QoS(messages), options);
    channel.say("ready");
    std::vector<ipc_shared_ptr<const Report>> held;
    for (std::uint64_t i = 1; i <= messages; ++i) {
      held.push_back(await_message(*subscription));
      require(held.back() && is_whole(*held.back(), i, values), "message " + std::to_string(i));
      channel.say("read");
    }
    for (std::uint64_t i = 1; i <= messages; ++i) {
      require(is_whole(*held[i - 1], i, values), "held message " + std::to_string(i));
    }
    held.clear();
    channel.say("all well");
    channel.hear();
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "1", 1);
    Node node("writer");
    auto publisher = node.create_publisher<Report>("/growth", QoS(10));
    channel.say(std::to_string(shared_heap_statistics().secured_bytes));
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      publish_report(*publisher, std::stoull(*order), values);
      channel.say(std::to_string(shared_heap_statistics().used_bytes));
    }
  });
  EXPECT_LE(std::stoull(writer.hear()), 102'400u * 10);
  std::uint64_t used = 0;
  for (std::uint64_t i = 1; i <= messages; ++i) {
    writer.say(std::to_string(i));
    used = std::stoull(writer.hear());
    ASSERT_EQ(reader.hear(), "read") << i;
  }
  EXPECT_GT(used, 290'000'000u);
  EXPECT_EQ(reader.hear(), "all well");
  reader.say("leave");
  writer.say("leave");
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

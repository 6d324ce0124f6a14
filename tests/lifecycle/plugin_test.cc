// Plugins that publish and are unloaded while others hold their messages.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

struct PluginMessage
{
  std::vector<int> values;
};

class Plugin : public ForcefulTest, public testing::WithParamInterface<bool>
{
};

TEST_P(Plugin, ThatIsUnloadedWhileItsMessagesAreHeldLeavesTheHostAlone)
{
  const bool ends_before_it_is_closed = GetParam();
  Process holder([](Channel& channel) {
    Node node("holder");
    const auto subscription = node.create_subscription<PluginMessage>("/plugin", QoS(5));
    channel.say("ready");
    std::vector<ipc_shared_ptr<const PluginMessage>> held;
    for (int i = 0; i < 3; ++i) held.push_back(await_message(*subscription));
    channel.say(held.back() && held.back()->values.back() == 2 ? "holding" : "broken");
    channel.hear();
    held.clear();
    channel.say("released");
    channel.hear();
  });
  ASSERT_EQ(holder.hear(), "ready");
  Process host([=](Channel& channel) {
    require(outcome_of_joining() == "nothing thrown", "the host is there");
    const std::size_t used = shared_heap_statistics().used_bytes;
    void* const plugin = ::dlopen(AGNOCAST_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    require(plugin != nullptr, "the plugin is loaded");
    reinterpret_cast<void (*)()>(::dlsym(plugin, "publish_from_plugin"))();
    channel.say("published");
    channel.hear();
    if (ends_before_it_is_closed) reinterpret_cast<void (*)()>(::dlsym(plugin, "end_plugin"))();
    require(::dlclose(plugin) == 0, "and unloaded");
    channel.say("closed");
    channel.hear();
    if (ends_before_it_is_closed) {
      require(eventually([&] { return shared_heap_statistics().used_bytes < used + 4000; }),
              "the messages are freed: " + std::to_string(used) + " and " +
                std::to_string(shared_heap_statistics().used_bytes));
    }
    channel.say("all well");
  });
  ASSERT_EQ(host.hear(), "published");
  ASSERT_EQ(holder.hear(), "holding");
  host.say("close");
  ASSERT_EQ(host.hear(), "closed");
  holder.say("release");
  ASSERT_EQ(holder.hear(), "released");
  host.say("go on");
  EXPECT_EQ(host.hear(), "all well");
  EXPECT_EQ(host.wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(Both, Plugin, testing::Bool());

}  // namespace
}  // namespace agnocast::test

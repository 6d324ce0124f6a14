// A plugin with a publisher, for plugin_test.cc. Built so that dlclose() unloads it: with GCC's
// defaults a static object in a template would keep it.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <memory>
#include <vector>

namespace agnocast::test {
namespace {

struct PluginMessage
{
  std::vector<int> values;
};

std::unique_ptr<agnocast::Node> node;
std::shared_ptr<agnocast::Publisher<PluginMessage>> publisher;

}  // namespace
}  // namespace agnocast::test

extern "C" __attribute__((visibility("default"))) void publish_from_plugin()
{
  using namespace agnocast::test;
  node = std::make_unique<agnocast::Node>("plugin");
  publisher = node->create_publisher<PluginMessage>("/plugin", agnocast::QoS(5));
  for (int i = 0; i < 3; ++i) {
    auto loan = publisher->borrow_loaned_message();
    loan->values.assign(1000, i);
    publisher->publish(std::move(loan));
  }
}

extern "C" __attribute__((visibility("default"))) void end_plugin()
{
  agnocast::test::publisher.reset();
  agnocast::test::node.reset();
}

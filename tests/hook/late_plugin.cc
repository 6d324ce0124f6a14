// A plugin that uses the library, for a program that does not: its malloc is bound before we come.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <cstdio>
#include <memory_resource>
#include <string>
#include <vector>

namespace {

struct PlainMessage
{
  int values[100];
};
struct ContainerMessage
{
  std::vector<int> values;
};
struct PmrMessage
{
  std::pmr::vector<int> values{agnocast::shared_memory_resource()};
};

}  // namespace

/// 0, or the number of the step that went wrong.
extern "C" __attribute__((visibility("default"))) int run_late_plugin()
{
  const auto node = std::make_shared<agnocast::Node>("late");
  if (agnocast::hook_in_force()) return 1;
  try {
    node->create_publisher<ContainerMessage>("/containers", agnocast::QoS(1));
    return 2;
  } catch (const agnocast::UsageError& error) {
    std::puts(error.what());
  }
  const auto plain = node->create_publisher<PlainMessage>("/plain", agnocast::QoS(1));
  const auto plain_reader = node->create_subscription<PlainMessage>("/plain", agnocast::QoS(1));
  auto message = plain->borrow_loaned_message();
  message->values[99] = 42;
  plain->publish(std::move(message));
  const auto taken = plain_reader->take();
  if (!taken || taken->values[99] != 42) return 3;

  agnocast::PublisherOptions options;
  options.require_hook = false;
  const auto pmr = node->create_publisher<PmrMessage>("/pmr", agnocast::QoS(1), options);
  const auto pmr_reader = node->create_subscription<PmrMessage>("/pmr", agnocast::QoS(1));
  auto grown = pmr->borrow_loaned_message();
  for (int i = 0; i < 1000; ++i) grown->values.push_back(i);
  if (!agnocast::in_shared_heap(grown->values.data())) return 4;
  pmr->publish(std::move(grown));
  const auto grown_taken = pmr_reader->take();
  return grown_taken && grown_taken->values.back() == 999 ? 0 : 5;
}

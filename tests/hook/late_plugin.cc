// A plugin that uses the library, for a program that does not: its malloc is bound before we come.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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

/// Another process reads what this one publishes from then on: 0 if all of it came.
int read_in_another_process(int ready_fd)
{
  const auto node = std::make_shared<agnocast::Node>("reader");
  const auto plain = node->create_subscription<PlainMessage>("/between", agnocast::QoS(50));
  const auto pmr = node->create_subscription<PmrMessage>("/between_pmr", agnocast::QoS(50));
  if (::write(ready_fd, "r", 1) != 1) return 1;
  int values = 0;
  int grown = 0;
  agnocast::WaitSet waits;
  waits.add(*plain);
  waits.add(*pmr);
  while ((values < 20 || grown < 20) && waits.wait(std::chrono::seconds(20))) {
    while (const auto message = plain->take()) {
      if (message->values[99] != ++values) return 2;
    }
    while (const auto message = pmr->take()) {
      ++grown;
      if (message->values.size() != 1000u * static_cast<unsigned>(grown)) return 3;
      for (const int value : message->values) {
        if (value != grown) return 4;
      }
    }
  }
  return values == 20 && grown == 20 ? 0 : 5;
}

bool publishes_to_another_process()
{
  int ready[2];
  if (::pipe(ready) != 0) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    // A forked child that knows its parent's area cannot read it; a program of its own can.
    Dl_info self = {};
    ::dladdr(reinterpret_cast<void*>(&publishes_to_another_process), &self);
    ::execl("/proc/self/exe", "late_loader", self.dli_fname, "read",
            std::to_string(ready[1]).c_str(), nullptr);
    ::_exit(100);
  }
  char said = 0;
  if (::read(ready[0], &said, 1) != 1) return false;
  ::close(ready[0]);
  ::close(ready[1]);
  int status = -1;
  {
    const auto node = std::make_shared<agnocast::Node>("writer");
    agnocast::PublisherOptions options;
    options.require_hook = false;
    const auto plain = node->create_publisher<PlainMessage>("/between", agnocast::QoS(50));
    const auto pmr = node->create_publisher<PmrMessage>("/between_pmr", agnocast::QoS(50), options);
    for (int i = 1; i <= 20; ++i) {
      auto value = plain->borrow_loaned_message();
      value->values[99] = i;
      plain->publish(std::move(value));
      auto grown = pmr->borrow_loaned_message();
      grown->values.assign(1000u * static_cast<unsigned>(i), i);
      pmr->publish(std::move(grown));
    }
    ::waitpid(child, &status, 0);
  }
  return status == 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int run_late_reader(int ready_fd)
{
  return read_in_another_process(ready_fd);
}

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
  if (!grown_taken || grown_taken->values.back() != 999) return 5;
  return publishes_to_another_process() ? 0 : 6;
}

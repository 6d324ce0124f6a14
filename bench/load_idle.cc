// What is used while nothing happens, and what is kept for a reader that keeps up.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <vector>

#include "harness/clock.hpp"
#include "load.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

// Each with a publisher, a subscription, and an unread message, on one topic that all are on.
LoadFigures measure_idle(std::uint32_t count, bool smoke)
{
  const SharedLoadPage page = make_load_page();
  std::vector<Role> roles;
  for (std::uint32_t i = 0; i < count; ++i) {
    roles.emplace_back(std::vector<std::string>{"AGNOCAST_MEMPOOL_SIZE=1048576"}, [&] {
      agnocast::Node node("idle");
      const auto subscription = node.create_subscription<int>("/load/common", 1);
      const auto publisher = node.create_publisher<int>("/load/common", 1);
      auto message = publisher->borrow_loaned_message();
      publisher->publish(std::move(message));
      page->ready.fetch_add(1);
      await_quit(*page);
    });
    await_ready(*page, i + 1);
  }
  const auto used_ns = [&] {
    std::uint64_t sum = 0;
    for (const Role& role : roles) sum += role.cpu_ns();
    return static_cast<double>(sum);
  };
  usleep(smoke ? 10'000 : 3'000'000);
  const std::uint64_t begin_ns = now_ns();
  const double before_ns = used_ns();
  usleep(smoke ? 100'000 : 4'000'000);
  const double part = (used_ns() - before_ns) / static_cast<double>(now_ns() - begin_ns);
  tell_to_quit(*page);
  for (Role& role : roles) role.join();
  return {part, 0};
}

}  // namespace

LoadFigures measure_idle_100(bool smoke)
{
  return measure_idle(smoke ? 4 : 100, smoke);
}

LoadFigures measure_idle_200(bool smoke)
{
  return measure_idle(smoke ? 4 : 200, smoke);
}

LoadFigures measure_wake_ups(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  Role idle([&] {
    agnocast::Node node("idle");
    const auto publisher =
      node.create_publisher<int>("/load/retained", agnocast::QoS(1).transient_local());
    auto message = publisher->borrow_loaned_message();
    publisher->publish(std::move(message));
    page->ready.fetch_add(1);
    for (;;) pause();  // until it is ended; not woken by itself
  });
  await_ready(*page, 1);
  usleep(smoke ? 10'000 : 3'000'000);
  const std::uint64_t begin_ns = now_ns();
  const std::uint64_t before = idle.wake_ups();
  usleep(smoke ? 100'000 : 5'000'000);
  const auto count = static_cast<double>(idle.wake_ups() - before);
  return {count * 1e9 / static_cast<double>(now_ns() - begin_ns), 0};
}

namespace {

struct Picture
{
  std::vector<unsigned char> bytes;
};

}  // namespace

// numbers[0]: messages that were read; numbers[1]: bytes of the publisher's heap.
LoadFigures measure_deep_reader(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  const std::uint64_t messages = smoke ? 20 : 1'300;
  Role reader([&] {
    agnocast::Node node("reader");
    const auto subscription = node.create_subscription<Picture>("/load/picture", 1'000);
    agnocast::WaitSet waits;
    waits.add(*subscription);
    page->ready.fetch_add(1);
    while (page->quit.load() == 0) {
      waits.wait(100ms);
      while (subscription->take()) page->numbers[0].fetch_add(1);
    }
  });
  await_ready(*page, 1);
  Role sender([&] {
    agnocast::Node node("publisher");
    const auto publisher = node.create_publisher<Picture>("/load/picture", 10);
    await("the reader", [&] { return publisher->subscription_count() == 1; });
    usleep(300'000);
    for (std::uint64_t i = 1; i <= messages; ++i) {
      auto message = publisher->borrow_loaned_message();
      message->bytes.resize(1'000'000);
      publisher->publish(std::move(message));
      usleep(3'000);
      // A reader that keeps up is meant, also on a machine that does other things.
      await("the reader", [&] { return page->numbers[0].load() + 3 >= i; });
    }
    page->numbers[1].store(agnocast::shared_heap_statistics().peak_bytes);
  });
  sender.join();
  tell_to_quit(*page);
  reader.join();
  return {static_cast<double>(page->numbers[1].load()), 0};
}

}  // namespace bench

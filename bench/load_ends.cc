// Joining beside a big one, leaving beside a stopped one, and looking beside those who come and go.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "harness/clock.hpp"
#include "load.hpp"

namespace bench {
namespace {

// Nanoseconds until a process with the usual pool has joined; numbers[0].
double join_cost_ns(LoadPage& page)
{
  Role joiner({"AGNOCAST_MEMPOOL_SIZE=10240000"}, [&] {
    const std::uint64_t begin_ns = now_ns();
    agnocast::Node node("small");
    const auto publisher = node.create_publisher<int>("/load/small", 1);
    page.numbers[0].store(now_ns() - begin_ns);
  });
  joiner.join();
  return static_cast<double>(page.numbers[0].load());
}

}  // namespace

LoadFigures measure_joiner(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  LoadFigures figures;
  figures.without = join_cost_ns(*page);
  const std::string pool = smoke ? "20480000" : "2147483648";
  Role big({"AGNOCAST_MEMPOOL_SIZE=" + pool}, [&] {
    agnocast::Node node("big");
    page->ready.fetch_add(1);
    const auto publisher = node.create_publisher<int>("/load/big", 1);
    await_quit(*page);
  });
  await_ready(*page, 1);
  usleep(smoke ? 1'000 : 200'000);
  figures.with = join_cost_ns(*page);
  tell_to_quit(*page);
  big.join();
  return figures;
}

// Until the parent knows that it has ended: destructors and all. numbers[0]: when that began.
LoadFigures measure_end(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  const std::size_t count = smoke ? 3 : 200;
  const auto topic = [](std::size_t i) { return "/load/end" + std::to_string(i); };
  Role subscriber([&] {
    agnocast::Node node("stopped");
    std::vector<agnocast::Subscription<int>::SharedPtr> subscriptions;
    for (std::size_t i = 0; i < count; ++i) {
      subscriptions.push_back(node.create_subscription<int>(topic(i), 1));
    }
    page->ready.fetch_add(1);
    await_quit(*page);
  });
  await_ready(*page, 1);
  subscriber.signal(SIGSTOP);
  Role sender([&] {
    agnocast::Node node("publisher");
    std::vector<agnocast::Publisher<int>::SharedPtr> publishers;
    for (std::size_t i = 0; i < count; ++i) {
      publishers.push_back(node.create_publisher<int>(topic(i), 1));
      publishers.back()->publish(publishers.back()->borrow_loaned_message());
    }
    page->numbers[0].store(now_ns());
  });
  sender.join();
  const std::uint64_t end_ns = now_ns();
  subscriber.signal(SIGCONT);
  tell_to_quit(*page);
  subscriber.join();
  return {static_cast<double>(end_ns - page->numbers[0].load()), 0};
}

// numbers[0]: pairs, numbers[1]: pairs of which one end did not see the other, numbers[2]: errors.
LoadFigures measure_snapshots(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  const std::uint64_t duration_ns = smoke ? 200'000'000 : 8'000'000'000;
  const auto come_and_go = [&](std::size_t index) {
    agnocast::Node node("comes_and_goes");
    const std::string topic = "/load/pair" + std::to_string(index);
    std::jthread looker([](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        try {
          static_cast<void>(agnocast::DomainView().snapshot());
        } catch (const agnocast::Error&) {
        }
      }
    });
    const std::uint64_t end_ns = now_ns() + duration_ns;
    while (now_ns() < end_ns) {
      try {
        const auto subscription = node.create_subscription<int>(topic, 1);
        const auto publisher = node.create_publisher<int>(topic, 1);
        const bool seen =
          publisher->subscription_count() == 1 && subscription->publisher_count() == 1;
        page->numbers[1].fetch_add(seen ? 0 : 1);
      } catch (const agnocast::Error&) {
        page->numbers[2].fetch_add(1);
      }
      page->numbers[0].fetch_add(1);
    }
  };
  std::vector<Role> roles;
  for (std::size_t i = 0; i < 3; ++i) roles.emplace_back([&, i] { come_and_go(i); });
  for (Role& role : roles) role.join();
  if (page->numbers[0].load() == 0) throw Failure("no pair was made");
  return {static_cast<double>(page->numbers[1].load() + page->numbers[2].load()), 0};
}

}  // namespace bench

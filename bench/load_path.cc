// What publish and delivery cost beside those who hold, come, or have many subscriptions.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "harness/clock.hpp"
#include "harness/statistics.hpp"
#include "load.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

struct Stamped
{
  std::uint64_t sent_ns;
};

void publish(agnocast::Publisher<Stamped>& publisher)
{
  auto message = publisher.borrow_loaned_message();
  message->sent_ns = now_ns();
  publisher.publish(std::move(message));
}

std::uint64_t cost_of_publish_ns(agnocast::Publisher<Stamped>& publisher)
{
  const std::uint64_t begin_ns = now_ns();
  publish(publisher);
  return now_ns() - begin_ns;
}

// numbers[0]: how many are held. It keeps reading what comes later.
void hold_and_read(LoadPage& page, std::size_t held_count)
{
  agnocast::Node node("reader");
  agnocast::SubscriptionOptions options;
  options.hold_limit = 4096;
  const agnocast::QoS qos(10);  // so that what is held is not retained as well
  const auto plain = node.create_subscription<Stamped>("/load/plain", qos, options);
  const auto holding = node.create_subscription<Stamped>("/load/held", qos, options);
  std::vector<agnocast::ipc_shared_ptr<const Stamped>> held;
  page.ready.fetch_add(1);
  while (page.quit.load() == 0) {
    while (plain->take()) {
    }
    while (auto message = holding->take()) {
      if (held.size() < held_count) held.push_back(std::move(message));
    }
    page.numbers[0].store(held.size());
    usleep(200);
  }
}

}  // namespace

LoadFigures measure_held(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  const std::size_t held_count = smoke ? 100 : 4000;
  Role reader([&] { hold_and_read(*page, held_count); });
  await_ready(*page, 1);
  Role sender([&] {
    agnocast::Node node("publisher");
    const auto plain = node.create_publisher<Stamped>("/load/plain", 10);
    const auto held = node.create_publisher<Stamped>("/load/held", 10);
    await("the reader",
          [&] { return plain->subscription_count() + held->subscription_count() == 2; });
    while (page->numbers[0].load() < held_count) {
      for (int i = 0; i < 8; ++i) publish(*held);
      usleep(500);
    }
    for (int i = 0; i < (smoke ? 20 : 400); ++i) {
      page->add_sample(0, cost_of_publish_ns(*plain));
      page->add_sample(1, cost_of_publish_ns(*held));
      if (i % 4 == 0) usleep(500);
    }
  });
  sender.join();
  tell_to_quit(*page);
  reader.join();
  return {quantile(page->samples(1), 0.5), quantile(page->samples(0), 0.5)};
}

// The series that samples go to is numbers[0].
LoadFigures measure_newcomers(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  Role sender([&] {
    pin_this_thread(0);
    agnocast::Node node("publisher");
    const auto publisher = node.create_publisher<Stamped>("/load/newcomers", 10);
    for (int i = 0; i < 1'000; ++i) publish(*publisher);
    page->ready.fetch_add(1);
    std::uint64_t next_ns = now_ns();
    while (page->quit.load() == 0) {
      next_ns += 666'667;  // 1.5 kHz
      while (now_ns() < next_ns) usleep(50);
      page->add_sample(page->numbers[0].load(), cost_of_publish_ns(*publisher));
    }
  });
  await_ready(*page, 1);
  const auto come_and_go = [] {
    pin_this_thread(1);
    agnocast::Node node("newcomer");
    const auto subscription = node.create_subscription<Stamped>("/load/newcomers", 10);
    usleep(10'000);
  };
  const std::uint64_t window_ns = smoke ? 50'000'000 : 500'000'000;
  for (std::uint64_t turn = 0; turn < (smoke ? 2 : 8); ++turn) {
    page->numbers[0].store(turn % 2);
    const std::uint64_t end_ns = now_ns() + window_ns;
    while (now_ns() < end_ns) {
      if (turn % 2 == 0) {
        usleep(10'000);
      } else {
        Role(come_and_go).join();
      }
    }
  }
  tell_to_quit(*page);
  sender.join();
  return {quantile(page->samples(1), 0.99), quantile(page->samples(0), 0.99)};
}

namespace {

// A node with that many subscriptions; the first is the one that messages come for. The callback
// adds its sample and says so in numbers[series].
void receive_among(LoadPage& page, std::size_t series, std::size_t count)
{
  agnocast::init();
  const auto node = std::make_shared<agnocast::Node>("receiver");
  std::vector<agnocast::Subscription<Stamped>::SharedPtr> subscriptions;
  const std::string topic = "/load/members" + std::to_string(series);
  for (std::size_t i = 0; i < count; ++i) {
    subscriptions.push_back(node->create_subscription<Stamped>(
      i == 0 ? topic : topic + "/idle" + std::to_string(i), agnocast::QoS(1),
      [&](const agnocast::ipc_shared_ptr<const Stamped>& message) {
        page.add_sample(series, now_ns() - message->sent_ns);
        page.numbers[series].fetch_add(1);
      }));
  }
  page.ready.fetch_add(1);
  while (page.quit.load() == 0) agnocast::spin_once(node, 100ms);
}

}  // namespace

LoadFigures measure_many_members(bool smoke)
{
  const SharedLoadPage page = make_load_page();
  Role one([&] { receive_among(*page, 0, 1); });
  Role many([&] { receive_among(*page, 1, smoke ? 20 : 1000); });
  await_ready(*page, 2);
  Role sender([&] {
    agnocast::Node node("publisher");
    const std::unique_ptr<agnocast::Publisher<Stamped>> ends[] = {
      std::make_unique<agnocast::Publisher<Stamped>>(node, "/load/members0", agnocast::QoS(1)),
      std::make_unique<agnocast::Publisher<Stamped>>(node, "/load/members1", agnocast::QoS(1))};
    usleep(300'000);
    for (std::uint64_t round = 1; round <= (smoke ? 5 : 400); ++round) {
      for (std::size_t series = 0; series < 2; ++series) {
        usleep(2'000);  // for it to fall asleep
        publish(*ends[series]);
        await("the callback", [&] { return page->numbers[series].load() >= round; });
      }
    }
  });
  sender.join();
  tell_to_quit(*page);
  one.join();
  many.join();
  return {quantile(page->samples(1), 0.5), quantile(page->samples(0), 0.5)};
}

}  // namespace bench

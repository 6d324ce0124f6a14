// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "failpoint/partners.hpp"

#include <sys/mman.h>

#include <chrono>
#include <deque>
#include <memory>
#include <new>
#include <thread>

namespace agnocast::test {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t held_at_once = 8;

// Holds the last few messages and looks at each again when it lets go.
class Holder
{
 public:
  explicit Holder(Tally& tally) : tally_(tally) {}
  void hold(ipc_shared_ptr<const Sample> message)
  {
    look_at(*message);
    held_.push_back(std::move(message));
    if (held_.size() > held_at_once) release_one();
  }
  void release_all()
  {
    while (!held_.empty()) release_one();
  }

 private:
  void look_at(const Sample& sample) { tally_.corrupted += is_whole(sample) ? 0 : 1; }
  void release_one()
  {
    look_at(*held_.front());
    held_.pop_front();
  }

  Tally& tally_;
  std::deque<ipc_shared_ptr<const Sample>> held_;
};

// Numbers of one publisher must come without gaps, beginning at 1.
class OrderCheck
{
 public:
  explicit OrderCheck(Tally& tally) : tally_(tally) {}
  void see(std::uint64_t publisher, std::uint64_t number)
  {
    std::uint64_t& last = last_[publisher];
    if (number != last + 1) ++tally_.disordered;
    last = number;
  }

 private:
  Tally& tally_;
  std::map<std::uint64_t, std::uint64_t> last_;
};

}  // namespace

Sample::~Sample()
{
  number = ~number;
  for (auto& value : values) value = 0xDDDD'DDDD'DDDD'DDDD;
  for (auto& letter : text) letter = '\xDD';
}

void fill(Sample& sample, std::uint64_t number, std::size_t values)
{
  sample.number = number;
  sample.text = "sample " + std::to_string(number) + ", longer than a short string";
  sample.values.assign(values, number);
  for (std::uint64_t i = 0; i < 8; ++i) sample.entries[number + i] = sample.text;
}

bool is_whole(const Sample& sample)
{
  const std::uint64_t number = sample.number;
  if (sample.text != "sample " + std::to_string(number) + ", longer than a short string") {
    return false;
  }
  for (const std::uint64_t value : sample.values) {
    if (value != number) return false;
  }
  std::uint64_t i = 0;
  for (const auto& [key, text] : sample.entries) {
    if (key != number + i++ || text != sample.text) return false;
  }
  return i == 8;
}

Tally& Tally::create()
{
  void* memory =
    ::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "memory for the tally");
  return *::new (memory) Tally();
}

void publish_steadily(Tally& tally, Channel& channel)
{
  Node node("steady_publisher");
  const auto publish = [](Publisher<Sample>& publisher, std::uint64_t number) {
    auto loan = publisher.borrow_loaned_message();
    fill(*loan, number, 100);
    return publisher.publish(std::move(loan)) == PublishStatus::published;
  };
  PublisherOptions patient;
  patient.keep_all_timeout = patience;
  PublisherOptions hasty;
  hasty.keep_all_timeout = 200us;
  auto steady = node.create_publisher<Sample>("/steady", QoS(1).keep_all(64), patient);
  auto pressed = node.create_publisher<Sample>("/pressed", QoS(1).keep_all(4), hasty);
  auto fleeting = node.create_publisher<Sample>("/fleeting", QoS(2));
  require(eventually([&] { return steady->subscription_count() == 1; }), "the steady subscriber");
  channel.say("ready");
  std::uint64_t steady_number = 0;
  std::uint64_t pressed_number = 0;
  std::uint64_t fleeting_number = 0;
  while (!channel.is_at_end(0ms)) {
    if (tally.pause) {
      const auto retained = [&] {
        for (auto& publisher : {steady, pressed, fleeting}) publisher->reclaim();
        return steady->retained_count() + pressed->retained_count() + fleeting->retained_count();
      };
      eventually([&] { return retained() == 0 || !tally.pause; });
      tally.retained = retained();
      tally.publisher_paused = true;
      while (tally.pause && !channel.is_at_end(0ms)) {
        // The control thread may still be at it.
        tally.used_blocks = shared_heap_statistics().used_blocks;
        std::this_thread::sleep_for(100us);
      }
      tally.publisher_paused = false;
      continue;
    }
    if (tally.visits != tally.visits_wanted) {
      auto visitor = node.create_publisher<Sample>("/visited", QoS(4));
      publish(*visitor, 1);
      ++tally.visits;
    }
    if (publish(*steady, steady_number + 1)) {
      ++steady_number;
      ++tally.published;
    } else {
      ++tally.failed;
    }
    if (publish(*pressed, pressed_number + 1)) ++pressed_number;
    for (int i = 0; i < 4; ++i) publish(*fleeting, ++fleeting_number);
    std::this_thread::sleep_for(300us);
  }
}

void receive_steadily(Tally& tally, Channel& channel)
{
  auto node = std::make_shared<Node>("steady_subscriber");
  auto steady = node->create_subscription<Sample>("/steady", QoS(1).keep_all(64));
  auto varied = node->create_subscription<Sample>("/varied", QoS(64));
  WaitSet wait_set;
  // So many that publishers leave hints for the others.
  std::vector<Subscription<Sample>::SharedPtr> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(node->create_subscription<Sample>("/idle", QoS(1)));
    wait_set.add(*idle.back());
  }
  wait_set.add(*steady);
  wait_set.add(*varied);
  Holder holder(tally);
  OrderCheck order(tally);
  std::uint64_t partner = 0;
  channel.say("ready");
  while (!channel.is_at_end(0ms)) {
    if (tally.pause && tally.publisher_paused) {
      tally.subscriber_paused = true;
      while (tally.pause && !channel.is_at_end(0ms)) std::this_thread::sleep_for(100us);
      tally.subscriber_paused = false;
    }
    if (tally.pause) holder.release_all();
    wait_set.wait(tally.pause ? 1ms : 20ms);
    while (auto message = steady->take()) {
      if (tally.be_slow) std::this_thread::sleep_for(1ms);
      const MessageInfo info = message.info();
      if (partner == 0) partner = info.publisher_id;
      order.see(info.publisher_id, message->number);
      ++(info.publisher_id == partner ? tally.received : tally.victim_received);
      holder.hold(std::move(message));
    }
    while (auto message = varied->take()) holder.hold(std::move(message));
  }
}

}  // namespace agnocast::test

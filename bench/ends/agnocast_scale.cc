// Publishers and subscribers of a scale sweep with agnocast: one wait set for all topics.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "ends/agnocast.hpp"
#include "harness/process.hpp"
#include "harness/scale_serve.hpp"

namespace bench {
namespace {

/// Made without being written: what is measured is handing over, not filling.
struct RawByte
{
  std::uint8_t value;
  RawByte() noexcept {}
};

struct Message
{
  Stamp stamp{};
  std::vector<RawByte> rest;
};

agnocast::QoS qos()
{
  return agnocast::QoS(scale_depth);
}

std::string topic_name(std::size_t topic)
{
  return "/bench/scale_" + std::to_string(topic);
}

class Publisher : public ScalePublisher
{
 public:
  explicit Publisher(const ScaleArguments& arguments)
    : arguments_(arguments), node_("publisher_" + std::to_string(arguments.index))
  {
    for (std::size_t topic = 0; topic < arguments.topics; ++topic) {
      publishers_.push_back(node_.create_publisher<Message>(topic_name(topic), qos()));
    }
  }
  bool is_connected() override
  {
    for (const auto& publisher : publishers_) {
      if (publisher->subscription_count() != arguments_.subscribers) return false;
    }
    return true;
  }
  void prepare(std::size_t topic, std::uint64_t) override
  {
    loan_ = publishers_[topic]->borrow_loaned_message();
    loan_->rest = std::vector<RawByte>(arguments_.size_bytes - sizeof(Stamp));
  }
  void publish(std::size_t topic, const Stamp& stamp) override
  {
    loan_->stamp = stamp;
    if (publishers_[topic]->publish(std::move(loan_)) != agnocast::PublishStatus::published) {
      throw Failure("a message was not published");
    }
  }

 private:
  const ScaleArguments arguments_;
  agnocast::Node node_;
  std::vector<agnocast::Publisher<Message>::SharedPtr> publishers_;
  agnocast::ipc_shared_ptr<Message> loan_;
};

class Subscriber : public ScaleSubscriber
{
 public:
  explicit Subscriber(const ScaleArguments& arguments)
    : arguments_(arguments), node_("subscriber_" + std::to_string(arguments.index))
  {
    for (std::size_t topic = 0; topic < arguments.topics; ++topic) {
      subscriptions_.push_back(node_.create_subscription<Message>(topic_name(topic), qos()));
      wait_set_.add(*subscriptions_.back());
    }
  }
  bool is_connected() override
  {
    for (const auto& subscription : subscriptions_) {
      if (subscription->publisher_count() != arguments_.publishers) return false;
    }
    return true;
  }
  void receive(const std::function<void(const Stamp&)>& got) override
  {
    if (!arguments_.awake) wait_set_.wait(std::chrono::milliseconds(100));
    for (const auto& subscription : subscriptions_) {
      while (const auto message = subscription->take()) got(message->stamp);
    }
  }

 private:
  const ScaleArguments arguments_;
  agnocast::Node node_;
  std::vector<agnocast::Subscription<Message>::SharedPtr> subscriptions_;
  agnocast::WaitSet wait_set_;
};

}  // namespace

int run_agnocast_scale_end(const ScaleArguments& arguments)
{
  return serve_scale(
    arguments, [](const ScaleArguments& a) { return std::make_unique<Publisher>(a); },
    [](const ScaleArguments& a) { return std::make_unique<Subscriber>(a); });
}

}  // namespace bench

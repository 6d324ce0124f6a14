// Publishers and subscribers of a scale sweep with iceoryx 2.0: one wait set for all topics.
//
// As in iceoryx.cc: untyped ports, queues as deep as every system's here, the oldest is dropped. A
// subscriber that sleeps attaches its topics to the wait set by events, and only those that were
// notified are looked at.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <string>
#include <vector>

#include "ends/iceoryx.hpp"
#include "harness/process.hpp"
#include "harness/scale_serve.hpp"
#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"

namespace bench {
namespace {

iox::capro::ServiceDescription topic_name(const ScaleArguments& arguments, std::size_t topic)
{
  const std::string session = arguments.session();
  const std::string name = std::to_string(topic);
  return {"agnocast-bench-scale", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, session),
          iox::capro::IdString_t(iox::cxx::TruncateToCapacity, name)};
}

class Publisher : public ScalePublisher
{
 public:
  explicit Publisher(const ScaleArguments& arguments) : arguments_(arguments)
  {
    for (std::size_t topic = 0; topic < arguments.topics; ++topic) {
      publishers_.push_back(
        std::make_unique<iox::popo::UntypedPublisher>(topic_name(arguments, topic)));
    }
  }
  /// RouDi connects who comes with all that are there, at once. So if each has been connected, all
  /// are.
  bool is_connected() override
  {
    for (const auto& publisher : publishers_) {
      if (!publisher->hasSubscribers()) return false;
    }
    return true;
  }
  void prepare(std::size_t topic, std::uint64_t number) override
  {
    auto loaned = publishers_[topic]->loan(static_cast<std::uint32_t>(arguments_.size_bytes));
    if (loaned.has_error()) throw Failure("there is no chunk to be loaned");
    loan_ = loaned.value();
    std::memset(static_cast<unsigned char*>(loan_) + sizeof(Stamp), static_cast<int>(number & 0xff),
                arguments_.size_bytes - sizeof(Stamp));
  }
  void publish(std::size_t topic, const Stamp& stamp) override
  {
    std::memcpy(loan_, &stamp, sizeof stamp);
    publishers_[topic]->publish(loan_);
  }

 private:
  const ScaleArguments arguments_;
  std::vector<std::unique_ptr<iox::popo::UntypedPublisher>> publishers_;
  void* loan_ = nullptr;
};

class Subscriber : public ScaleSubscriber
{
 public:
  explicit Subscriber(const ScaleArguments& arguments) : arguments_(arguments)
  {
    iox::popo::SubscriberOptions options;
    options.queueCapacity = scale_depth;
    for (std::size_t topic = 0; topic < arguments.topics; ++topic) {
      subscribers_.push_back(
        std::make_unique<iox::popo::UntypedSubscriber>(topic_name(arguments, topic), options));
      if (arguments.awake) continue;
      wait_set_.attachEvent(*subscribers_.back(), iox::popo::SubscriberEvent::DATA_RECEIVED, topic)
        .or_else([](auto&) { throw Failure("cannot attach a subscriber to the wait set"); });
    }
  }
  bool is_connected() override
  {
    for (const auto& subscriber : subscribers_) {
      if (subscriber->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) return false;
    }
    return true;
  }
  void receive(const std::function<void(const Stamp&)>& got) override
  {
    if (arguments_.awake) {
      for (const auto& subscriber : subscribers_) take_all(*subscriber, got);
      return;
    }
    for (const auto* notified : wait_set_.timedWait(iox::units::Duration::fromMilliseconds(100))) {
      take_all(*subscribers_[notified->getNotificationId()], got);
    }
  }

 private:
  static void take_all(iox::popo::UntypedSubscriber& subscriber,
                       const std::function<void(const Stamp&)>& got)
  {
    for (auto taken = subscriber.take(); !taken.has_error(); taken = subscriber.take()) {
      Stamp stamp{};
      std::memcpy(&stamp, taken.value(), sizeof stamp);
      got(stamp);
      subscriber.release(taken.value());
    }
  }

  const ScaleArguments arguments_;
  std::vector<std::unique_ptr<iox::popo::UntypedSubscriber>> subscribers_;
  iox::popo::WaitSet<> wait_set_;
};

}  // namespace

int run_iceoryx_scale_end(const ScaleArguments& arguments)
{
  return serve_scale(
    arguments, [](const ScaleArguments& a) { return std::make_unique<Publisher>(a); },
    [](const ScaleArguments& a) { return std::make_unique<Subscriber>(a); });
}

}  // namespace bench

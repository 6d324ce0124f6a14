// A publisher and a subscription of a storm, with the message type behind an interface, and all
// checks of what is received.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "agnocast/agnocast.hpp"
#include "storm/message.hpp"

namespace agnocast::storm {

/// An actor's place on the board.
struct Stage
{
  Board* board;
  std::size_t seat;

  void count(Count what, std::uint64_t amount = 1) const
  {
    if (amount != 0) {
      board->seats[seat].counts[static_cast<std::size_t>(what)].fetch_add(
        amount, std::memory_order_relaxed);
    }
  }
  /// A sign of life.
  void doing(const char* what) const
  {
    Seat& mine = board->seats[seat];
    std::strncpy(mine.doing, what, sizeof mine.doing - 1);
    mine.alive_ns.store(now_ns());
  }
  [[nodiscard]] Phase phase() const { return static_cast<Phase>(board->phase.load()); }
};

inline constexpr std::uint32_t flag_stable = 1;
inline constexpr std::uint32_t flag_keep_all = 2;

inline bool is_keep_all(const QoS& qos)
{
  return qos.history() == History::keep_all && qos.reliability() == Reliability::reliable;
}

class AnyPublisher
{
 public:
  virtual ~AnyPublisher() = default;
  /// One message of about that size; `drop`: fills it and does not publish it.
  virtual void publish(Random& random, std::size_t size, std::uint32_t thread, bool drop) = 0;
  virtual PublisherBase& base() = 0;
};

template <class T>
class TypedPublisher : public AnyPublisher
{
 public:
  TypedPublisher(const Stage& stage, Node& node, std::uint32_t topic, const QoS& qos,
                 std::chrono::nanoseconds timeout, bool stable)
    : stage_(stage),
      flags_((stable ? flag_stable : 0) | (is_keep_all(qos) ? flag_keep_all : 0)),
      publisher_(node.create_publisher<T>("/storm/t" + std::to_string(topic), qos,
                                          PublisherOptions{timeout, true}))
  {
    const std::uint32_t place = stage.board->publishers_count.fetch_add(1);
    if (place >= publishers_max) return;
    entry_ = &stage.board->publishers[place];
    entry_->topic.store(topic);
    entry_->id.store(publisher_->id());
    stage.count(Count::endpoints);
  }
  ~TypedPublisher() override
  {
    publisher_.reset();
    if (entry_ != nullptr) entry_->left.store(1);
  }

  void publish(Random& random, std::size_t size, std::uint32_t thread, bool drop) override
  {
    auto loan = publisher_->borrow_loaned_message();
    T& message = *loan;
    size = fill(message, size, random);
    if (drop) return stage_.count(Count::dropped_loans);
    message.header = {publisher_->id(), ++numbers_[thread], thread, flags_, 0};
    message.header.checksum = checksum_of(message);
    while (publisher_->publish(std::move(loan)) == PublishStatus::timed_out) {
      stage_.count(Count::timed_out);
      stage_.doing("publish again");
      // One thread's numbers have no holes, so only who may wait for ever goes on.
      if ((flags_ & flag_stable) == 0) return;
    }
    if (entry_ != nullptr) entry_->published.fetch_add(1);
    stage_.count(Count::published);
  }
  PublisherBase& base() override { return *publisher_; }

 private:
  const Stage stage_;
  const std::uint32_t flags_;
  std::shared_ptr<Publisher<T>> publisher_;
  PublisherEntry* entry_ = nullptr;
  std::uint64_t numbers_[4] = {};
};

struct SubscriptionPlan
{
  std::uint32_t topic;
  QoS qos;
  std::size_t hold_limit;
  std::uint32_t hold_ms_max;
  bool with_callback;
  bool stable;
};

class AnySubscription
{
 public:
  AnySubscription(const Stage& stage, const SubscriptionPlan& plan, std::uint64_t seed)
    : stage_(stage), plan_(plan), random_(seed)
  {
  }
  virtual ~AnySubscription() = default;
  /// Takes what is there; how many that were.
  virtual std::size_t take_some(std::size_t most) = 0;
  virtual void release_due(std::uint64_t now) = 0;
  virtual SubscriptionBase& base() = 0;

  /// At the end, when the topic is quiet: what the publishers say they published must have come.
  void compare_with_publishers();
  void forget_publishers() { std::unordered_map<std::uint64_t, Seen>().swap(seen_); }

 protected:
  struct Seen
  {
    std::uint64_t sequence = 0;
    std::uint64_t first = 0;
    std::uint64_t numbers[4] = {};
    std::uint32_t flags = 0;
  };

  void note(const Header& header, const MessageInfo& info, std::uint64_t bytes);
  void check_losses();

  const Stage stage_;
  const SubscriptionPlan plan_;
  Random random_;
  std::unordered_map<std::uint64_t, Seen> seen_;
  std::uint64_t gaps_ = 0;         ///< between messages that were received
  std::uint64_t lost_before_ = 0;  ///< of lost_count(), what is on the board already
};

template <class T>
class TypedSubscription : public AnySubscription
{
 public:
  TypedSubscription(const Stage& stage, Node& node, const SubscriptionPlan& plan,
                    std::uint64_t seed)
    : AnySubscription(stage, plan, seed)
  {
    const std::string topic = "/storm/t" + std::to_string(plan.topic);
    const SubscriptionOptions options{plan.hold_limit};
    if (plan.with_callback) {
      subscription_ = node.create_subscription<T>(
        topic, plan.qos, [this](ipc_shared_ptr<const T> message) { receive(std::move(message)); },
        options);
    } else {
      subscription_ = node.create_subscription<T>(topic, plan.qos, options);
    }
    stage.count(Count::endpoints);
  }
  ~TypedSubscription() override
  {
    // Half of the time the messages outlive their subscription.
    if (random_.chance(50)) subscription_.reset();
    release_due(~std::uint64_t{0});
  }

  std::size_t take_some(std::size_t most) override
  {
    std::size_t count = 0;
    while (count < most) {
      make_room();
      auto message = subscription_->take();
      if (!message) break;
      ++count;
      receive(std::move(message));
    }
    return count;
  }

  void release_due(std::uint64_t now) override
  {
    for (std::size_t i = 0; i < held_.size();) {
      if (held_[i].due > now) {
        ++i;
        continue;
      }
      verify(*held_[i].message, held_[i].message.info(), "at release");
      held_[i] = std::move(held_.back());
      held_.pop_back();
    }
  }
  SubscriptionBase& base() override { return *subscription_; }

 private:
  struct Held
  {
    ipc_shared_ptr<const T> message;
    std::uint64_t due;
  };

  void make_room()
  {
    if (held_.size() >= plan_.hold_limit) release_due(~std::uint64_t{0});
  }

  bool verify(const T& message, const MessageInfo& info, const char* when)
  {
    stage_.count(Count::verified);
    const std::uint64_t found = checksum_of(message);
    if (found == message.header.checksum && message.header.publisher == info.publisher_id)
      return true;
    stage_.count(Count::corrupted);
    report(*stage_.board, stage_.seat,
           "corrupted %s: topic %u publisher %llu (says %llu) sequence %llu number %llu checksum "
           "%llx, computed %llx, at %p",
           when, plan_.topic, static_cast<unsigned long long>(info.publisher_id),
           static_cast<unsigned long long>(message.header.publisher),
           static_cast<unsigned long long>(info.sequence),
           static_cast<unsigned long long>(message.header.number),
           static_cast<unsigned long long>(message.header.checksum),
           static_cast<unsigned long long>(found), static_cast<const void*>(&message));
    return false;
  }

  void receive(ipc_shared_ptr<const T> message)
  {
    if (!verify(*message, message.info(), "at take")) return;
    note(message->header, message.info(), bytes_of(*message));
    const bool keep = plan_.hold_ms_max != 0 && held_.size() + 1 < plan_.hold_limit;
    if (!keep) return;
    held_.push_back(
      {std::move(message), now_ns() + random_.below(plan_.hold_ms_max * std::uint64_t{1'000'000})});
  }

  std::shared_ptr<Subscription<T>> subscription_;
  std::vector<Held> held_;
};

/// Makes a TypedPublisher or TypedSubscription of the type that the topic carries.
std::unique_ptr<AnyPublisher> make_publisher(const Stage& stage, Node& node, std::uint32_t topic,
                                             const QoS& qos, std::chrono::nanoseconds timeout,
                                             bool stable);
std::unique_ptr<AnySubscription> make_subscription(const Stage& stage, Node& node,
                                                   const SubscriptionPlan& plan,
                                                   std::uint64_t seed);

}  // namespace agnocast::storm

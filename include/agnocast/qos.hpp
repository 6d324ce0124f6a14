// Quality of service of a publisher or a subscription.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace agnocast {

enum class History : std::uint8_t {
  keep_last,  ///< a subscription gets at most the newest `depth` unread messages of its topic, over
              ///< all publishers together; older ones are lost
  keep_all,   ///< nothing is dropped: a publish waits for the slowest reliable subscription
};

enum class Reliability : std::uint8_t { best_effort, reliable };

enum class Durability : std::uint8_t {
  volatile_,        ///< a late subscription starts with the next message
  transient_local,  ///< a publisher keeps its newest `depth`; a late subscription starts with as
                    ///< many of them as its own depth admits
};

/// Quality of service. The names are those of ROS 2. A plain value; thread-safe as such.
///
/// Publishers and subscriptions of any two settings connect; what is promised is the weaker of
/// the two: a late subscription gets old messages only if both are transient_local, and a publish
/// waits only if the publisher is keep_all and reliable, and only for subscriptions that are so
/// too. A keep_all subscription of a keep_last publisher gets as many as that one keeps.
class QoS
{
 public:
  static constexpr std::size_t depth_max = 65'536;
  static constexpr std::size_t keep_all_default_limit = 1'024;

  /// keep_last(depth), reliable, volatile. A depth of 0 or above depth_max is refused with a
  /// SettingError when a publisher or a subscription is created with it.
  constexpr explicit QoS(std::size_t depth) noexcept : depth_(depth) {}

  constexpr QoS& keep_last(std::size_t depth) noexcept
  {
    history_ = History::keep_last;
    depth_ = depth;
    return *this;
  }
  /// Keep every message until all reliable keep_all subscriptions have taken it; at most `limit`
  /// unread ones, then publish() waits.
  constexpr QoS& keep_all(std::size_t limit = keep_all_default_limit) noexcept
  {
    history_ = History::keep_all;
    depth_ = limit;
    return *this;
  }
  constexpr QoS& reliable() noexcept
  {
    reliability_ = Reliability::reliable;
    return *this;
  }
  constexpr QoS& best_effort() noexcept
  {
    reliability_ = Reliability::best_effort;
    return *this;
  }
  constexpr QoS& durability_volatile() noexcept
  {
    durability_ = Durability::volatile_;
    return *this;
  }
  constexpr QoS& transient_local() noexcept
  {
    durability_ = Durability::transient_local;
    return *this;
  }

  [[nodiscard]] constexpr std::size_t depth() const noexcept { return depth_; }
  [[nodiscard]] constexpr History history() const noexcept { return history_; }
  [[nodiscard]] constexpr Reliability reliability() const noexcept { return reliability_; }
  [[nodiscard]] constexpr Durability durability() const noexcept { return durability_; }

 private:
  std::size_t depth_;
  History history_ = History::keep_last;
  Reliability reliability_ = Reliability::reliable;
  Durability durability_ = Durability::volatile_;
};

/// What publish() does about a part of a message that lies outside of the shared heap, such as a
/// vector that was built before the loan and moved in: no other process could read it.
enum class Audit : std::uint8_t {
  move,    ///< moves it into the shared heap, counts it, and says so once
  refuse,  ///< does not publish the message, and says so once
  off,     ///< does not look
};

/// Settings of one publisher beside its QoS.
struct PublisherOptions
{
  /// How long a publish under keep_all waits for the slowest subscription before it gives up.
  std::chrono::nanoseconds keep_all_timeout = std::chrono::seconds(1);
  /// In bytes: how much may be kept beyond the publisher's own depth, because subscriptions of a
  /// greater depth have not read it yet. Beyond it, and all of it when the shared heap cannot grow,
  /// the oldest go first, and count as lost where they were not read. Counted are messages with
  /// what their containers own, as far as the audit sees it; of other types, what the shared heap
  /// grew by.
  std::size_t retention_limit = std::size_t{128} << 20;
  /// Refuse to create the publisher of a type with containers if the malloc hook is not in force.
  /// Set to false only for types whose memory comes from shared_memory_resource().
  bool require_hook = true;
  /// One comparison for each container and each node of a list, map or set; no cost for types that
  /// cannot point anywhere. What the compiler cannot see into is not looked at: see
  /// TypeDescription::is_complete().
  Audit audit = Audit::move;
};

/// Settings of one subscription beside its QoS.
struct SubscriptionOptions
{
  /// How many messages may be held at once, over all publishers of the topic: 1 to 4096.
  std::size_t hold_limit = 64;
  /// Check every pointer of a message against its sender's area before take() returns it; a message
  /// that fails is dropped, counted by SubscriptionBase::rejected_count() and reported once. Guards
  /// against a publisher that writes nonsense, not against one that changes the message later on.
  /// Costs time in proportion to the number of containers and nodes; messages of types with unknown
  /// parts are not checked there.
  bool verify = false;
};

}  // namespace agnocast

// The receiving end: connections to all publishers of a topic, take, release.
//
// Who writes what: this process, in its own area, the subscription and its connections.
//
// Invariants
// 1. The list of connections only grows; a connection that is out of use (publisher_id 0) keeps its
//    place and is used again, so that a publisher that walks the list misses nobody.
// 2. The endpoint stays registered while a message of it is held, also after close().
// 3. Nothing is taken and no connection opened after close(): whoever still has the core finds it
//    empty. So the holds only become fewer from then on, and connections stay until there are none.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/log.hpp"
#include "os/short_lock.hpp"
#include "topic/connection.hpp"
#include "topic/context.hpp"
#include "topic/look_request.hpp"

namespace agnocast::internal {

/// Of an agnocast_connection with so many holds.
inline std::size_t connection_bytes(std::uint32_t hold_limit) noexcept
{
  return AGNOCAST_HOLDS_OFFSET + (hold_limit < 4 ? 4 : hold_limit) * sizeof(std::uint64_t);
}

enum class TakeOutcome { taken, nothing, hold_limit };

struct Taken
{
  TakeOutcome outcome = TakeOutcome::nothing;
  const void* address = nullptr;
  Handle* handle = nullptr;
};

/// Thread-safe.
class SubscriptionCore : public std::enable_shared_from_this<SubscriptionCore>
{
 public:
  static Result<std::shared_ptr<SubscriptionCore>> create(Context& context,
                                                          EndpointRequest endpoint,
                                                          std::uint32_t hold_limit);
  ~SubscriptionCore();
  SubscriptionCore(const SubscriptionCore&) = delete;
  SubscriptionCore& operator=(const SubscriptionCore&) = delete;

  /// Who decides, before a message is handed out, whether it is fit for that. Set before the
  /// subscription is used; called without a lock.
  using Accepts = std::function<bool(const void* message, const PeerArea& sender)>;
  void set_accepts(Accepts accepts) { accepts_ = std::move(accepts); }
  [[nodiscard]] std::uint64_t rejected_count() const noexcept
  {
    return rejected_.load(std::memory_order_relaxed);
  }

  /// The next message that was published until then, or the newest.
  Taken take(bool newest, std::uint64_t published_until_ns = ~std::uint64_t{0});
  /// True if take() would find something. Who may sleep if not is not kept waiting for news of
  /// publishers.
  bool is_ready(bool may_sleep_next = false);
  /// The next look is at all publishers: a hint may have got lost.
  void look_at_all();
  /// The same, even if the limit of held messages stands in the way.
  bool has_unread();
  /// For the control thread, and for all who are not on the message path: connects to publishers
  /// that came and lets go of those that went, if the topic's generation moved.
  void prepare_if_changed();
  /// For the control thread: tries again to reach publishers that could not be mapped, or were not
  /// ready yet, and removes those that are dead. True if there are any left to try.
  bool retry_unreachable();

  /// Whether there is anything for it; takes no lock.
  [[nodiscard]] bool has_unreachable() const noexcept
  {
    return has_unreachable_.load(std::memory_order_relaxed);
  }

  /// For the control thread: lets go of publishers whose areas are broken.
  void drop_broken();

  /// Called by the last ipc_shared_ptr of a message, on any thread. Waits for no other process.
  void release(ReceivedHandle& handle) noexcept;

  /// No messages from now on; the core lives on by itself while messages are held, and until the
  /// control thread has found that none is.
  void close();
  /// For the control thread: whether finish_if_done() has something to do.
  [[nodiscard]] bool is_done() const noexcept
  {
    return closed_.load() && held_count() == 0 && !finished_.load();
  }
  /// Leaves the registry, once closed and when nothing is held.
  void finish_if_done() noexcept;

  /// The wait set that publishers wake, or AGNOCAST_NO_WAITER, and which of many it is there.
  void set_waiter(std::uint32_t waiter, std::uint32_t hint = 0) noexcept;
  /// Takes the subscription out of that wait set if it is still in it.
  void clear_waiter(std::uint32_t waiter) noexcept;
  [[nodiscard]] std::uint32_t waiter() const noexcept;
  /// Who is told when the subscription is closed, or when somebody else wants to be told.
  void set_on_leave(std::function<void()> tell);

  [[nodiscard]] const EndpointRequest& endpoint() const noexcept { return endpoint_; }
  [[nodiscard]] const EndpointTicket& ticket() const noexcept { return ticket_; }
  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint32_t hold_limit() const noexcept { return hold_limit_; }
  [[nodiscard]] std::uint64_t lost_count() const noexcept
  {
    return lost_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t held_count() const noexcept
  {
    // In this order, so that it never comes out below 0.
    const std::uint32_t released = released_.load(std::memory_order_seq_cst);
    return taken_.load(std::memory_order_relaxed) - released;
  }
  std::size_t publisher_count();

 private:
  /// Publishers that died with unread messages keep their areas mapped; beyond these the oldest go.
  static constexpr std::size_t draining_max = 16;

  SubscriptionCore(Context& context, EndpointRequest endpoint, std::uint32_t hold_limit);
  Status start();
  Taken take_next(bool newest, std::uint64_t published_until_ns);
  /// What a look at the registry found, before it is taken over.
  struct Prepared
  {
    std::vector<std::unique_ptr<Connection>> connections;
    /// Publishers whose ring is not ready yet: looked for again soon. Kept mapped, so that the
    /// control thread notices if they die before it is.
    std::vector<std::shared_ptr<PeerArea>> starting;
    std::vector<PeerIdentity> unreachable;  ///< processes that could not be mapped
    std::string unreachable_why;
    std::vector<std::uint64_t> ignored;  ///< publishers that wrote something impossible
    bool lacks_place = false;            ///< the control part had no room for a connection
    std::string complaint;               ///< to be said once no lock is held
  };

  void prepare();
  void prepare_locked(Prepared& prepared);
  void connect(const EndpointView& publisher, Prepared& prepared);
  void take_over(Prepared& prepared, const std::vector<EndpointView>& views);
  [[nodiscard]] std::vector<std::uint64_t> known_publishers();
  [[nodiscard]] bool is_current() const;
  void ask_for_publishers(bool is_urgent);
  void announce_departure() const noexcept;
  void wake_own() const noexcept;
  void skip_beyond_depth();
  void collect_hints_locked() noexcept;
  /// Under the lock.
  [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
  /// What a connection takes of what there is little of.
  struct Place
  {
    std::uint64_t offset = 0;  ///< of an agnocast_connection; 0: there is no room for one
    std::uint32_t hint = 0;
  };
  Place take_place();
  std::uint64_t free_connection();
  void give_back(Place place) noexcept;
  void give_back_locked(Place place) noexcept;
  void drop_finished_locked();
  void drop_broken_locked() noexcept;
  void complain_of_broken() noexcept;
  [[nodiscard]] bool has_unread_locked() noexcept;
  void count_lost(std::uint64_t messages) noexcept;
  void measure_delay(std::uint64_t publish_time_ns) noexcept;
  Connection* oldest_unread(std::uint64_t published_until_ns);
  Connection* newest_unread();

  Context& context_;
  EndpointRequest endpoint_;
  const std::uint32_t epoch_;
  const std::uint32_t hold_limit_;
  Accepts accepts_;
  EndpointTicket ticket_{};
  const std::uint64_t* generation_ = nullptr;
  agnocast_subscription* shared_ = nullptr;

  std::mutex prepare_mutex_;           ///< one look at the registry at a time; taken before mutex_
  std::vector<std::uint64_t> places_;  ///< offsets of all agnocast_connections of the list

  os::ShortLock mutex_;  ///< guards all below but the atomics
  std::vector<std::unique_ptr<Connection>> connections_;
  HintSet hints_;  ///< of connections_: who takes looks only at those that are listed
  std::vector<std::uint64_t> free_places_;  ///< those out of use; has room for all
  std::uint64_t seen_generation_ = 0;
  LookRequest publishers_request_;
  struct Oldest
  {
    std::uint64_t stamp_ns;  ///< of the connection's next message
    std::uint64_t unread;
    Connection* connection;
  };
  std::vector<Oldest> oldest_;        ///< scratch of skip_beyond_depth()
  std::uint64_t measured_at_ns_ = 0;  ///< when the last message was published that was measured
  std::vector<std::shared_ptr<PeerArea>> starting_;
  std::vector<PeerIdentity> unreachable_;
  bool lacks_place_ = false;
  /// unreachable_ or starting_ has any. Written under the lock; the control thread reads it
  /// without, so that a subscription that polls never finds the lock taken. Relaxed: it looks
  /// again.
  std::atomic<bool> has_unreachable_{false};
  std::string unreachable_why_;
  Once unreachable_said_;
  std::vector<std::uint64_t> ignored_;             ///< has room for all connections too
  std::vector<std::shared_ptr<PeerArea>> broken_;  ///< to be complained of; has room for all
  std::atomic<bool> has_broken_{false};            ///< whether there are any; relaxed, as above
  std::function<void()> on_leave_;
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<bool> wants_room_{false};
  std::atomic<std::uint32_t> taken_{0};  ///< changed under the lock, and only while not closed_
  std::atomic<std::uint32_t> released_{0};
  /// Set once, under the lock, which every entry that takes or connects asks under. release() reads
  /// it without.
  std::atomic<bool> closed_{false};
  std::atomic<bool> finished_{false};
  std::shared_ptr<SubscriptionCore> self_;  ///< while closed and messages are held
};

}  // namespace agnocast::internal

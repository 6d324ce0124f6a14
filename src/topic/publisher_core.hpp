// The publishing end: ring, retire, reclaim, wake.
//
// Who writes what: this process its ring and entries, and words of its subscribers' doorbells.
//
// Ordering, publish against a subscriber that goes to sleep:
//
//     publisher                                subscriber (WaitSetCore::wait)
//     ---------                                ----------
//     head := seq            (A)               sleeping := 1          (C)
//     load sleeping          (B)               load head              (D)
//
//   All four are seq_cst. Forbidden: B reads 0 and D reads the old head; then nobody would wake the
//   subscriber. In the single order of the four, whichever of A and C is later is seen by neither's
//   miss: B after C, or D after A.
//
// Ordering, retire against a subscriber that takes the same message:
//
//     publisher                                subscriber (SubscriptionCore::take)
//     ---------                                ----------
//     entry.mark := retired  (A)               load entry.mark == seq, load address
//     load topic generation  (B)               hold := seq            (D)
//     load hold              (C)               load entry.mark        (E)
//     free if no hold
//
//   A to E are seq_cst. Forbidden: C misses the hold and E still reads seq; then the message would
//   be freed under its reader. If E reads seq then E is before A, so D is before C, and C sees it.
//   A newcomer cannot be missed: it registered (a new generation) before it set its hold, so either
//   B sees the new generation and the holds of the newcomer are looked at, or its E is after A.
//
// If we die here: everything of this ring stays as it is; subscribers read on to the last entry
// that was marked.
//
// Source: hazard pointers, M. M. Michael, IEEE TPDS 15(6), 2004, here between processes.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "os/short_lock.hpp"
#include "topic/context.hpp"

namespace agnocast::internal {

enum class PublishOutcome { timed_out, published, published_and_many_retired };

struct PublisherSetup
{
  EndpointRequest endpoint;
  void (*destroy)(void* message, const void* context);
  const void* destroy_context;  ///< lives for good
  std::chrono::nanoseconds keep_all_timeout;
};

struct PublishedMessage
{
  std::uint64_t sequence;
  std::int64_t stamp_ns;
};

/// Thread-safe. Destructors of messages run without a lock held.
class PublisherCore : public std::enable_shared_from_this<PublisherCore>
{
 public:
  static Result<std::shared_ptr<PublisherCore>> create(Context& context, PublisherSetup setup);
  ~PublisherCore();
  PublisherCore(const PublisherCore&) = delete;
  PublisherCore& operator=(const PublisherCore&) = delete;

  /// Room for one message in the shared heap; nullptr if it cannot grow. First destroys and frees
  /// what is retired and held by nobody, and of large messages what all have read.
  void* allocate_message() noexcept;
  void free_message(void* message) noexcept;
  void destroy_message(void* message) noexcept;

  /// On timed_out, keep_all found no room in time, and the message is the caller's. Runs nothing of
  /// the user's.
  PublishOutcome publish(void* message, std::uint64_t owned_bytes = 0);
  /// So many parts of a message were moved into the shared heap before it was published.
  void count_moved(std::uint64_t parts) noexcept;
  [[nodiscard]] std::uint64_t moved_count() const noexcept;
  /// Destroys and frees what is retired and held by nobody.
  void reclaim_retired() noexcept;
  /// Frees what no subscription needs. Returns how many messages that were.
  std::size_t reclaim_early();
  enum class Look {
    empty,       ///< no message is left to free
    in_use,      ///< it lent or published since the last look, and reclaims by itself
    waits,       ///< there are messages, and all are wanted or held
    has_unheld,  ///< reclaim_early() would free some, or find out more
  };
  /// For the control thread: what there is to do for reclaim_early(). Runs nothing of the user's
  /// and waits for nobody but the lock, which it leaves to a publisher that is in use: that must
  /// not find it taken by a thread that the machine has put aside.
  Look look_if_idle();

  /// Gives subscriptions that were there first a moment (at most 50 ms) to connect to a publisher
  /// that publishes and leaves at once; they find what is unread once they have its area mapped.
  void wait_for_readers();
  /// Leaves the topic. What is unread or held stays; reclaim_early() frees it later.
  void close();
  /// After close(): true when no subscription is connected and no message is left.
  [[nodiscard]] bool is_finished();

  [[nodiscard]] const EndpointRequest& endpoint() const noexcept { return setup_.endpoint; }
  [[nodiscard]] std::uint64_t id() const noexcept { return ticket_.id; }
  [[nodiscard]] std::uint32_t topic() const noexcept { return ticket_.topic; }
  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::size_t retained_count();
  [[nodiscard]] std::size_t subscription_count() const;
  /// The processes that subscribe to the topic now, for announcements.
  std::vector<PeerIdentity> subscriber_processes() const;
  /// Which process holds how many of the messages that wait to be freed, in words.
  std::string holders();
  /// Rings every connected wait set: a subscriber that sleeps looks for new publishers.
  void wake_all();

 private:
  struct Peer
  {
    std::uint64_t id = 0;
    std::shared_ptr<PeerArea> area;
    const agnocast_subscription* subscription = nullptr;
    const agnocast_connection* connection = nullptr;  ///< nullptr until the subscriber connects
    std::uint32_t holds_capacity = 0;                 ///< of the connection, checked
    std::uint32_t depth = 0;                          ///< 0: closed, only its holds count
    bool blocks = false;                              ///< keep_all and reliable
    bool is_unlisted = false;  ///< not in the registry any more, but its holds stand
  };
  /// Messages to destroy once the lock is given back. What does not fit waits for the next time.
  struct Unheld
  {
    std::array<void*, 32> messages;
    std::size_t count = 0;
    [[nodiscard]] bool is_full() const noexcept { return count == messages.size(); }
  };
  struct Retired
  {
    std::uint64_t sequence;
    void* message;
  };

  PublisherCore(Context& context, PublisherSetup setup);
  Status start();
  bool make_ring(std::uint32_t entries_log2);
  [[nodiscard]] agnocast_ring_entry& entry(std::uint64_t sequence) const noexcept
  {
    return entries_[sequence & entry_mask_];
  }
  [[nodiscard]] std::uint64_t live_count() const noexcept { return head_ + 1 - tail_; }
  void count_use() noexcept;
  void refresh_if_changed() noexcept;
  void refresh();
  bool add_peer(const EndpointView& view, std::vector<Peer>& peers);
  void keep_unlisted_holders(std::vector<Peer>& peers);
  void look_who_needs_care() noexcept;
  void drop_gone_holders();
  [[nodiscard]] bool wants_oldest(Peer& peer) const;
  bool wait_for_room(std::unique_lock<os::ShortLock>& lock);
  [[nodiscard]] std::uint64_t slowest_cursor(bool blocking_only);
  const agnocast_connection* find_connection(Peer& peer) const;
  void retire_oldest();
  void retire_read();
  void reclaim_before_loan() noexcept;
  [[nodiscard]] bool awaits_reader();
  void wake_sleepers();
  void collect_unheld(Unheld& unheld);
  [[nodiscard]] bool gather_holds();
  std::vector<PeerIdentity> look_for_unreachable();
  void say_unreachable();
  void destroy_all(const Unheld& unheld) noexcept;

  Context& context_;
  PublisherSetup setup_;
  const std::uint32_t epoch_;
  EndpointTicket ticket_{};
  const std::uint64_t* generation_ = nullptr;
  std::uint32_t waiter_ = AGNOCAST_NO_WAITER;

  std::atomic<std::size_t> used_at_loan_{0};  ///< of the heap, by all that allocate from it
  /// Loans and publishes; written under the lock, read by the control thread without. Relaxed: what
  /// is missed is seen at its next look.
  std::atomic<std::uint64_t> uses_{0};
  std::atomic<bool> needs_care_{false};  ///< somebody unreachable or unlisted: written as uses_
  std::uint64_t uses_seen_ = 0;          ///< by the control thread, its own
  std::uint64_t empty_since_use_ = ~std::uint64_t{0};  ///< the same: no message was left then

  os::ShortLock mutex_;  ///< guards all below, and the writing side of the ring
  std::uint64_t ring_offset_ = 0;
  agnocast_ring* ring_ = nullptr;
  agnocast_ring_entry* entries_ = nullptr;
  std::uint64_t entry_mask_ = 0;
  std::vector<std::pair<std::uint64_t, std::size_t>>
    entry_blocks_;  ///< offset and bytes; last is used
  /// As in the entries: which message to destroy is never read from the area, where another process
  /// of the same user may have wiped it.
  std::vector<void*> messages_;
  std::uint64_t head_ = 0;  ///< as in the ring
  std::uint64_t total_bytes_ = 0;
  std::uint64_t tail_ = 1;
  std::uint64_t retention_ = 0;
  std::uint64_t seen_generation_ = 0;
  /// Subscribers whose holds cannot be seen: nothing may be freed while there are any.
  std::vector<PeerIdentity> unreachable_;
  std::string unreachable_why_;
  bool is_large_ = false;  ///< what was published last, as far as the heap's growth tells
  bool closed_ = false;
  std::uint32_t waiting_ = 0;  ///< threads in wait_for_room()
  Once unreachable_said_;
  std::vector<Peer> peers_;
  std::size_t in_the_way_ = 0;        ///< place in peers_ of one that wanted the oldest message
  std::vector<Retired> retired_;      ///< has room for all that is live: retiring does not allocate
  std::vector<std::uint64_t> holds_;  ///< scratch of gather_holds
};

}  // namespace agnocast::internal

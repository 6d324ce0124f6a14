// The publishing end: puts together the ring, the readers and the retired messages.
//
// Who writes what: this process its ring and entries, and words of its subscribers' doorbells.
//
// A message lives as long as somebody whom it concerns may still want it: it is among the newest
// `depth` of a transient_local publisher, or a reader has not read past it and it is within that
// reader's depth. What others make a publisher keep beyond its own depth is bounded in bytes.
// publish() retires what is beyond every depth; what all have read goes with the next loan, once
// there is enough of it, or with the control thread.
//
// Invariants
// 1. Nothing is freed, and nothing retired but for want of room, while the topic's generation is
// not
//    that of the list of readers: somebody may read who is not in it.
// 2. The list of readers is replaced under prepare_mutex_ and mutex_ together, so it may be read
//    under either.
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
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "os/short_lock.hpp"
#include "topic/context.hpp"
#include "topic/look_request.hpp"
#include "topic/reader_list.hpp"
#include "topic/retired_messages.hpp"
#include "topic/ring.hpp"

namespace agnocast::internal {

enum class PublishOutcome { timed_out, published, published_and_many_retired };

struct PublisherSetup
{
  EndpointRequest endpoint;
  void (*destroy)(void* message, const void* context);
  const void* destroy_context;  ///< lives for good
  std::chrono::nanoseconds keep_all_timeout;
  std::uint64_t surplus_bytes_max;  ///< PublisherOptions::retention_limit
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
  /// Registers it: from here on subscriptions may connect, so it must be closed, and kept until it
  /// is finished. Its readers are looked up by prepare_if_changed().
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
  /// Frees what only the depth of others keeps, blocking readers excepted: the heap cannot grow.
  /// Returns how many messages that were.
  std::size_t give_up_surplus() noexcept;
  /// For the control thread, and for all who are not on the message path: looks who reads the
  /// topic, if that may have changed, and rings those who came.
  void prepare_if_changed();
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

  /// Gives subscriptions that were there first a moment (at most 50 ms) to connect, so that who has
  /// created a publisher can rely on it: what it publishes, they find. A process that does not
  /// answer in that time is not waited for again.
  void wait_for_readers();
  /// The same for a publisher that leaves: if anything is unread.
  void wait_for_last_readers();
  /// Leaves the topic. What is unread or held stays; reclaim_early() frees it later.
  void close() noexcept;
  /// After close(): true when no subscription is connected and no message is left.
  [[nodiscard]] bool is_finished();

  [[nodiscard]] const EndpointRequest& endpoint() const noexcept { return setup_.endpoint; }
  [[nodiscard]] const EndpointTicket& ticket() const noexcept { return ticket_; }
  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::size_t retained_count();
  [[nodiscard]] std::size_t subscription_count() const;
  /// Which process holds how many of the messages that wait to be freed, in words.
  std::string holders();
  /// Rings every connected wait set: a subscriber that sleeps looks for new publishers.
  void wake_all();

 private:
  /// Messages to destroy once the lock is given back. What does not fit waits for the next time.
  struct Unheld
  {
    std::array<void*, 32> messages;
    std::size_t count = 0;
    [[nodiscard]] bool is_full() const noexcept { return count == messages.size(); }
  };

  PublisherCore(Context& context, PublisherSetup setup);
  Status start();
  void count_use() noexcept;
  [[nodiscard]] bool is_current() const noexcept;
  void ask_for_readers(bool is_urgent) noexcept;
  void tell_live_max(std::uint64_t messages) noexcept;
  void prepare();
  /// What a list of readers needs, before it is in use.
  struct Room
  {
    std::uint64_t depth;
    std::optional<Ring::Growth> growth;
    RetiredMessages::Room retired;
  };
  Room make_room_for(const ReaderList& list);
  void take_over(std::unique_ptr<ReaderList>& list, Room& room);
  void ring_newcomers(const ReaderList& former);
  std::uint32_t leave_hints(Reader& reader) noexcept;
  void ring(Reader& reader);
  [[nodiscard]] std::uint64_t kept_bytes(std::uint64_t told_bytes, bool is_known) const noexcept;
  void look_who_needs_care() noexcept;
  void make_room_in_ring(std::unique_lock<os::ShortLock>& lock);
  bool wait_for_room(std::unique_lock<os::ShortLock>& lock);
  [[nodiscard]] std::uint64_t slowest_cursor(bool blocking_only);
  void retire_oldest();
  void retire_beyond_depth();
  void retire_surplus(std::uint64_t bytes_max);
  [[nodiscard]] bool wants_oldest(Reader& reader);
  [[nodiscard]] bool must_look_again();
  void retire_read();
  void reclaim_before_loan() noexcept;
  [[nodiscard]] bool is_pass_due() const noexcept;
  [[nodiscard]] bool has_heap_grown() const noexcept;
  [[nodiscard]] bool awaits_reader();
  void wake_sleepers();
  void collect_unheld(Unheld& unheld);
  template <class Retire>
  std::size_t reclaim_rounds(Retire retire);
  [[nodiscard]] bool note_holds();
  std::vector<Unreachable> unreachable();
  void say_unreachable(const Unreachable& subscriber);
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
  Once broken_said_;
  std::uint64_t empty_since_use_ = ~std::uint64_t{0};  ///< the same: no message was left then

  std::mutex prepare_mutex_;  ///< one list of readers at a time; taken before mutex_
  std::vector<std::uint64_t> unreachable_said_;  ///< processes; guarded by prepare_mutex_
  os::ShortLock mutex_;  ///< guards all below, and the writing side of the ring
  std::unique_ptr<Ring> ring_;
  RetiredMessages retired_;
  std::unique_ptr<ReaderList> readers_;
  LookRequest readers_request_;
  std::int64_t published_at_ns_ = 0;
  std::uint64_t depth_ = 0;       ///< the newest so many are live, whoever has read them
  std::uint64_t live_max_ = 0;    ///< as in the ring
  std::size_t in_the_way_ = 0;    ///< place in the list of one that wanted the oldest message
  std::size_t used_at_pass_ = 0;  ///< of the heap when holds were looked at last, or less since
  std::size_t looked_at_ = 0;     ///< words of holds, in the last pass
  bool closed_ = false;
  std::uint32_t waiting_ = 0;  ///< threads in wait_for_room()
};

}  // namespace agnocast::internal

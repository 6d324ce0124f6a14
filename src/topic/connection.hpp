// One subscription's view of one publisher: cursor and holds.
//
// Who writes what: this process the agnocast_connection in its own area; the publisher its ring,
// which is read here and checked: bounds of the entries, range and alignment of every address.
//
// If we die here: the holds stand, and count for nothing once the kernel has marked us dead.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "agnocast/ipc_shared_ptr.hpp"
#include "memory/hint_set.hpp"
#include "topic/context.hpp"

namespace agnocast::internal {

class Connection;

/// What stands behind an ipc_shared_ptr to a received message: one for each hold, made in advance.
struct ReceivedHandle : InformedHandle
{
  Connection* connection = nullptr;
  std::uint32_t hold = 0;
};

/// What a connection has to know of its subscription.
struct ConnectionSetup
{
  std::uint64_t offset;  ///< of an agnocast_connection in the own area that nobody uses
  std::uint32_t hint;    ///< of the subscription's HintSet
  std::uint32_t hold_limit;
  std::uint64_t message_bytes;
  std::uint64_t message_alignment;
  bool reliable_keep_all;
  std::uint64_t depth;            ///< the newest so many unread messages can be taken
  std::uint64_t publisher_depth;  ///< so many old ones a late transient_local connection gets
  std::uint64_t clock_offset_ns;  ///< to add to the domain's time stamps
  SubscriptionCore* owner;
};

/// Thread safety: release_hold() from any thread; all else under the subscription's lock.
class Connection : public Candidate
{
 public:
  enum class Start { first, oldest, next };
  struct Peeked
  {
    std::uint64_t stamp_ns;  ///< 0 if the publisher's stamp is of the future
  };

  Connection(Context& context, const ConnectionSetup& setup, const EndpointView& publisher,
             std::shared_ptr<PeerArea> area, const agnocast_ring* ring, Start start);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// No system call. Pairs with the publisher's store of head. A publisher whose head names what
  /// its entries do not have is broken.
  [[nodiscard]] bool has_unread() noexcept;
  /// How many can be taken at the most.
  [[nodiscard]] std::uint64_t unread_count() const noexcept;
  /// The stamp of the next message that can be taken; moves past messages that are gone.
  std::optional<Peeked> peek() noexcept;
  /// Takes the message that peek() found, if it is still there.
  ReceivedHandle* take(const void*& address) noexcept;
  /// Moves past all messages but the newest.
  void skip_to_newest() noexcept;
  /// Moves past all messages.
  void skip_all() noexcept;
  /// Moves past the message that peek() found, in favour of another publisher's.
  void skip_peeked() noexcept { move_cursor(cursor_ + 1); }
  /// The same, but it counts as lost, unless it is older than the connection and none was taken
  /// yet.
  void lose_peeked() noexcept;

  void release_hold(std::uint32_t hold) noexcept;

  [[nodiscard]] std::uint64_t publisher_id() const noexcept { return publisher_id_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return setup_.offset; }
  [[nodiscard]] const PeerArea& area() const noexcept { return *area_; }
  [[nodiscard]] const std::shared_ptr<PeerArea>& shared_area() const noexcept { return area_; }
  [[nodiscard]] SubscriptionCore* owner() const noexcept { return setup_.owner; }
  [[nodiscard]] std::uint64_t take_lost() noexcept { return std::exchange(lost_, 0); }
  [[nodiscard]] bool is_broken() const noexcept { return broken_; }
  /// True if the last peek() or take() found that the next message is not published yet.
  [[nodiscard]] bool is_caught_up() const noexcept { return is_caught_up_; }
  [[nodiscard]] bool is_held() const noexcept;

  /// The publisher has left: what is unread may still be taken.
  std::atomic<bool> draining{false};
  /// Takes the connection out of use; its place in the list stays and may be used again.
  void disconnect() noexcept;

 private:
  [[nodiscard]] std::uint64_t head() const noexcept;
  bool locate_entries() noexcept;
  const agnocast_ring_entry* next_entry() noexcept;
  std::uint64_t believed(std::uint64_t stamp_ns) noexcept;
  bool skip_gone() noexcept;
  bool skip_beyond_depth() noexcept;
  void skip_to(std::uint64_t sequence) noexcept;
  void tell_publisher() noexcept;
  std::optional<std::uint32_t> reserve_hold() noexcept;
  void set_holds_end(std::uint32_t hold) noexcept;
  void move_cursor(std::uint64_t sequence) noexcept;

  const ConnectionSetup setup_;
  const std::uint64_t publisher_id_;
  const std::shared_ptr<PeerArea> area_;
  const agnocast_ring* const ring_;
  agnocast_connection& shared_;
  const agnocast_ring_entry* entries_ = nullptr;
  std::uint64_t entries_word_ = 0;
  std::uint64_t entry_mask_ = 0;
  std::uint64_t cursor_ = 1;  ///< as in shared_
  /// Older messages were published before the connection was made, and are no loss as long as none
  /// was taken: then a gap is one.
  std::uint64_t owed_from_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t latest_ns_ = 0;  ///< a time that has passed, as in stamps
  bool is_caught_up_ = false;
  bool broken_ = false;  ///< the publisher wrote something impossible
  std::unique_ptr<ReceivedHandle[]> handles_;
  /// Where to look for a free hold first. A hint: relaxed, and a wrong one costs a longer look.
  std::atomic<std::uint32_t> likely_free_{0};
};

}  // namespace agnocast::internal

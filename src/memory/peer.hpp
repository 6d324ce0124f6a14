// Peers' areas: mapped read-only, checked before they are believed.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "abi/area_layout.h"
#include "base/atomic.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "memory/area.hpp"
#include "memory/window.hpp"
#include "os/bus_guard.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

struct PeerIdentity
{
  std::uint32_t slot;
  std::uint64_t process_id;
  std::string process;  ///< what follows the @ in its names
  std::int32_t pid;
  std::uint64_t pid_namespace;
};

/// The area of one process, as others see it; for the own process, its own.
///
/// Everything read through it may have been written by a hostile process: at() checks where a
/// structure lies, the reader checks what it says. Unmapped with the last reference.
class PeerArea
{
 public:
  PeerArea(const PeerArea&) = delete;
  PeerArea& operator=(const PeerArea&) = delete;

  [[nodiscard]] const PeerIdentity& identity() const noexcept { return identity_; }
  /// The kernel's word on whether the process lives. Pairs with the store that the kernel makes.
  [[nodiscard]] bool is_dead() const noexcept;
  /// For kernels that know no robust futexes: it was found dead by other means.
  void mark_dead() const noexcept { marked_dead_.store(true, std::memory_order_release); }

  /// The owner, or somebody of the same user, has shortened or wiped the file: nothing in it is
  /// believed.
  [[nodiscard]] bool is_broken() const noexcept
  {
    const auto* header = reinterpret_cast<const agnocast_area_header*>(base_);
    // In this order: the first look may be the one that finds the page gone.
    return load_relaxed(header->magic) != AGNOCAST_AREA_MAGIC ||
           (own_ != nullptr ? own_->is_broken() : area_guard_.is_broken());
  }
  /// Nothing that the owner wrote counts any more.
  [[nodiscard]] bool is_gone() const noexcept { return is_broken() || is_dead(); }
  /// It cannot be rung. That is no fault of its owner, who looks by itself.
  [[nodiscard]] bool has_broken_doorbell() const noexcept
  {
    return doorbell_ == nullptr || bell_guard_.is_broken();
  }
  /// Whether to wait a moment for its subscriptions to connect when a publisher leaves: not again
  /// for one that let somebody wait in vain, until it connects to a publisher of this process.
  [[nodiscard]] bool has_patience() const noexcept
  {
    return has_patience_.load(std::memory_order_relaxed);
  }
  void set_patience(bool has) const noexcept
  {
    has_patience_.store(has, std::memory_order_relaxed);
  }
  /// For what is said once about this process however often it misbehaves.
  [[nodiscard]] bool first_complaint() const noexcept { return complained_.first(); }

  /// A structure in the control part, or nullptr if it would not lie there whole and aligned.
  template <class T>
  [[nodiscard]] const T* at(std::uint64_t offset, std::uint64_t bytes = sizeof(T)) const noexcept
  {
    if (offset < AGNOCAST_CONTROL || offset % alignof(T) != 0 || bytes > AGNOCAST_GUARD ||
        offset > AGNOCAST_GUARD - bytes) {
      return nullptr;
    }
    return reinterpret_cast<const T*>(base_ + offset);
  }
  [[nodiscard]] const agnocast_waiter& waiter(std::uint32_t index) const noexcept
  {
    return reinterpret_cast<const agnocast_waiter*>(base_ + AGNOCAST_WAITERS_OFFSET)[index];
  }
  /// True if [address, address + bytes) lies in memory that the owner has secured for its heap.
  /// What is secured up to now can be read then.
  [[nodiscard]] bool holds_message(std::uint64_t address, std::uint64_t bytes) const noexcept;

  /// Where the heap begins, and how many bytes of it holds_message() has made readable so far.
  struct ReadableHeap
  {
    const std::byte* begin;
    std::size_t bytes;
  };
  [[nodiscard]] ReadableHeap readable_heap() const noexcept;

  /// Adds to a doorbell word and wakes who waits on it.
  void ring(std::uint32_t waiter) const noexcept;
  /// Sets a bit in the doorbell; what is no hint does nothing.
  void leave_hint(std::uint32_t hint) const noexcept;

 private:
  friend class PeerTable;
  PeerArea() = default;
  ~PeerArea() = default;
  Status map(const Window& window, bool at_slot);
  int map_doorbell();
  void unmap(bool slot_too) noexcept;
  bool make_readable(std::uint64_t end) const noexcept;

  PeerIdentity identity_;
  const std::byte* base_ = nullptr;
  agnocast_doorbell* doorbell_ = nullptr;
  std::uint64_t slot_bytes_ = 0;
  std::uint32_t epoch_ = 0;
  bool at_slot_ = true;
  bool is_listed_ = false;                              ///< others may have it from the table
  const Area* own_ = nullptr;                           ///< if it is the own one
  mutable std::atomic<std::uint64_t> readable_end_{0};  ///< offset below which the heap is open
  mutable std::atomic<bool> marked_dead_{false};
  mutable std::atomic<bool> has_patience_{true};
  os::BusGuard area_guard_, bell_guard_;
  mutable Once complained_;
};

/// Whether the process that left an area behind is dead for certain.
enum class Remains { none, alive, dead, unknown };
struct RemainsReport
{
  Remains state;
  std::uint64_t process_id = 0;  ///< whose it is; 0: not known, or not registered anywhere
  std::uint32_t domain = 0;      ///< of process_id
  /// The name has come to another process since.
  [[nodiscard]] bool is_of_another(std::uint64_t id) const noexcept
  {
    return process_id != 0 && process_id != id;
  }
};
/// Looks at the area of that name through a descriptor.
RemainsReport examine_area(const std::string& process);

/// What an area is mapped for: its messages only make sense at the slot's own address, while its
/// control part has no pointers and can be read anywhere.
enum class PeerUse { control, messages };

/// All areas that the process has mapped. Thread-safe.
class PeerTable
{
 public:
  /// \p on_change is called, without a lock, whenever an area was mapped or unmapped.
  /// \p occupied: slots at whose addresses a forked process has copies of its forebears' areas.
  void start(const Window& window, const Area& own, std::uint64_t own_id,
             const std::vector<std::uint32_t>& occupied, std::function<void()> on_change);

  /// The area, mapped now if it was not. Fails if it is gone, forbidden or not what the registry
  /// says; for messages also if the slot's addresses are taken: by messages of a dead process that
  /// are still held here, or by what a fork left.
  Result<std::shared_ptr<PeerArea>> get(const PeerIdentity& identity, PeerUse use);

  /// Those that are mapped now, but for the own one.
  std::vector<std::shared_ptr<PeerArea>> mapped();
  /// Never 0, and another one whenever mapped() gives something else.
  [[nodiscard]] std::uint64_t version() const noexcept
  {
    return version_.load(std::memory_order_acquire);  // pairs with changed()
  }

 private:
  Result<std::shared_ptr<PeerArea>> get_locked(const PeerIdentity& identity, PeerUse use,
                                               const std::shared_ptr<PeerArea>& fresh);
  Result<std::shared_ptr<PeerArea>> map_elsewhere(const PeerIdentity& identity,
                                                  const std::shared_ptr<PeerArea>& fresh);
  void changed() noexcept;
  void drop(PeerArea* area) noexcept;

  std::atomic<std::uint64_t> version_{1};
  std::function<void()> on_change_;

  /// Guards all below. Areas are opened and mapped under it, so that no two are mapped over each
  /// other; a thread that waits for that lends its priority. Never held where the last reference to
  /// an area may go: drop() takes it.
  os::ShortLock mutex_;
  const Window* window_ = nullptr;
  std::shared_ptr<PeerArea> own_;
  std::vector<std::weak_ptr<PeerArea>> by_slot_;
  /// Whose mapping stands in each slot. An area that expires while its slot is mapped anew must not
  /// unmap the new one.
  std::vector<const PeerArea*> occupants_;
  std::vector<bool> occupied_by_fork_;
  std::vector<std::weak_ptr<PeerArea>> elsewhere_;  ///< control parts at other addresses
};

}  // namespace agnocast::internal

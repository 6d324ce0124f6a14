// The own area: the slot that this process writes and its peers read, and its doorbell.
//
// Who writes what: this process everything in the area; peers add to the words of the doorbell.
//
// If we die here: an area without magic, or with process_id 0, is a dead joiner's; the next process
// that starts removes it. One with a process_id stands in the registry, and who cleans up that
// record unlinks it first.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/area_layout.h"
#include "base/atomic.hpp"
#include "base/result.hpp"
#include "memory/control_space.hpp"
#include "memory/names.hpp"
#include "memory/window.hpp"
#include "os/bus_guard.hpp"
#include "os/file.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

struct AreaRequest
{
  const Window* window;
  std::uint32_t slot;
  std::string process;  ///< what follows the @ in its names
  std::uint32_t domain;
  std::size_t mempool_bytes;
  std::string mempool_source;
  Permissions permissions;
  os::Descriptor claimed = {};  ///< the file of an AreaClaim; without one, the name is taken here
};

/// Why an object of that name cannot be made, and what to do.
Failure shared_memory_failure(const std::string& name, int error);

/// Thread safety: the control allocator and secure_heap() may be called from any thread; the latter
/// allocates nothing, so that the heap may call it inside malloc.
class Area
{
 public:
  /// Makes, maps and secures the area and the doorbell. The failure names what is full and what to
  /// do. Nothing is left behind then.
  static Result<std::unique_ptr<Area>> create(AreaRequest request);
  ~Area();
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;

  [[nodiscard]] std::byte* base() const noexcept { return base_; }
  [[nodiscard]] agnocast_area_header& header() const noexcept
  {
    return *reinterpret_cast<agnocast_area_header*>(base_);
  }
  [[nodiscard]] agnocast_doorbell& doorbell() const noexcept { return *doorbell_; }
  [[nodiscard]] agnocast_waiter& waiter(std::uint32_t index) const noexcept
  {
    return reinterpret_cast<agnocast_waiter*>(base_ + AGNOCAST_WAITERS_OFFSET)[index];
  }
  [[nodiscard]] const std::string& process() const noexcept { return process_; }
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }

  [[nodiscard]] std::byte* heap_base() const noexcept { return base_ + AGNOCAST_HEAP; }
  [[nodiscard]] std::size_t heap_bytes() const noexcept { return file_bytes_ - AGNOCAST_HEAP; }
  [[nodiscard]] std::size_t heap_secured() const noexcept { return heap_secured_; }
  /// Backs the first `end` bytes of the heap with memory. False if there is no more.
  bool secure_heap(std::size_t end) noexcept;

  /// Zeroed memory for rings and the like, of whole cache lines. Offset 0 if there is none; then
  /// control_failure() says why.
  std::uint64_t allocate_control(std::size_t bytes);
  void free_control(std::uint64_t offset, std::size_t bytes) noexcept;
  /// Why there is no room for `what` ("another publisher"), and what to do.
  [[nodiscard]] Failure control_failure(const std::string& what, std::size_t bytes);
  template <class T>
  [[nodiscard]] T* at(std::uint64_t offset) const noexcept
  {
    return reinterpret_cast<T*>(base_ + offset);
  }
  /// Bytes of the control part that were ever handed out, from the start of the area.
  [[nodiscard]] std::size_t control_extent() const noexcept
  {
    return control_end_.load(std::memory_order_relaxed);
  }

  /// A wait set's index, or AGNOCAST_NO_WAITER if all are taken.
  std::uint32_t take_waiter();
  void give_back_waiter(std::uint32_t index);
  /// A word of hints of the doorbell, or AGNOCAST_HINT_WORDS if all are taken.
  std::uint32_t take_hint_word() noexcept;
  void give_back_hint_word(std::uint32_t index) noexcept;

  /// From now on the `alive` word says whether the area is in use. Until then a lock on its file
  /// does, so that nobody takes a half-made area for a dead process's.
  void finish() noexcept;
  /// True once somebody has shortened the file, or wiped it: what was in it is lost.
  [[nodiscard]] bool is_broken() const noexcept
  {
    // In this order: the first look may be the one that finds the page gone.
    return load_relaxed(header().magic) != AGNOCAST_AREA_MAGIC || area_guard_.is_broken();
  }
  [[nodiscard]] bool has_broken_doorbell() const noexcept
  {
    static_cast<void>(load_relaxed(doorbell_->words[0]));  // finds the page gone, if it is
    return bell_guard_.is_broken();
  }
  /// When who sleeps on the doorbell until `deadline_ns` (negative: for ever) should look by
  /// itself: any admitted process can write to the doorbell, and so undo a ring.
  [[nodiscard]] std::int64_t look_again_at(std::int64_t deadline_ns) const noexcept;

  /// Removes the names. The memory stays for those who have it mapped.
  void unlink() noexcept;
  /// In a forked child: the area is the parent's; forget it without touching anything.
  void abandon() noexcept
  {
    abandoned_ = true;
    area_guard_.release();
  }

 private:
  Area() = default;
  Status map(AreaRequest& request);
  Status make_doorbell(const AreaRequest& request);
  bool secure(std::uint64_t offset, std::size_t bytes) noexcept;
  std::uint64_t take_control(std::size_t bytes);

  std::byte* base_ = nullptr;
  agnocast_doorbell* doorbell_ = nullptr;
  std::string process_;
  std::string area_name_, doorbell_name_;  ///< kept, so that to unlink them takes no memory
  std::uint32_t slot_ = 0;
  std::uint64_t slot_bytes_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::size_t heap_secured_ = 0;
  bool area_made_ = false, doorbell_made_ = false, abandoned_ = false;
  os::BusGuard area_guard_, bell_guard_;
  os::Descriptor file_;  ///< only until finish()

  /// Read by a thread that forks, without the lock; relaxed, since what is handed out meanwhile is
  /// of no use to the child.
  std::atomic<std::uint64_t> control_end_{AGNOCAST_CONTROL};

  /// Taken under the locks of the message path, so never while memory is secured.
  os::ShortLock hint_words_mutex_;
  std::bitset<AGNOCAST_HINT_WORDS> hint_words_taken_;  ///< guarded by it

  os::ShortLock control_mutex_;  ///< guards all below
  ControlSpace control_{AGNOCAST_CONTROL, AGNOCAST_GUARD};
  std::uint64_t control_secured_ = AGNOCAST_CONTROL;
  std::vector<bool> waiters_taken_ = std::vector<bool>(AGNOCAST_WAITERS, false);
};

}  // namespace agnocast::internal

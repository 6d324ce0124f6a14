// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/peer.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "memory/doorbell.hpp"
#include "os/failpoint.hpp"
#include "os/file.hpp"
#include "os/map.hpp"
#include "os/process.hpp"

namespace agnocast::internal {

void PeerArea::unmap(bool slot_too) noexcept
{
  area_guard_.release();
  bell_guard_.release();
  if (own_ != nullptr || epoch_ != current_epoch()) return;
  if (!at_slot_ && base_ != nullptr) {
    os::unmap(const_cast<std::byte*>(base_), slot_bytes_);
  } else if (slot_too && base_ != nullptr) {
    os::reserve_again(const_cast<std::byte*>(base_), slot_bytes_);
  }
  if (doorbell_ != nullptr) os::unmap(doorbell_, sizeof(agnocast_doorbell));
}

bool PeerArea::is_dead() const noexcept
{
  if (marked_dead_.load(std::memory_order_acquire)) return true;  // pairs with mark_dead()
  const auto* header = reinterpret_cast<const agnocast_area_header*>(base_);
  // Pairs with the kernel's store at the death of the owner's control thread.
  return (load_acquire(header->alive) & AGNOCAST_ALIVE_OWNER_DIED) != 0;
}

bool PeerArea::holds_message(std::uint64_t address, std::uint64_t bytes) const noexcept
{
  const auto* header = reinterpret_cast<const agnocast_area_header*>(base_);
  const std::uint64_t secured = load_acquire(header->secured_end);  // pairs with secure_heap()
  const std::uint64_t end =
    (secured < slot_bytes_ ? secured : slot_bytes_) / AGNOCAST_PAGE * AGNOCAST_PAGE;
  const std::uint64_t offset = address - reinterpret_cast<std::uintptr_t>(base_);
  return offset >= AGNOCAST_HEAP && offset < end && bytes <= end - offset && make_readable(end);
}

// Rare: when the owner's heap has grown. The rest of the slot stays closed, see map_file_closed().
bool PeerArea::make_readable(std::uint64_t end) const noexcept
{
  if (own_ || end <= readable_end_.load(std::memory_order_relaxed)) return true;
  auto* heap = const_cast<std::byte*>(base_) + AGNOCAST_HEAP;
  if (!at_slot_ || !os::allow_access(heap, end - AGNOCAST_HEAP, false)) return false;
  // Threads that race here each open what they need; the larger end counts.
  std::uint64_t before = readable_end_.load(std::memory_order_relaxed);
  while (before < end && !readable_end_.compare_exchange_weak(before, end)) {
  }
  return true;
}

PeerArea::ReadableHeap PeerArea::readable_heap() const noexcept
{
  if (own_ != nullptr) return {own_->heap_base(), own_->heap_secured()};
  const std::uint64_t end = readable_end_.load(std::memory_order_relaxed);
  return {base_ + AGNOCAST_HEAP, end > AGNOCAST_HEAP ? end - AGNOCAST_HEAP : 0};
}

void PeerArea::ring(std::uint32_t waiter) const noexcept
{
  if (has_broken_doorbell()) return;  // its owner looks by itself: Area::look_again_at()
  AGNOCAST_FAILPOINT("doorbell.before");
  ring_bell(*doorbell_, waiter);
  AGNOCAST_FAILPOINT("doorbell.rung");
}

void PeerArea::leave_hint(std::uint32_t hint) const noexcept
{
  if (hint == 0 || has_broken_doorbell()) return;
  internal::leave_hint(*doorbell_, hint);
  AGNOCAST_FAILPOINT("doorbell.hinted");
}

namespace {

// A limit of this process or of the machine: another time it may work.
bool is_lack(int error)
{
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EAGAIN;
}

}  // namespace

// All who may join can write to a doorbell, and so make it unusable: that says nothing about its
// owner, whose messages and holds count as before. Returns 0, or what was lacking.
int PeerArea::map_doorbell()
{
  const os::Descriptor file = os::open_shared(doorbell_name(identity_.process), O_RDWR);
  if (!file) return is_lack(errno) ? errno : 0;
  const auto status = os::status_of(file.get());
  if (!status || status->bytes < sizeof(agnocast_doorbell)) return 0;
  void* address = os::map_file(nullptr, sizeof(agnocast_doorbell), file.get(), true);
  if (address == nullptr) return is_lack(errno) ? errno : 0;
  doorbell_ = static_cast<agnocast_doorbell*>(address);
  bell_guard_ = os::BusGuard(address, sizeof(agnocast_doorbell), true);
  return 0;
}

Status PeerArea::map(const Window& window, bool at_slot)
{
  at_slot_ = at_slot;
  const std::string name = area_name(identity_.process);
  const auto failed = [&](const std::string& object, int error) {
    // An endpoint is registered after all this is in place: what is wrong now does not become
    // right.
    if (error == EINVAL || error == ESTALE) {
      return Failure{FailureKind::broken_peer,
                     "/dev/shm" + object + " is not the one that process " +
                       std::to_string(identity_.pid) +
                       " made: it was shortened or overwritten; end that process"};
    }
    return Failure{
      error == EACCES || error == EPERM ? FailureKind::registry : FailureKind::resource,
      "/dev/shm" + object + " of process " + std::to_string(identity_.pid) +
        " cannot be mapped: " + os::error_text(error) +
        (error == EMFILE || error == ENFILE ? "; raise the limit with 'ulimit -n <number>'"
         : error == ENOMEM                  ? "; raise the limit with 'ulimit -v'"
         : error == EAGAIN                  ? "; raise the limit with 'ulimit -l'"
         : error == ENOENT ? "; it was removed while that process lives: restart it"
         : error == EACCES ? "; start that process with AGNOCAST_ACCESS=group:<name> or "
                             "AGNOCAST_ACCESS=all to let other users in"
                           : "")};
  };
  const os::Descriptor file = os::open_shared(name, O_RDONLY);
  if (!file) return failed(name, errno);
  const auto status = os::status_of(file.get());
  if (!status || status->bytes < AGNOCAST_HEAP || status->bytes > window.slot_bytes()) {
    return failed(name, EINVAL);
  }
  if (const int error = map_doorbell(); error != 0) {
    return failed(doorbell_name(identity_.process), error);
  }
  slot_bytes_ = at_slot ? status->bytes : AGNOCAST_GUARD;
  void* address =
    at_slot ? os::map_file_closed(window.slot_address(identity_.slot), slot_bytes_, file.get())
            : os::map_file(nullptr, slot_bytes_, file.get(), false);
  if (address == nullptr) return failed(name, errno);
  base_ = static_cast<const std::byte*>(address);
  area_guard_ = os::BusGuard(base_, slot_bytes_, false);
  AGNOCAST_FAILPOINT("peer.mapped");
  if (at_slot && !os::allow_access(address, AGNOCAST_GUARD, false)) return failed(name, errno);
  const auto* header = reinterpret_cast<const agnocast_area_header*>(base_);
  if (load_acquire(header->magic) != AGNOCAST_AREA_MAGIC ||  // pairs with Area::map
      load_relaxed(header->abi_version) != AGNOCAST_ABI_VERSION ||
      load_relaxed(header->slot) != identity_.slot ||
      load_acquire(header->process_id) != identity_.process_id) {  // pairs with the join
    return failed(name, ESTALE);
  }
  return Nothing{};
}

RemainsReport examine_area(const std::string& process)
{
  const os::Descriptor file = os::open_shared(area_name(process), O_RDONLY);
  if (!file) return {errno == ENOENT ? Remains::none : Remains::unknown};
  if (os::is_being_made(file.get())) return {Remains::unknown};
  const auto status = os::status_of(file.get());
  // One under our own number is a predecessor's: we have none yet, or our `alive` word stands.
  const auto pid = static_cast<pid_t>(std::strtol(process.c_str(), nullptr, 10));
  const bool exists = pid != os::process_id() && os::may_exist(pid);
  if (!status || status->bytes < AGNOCAST_PAGE) {
    return {exists ? Remains::unknown : Remains::dead};
  }
  // Through the descriptor: on a full /dev/shm, reading a hole through a mapping is a SIGBUS.
  agnocast_area_header header = {};
  if (os::read_at(file.get(), &header, sizeof header, 0) != sizeof header) {
    return {Remains::unknown};
  }
  const bool complete = header.magic == AGNOCAST_AREA_MAGIC;
  const std::uint32_t alive = header.alive;
  const std::uint64_t id = complete ? header.process_id : 0;
  if (complete && (alive & AGNOCAST_ALIVE_OWNER_DIED) != 0)
    return {Remains::dead, id, header.domain};
  if (complete && alive != 0 && header.unmarked == 0) return {Remains::alive, id, header.domain};
  return {exists ? Remains::unknown : Remains::dead, id, header.domain};
}

void PeerTable::start(const Window& window, const Area& own, std::uint64_t own_id,
                      const std::vector<std::uint32_t>& occupied, std::function<void()> on_change)
{
  const std::lock_guard lock(mutex_);
  on_change_ = std::move(on_change);
  window_ = &window;
  by_slot_.assign(window.slots(), {});
  occupants_.assign(by_slot_.size(), nullptr);
  occupied_by_fork_.assign(by_slot_.size(), false);
  for (const std::uint32_t slot : occupied) {
    if (slot < occupied_by_fork_.size()) occupied_by_fork_[slot] = true;
  }
  own_ = std::shared_ptr<PeerArea>(new PeerArea(), [](PeerArea* area) { delete area; });
  own_->identity_ = {own.slot(), own_id, own.process(), own.header().pid, 0};
  own_->base_ = own.base();
  own_->doorbell_ = &own.doorbell();
  own_->slot_bytes_ = window.slot_bytes();
  own_->epoch_ = current_epoch();
  own_->own_ = &own;
}

Result<std::shared_ptr<PeerArea>> PeerTable::map_elsewhere(const PeerIdentity& identity,
                                                           const std::shared_ptr<PeerArea>& fresh)
{
  std::erase_if(elsewhere_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : elsewhere_) {
    if (auto area = weak.lock(); area && area->identity_.process_id == identity.process_id) {
      return area;
    }
  }
  elsewhere_.reserve(elsewhere_.size() + 1);
  if (Status status = fresh->map(*window_, false); !status) return std::move(status.failure());
  elsewhere_.push_back(fresh);
  fresh->is_listed_ = true;
  return fresh;
}

void PeerTable::changed() noexcept
{
  version_.fetch_add(1, std::memory_order_release);  // pairs with version()
  if (on_change_) on_change_();
}

Result<std::shared_ptr<PeerArea>> PeerTable::get(const PeerIdentity& identity, PeerUse use)
{
  const std::shared_ptr<PeerArea> fresh(new PeerArea(), [this](PeerArea* area) { drop(area); });
  fresh->identity_ = identity;
  fresh->epoch_ = current_epoch();
  auto area = get_locked(identity, use, fresh);
  if (area && *area == fresh) changed();
  return area;
}

Result<std::shared_ptr<PeerArea>> PeerTable::get_locked(const PeerIdentity& identity, PeerUse use,
                                                        const std::shared_ptr<PeerArea>& fresh)
{
  // Outlives the lock, as `fresh` does: if it becomes the last reference, dropping it takes the
  // lock.
  std::shared_ptr<PeerArea> mapped;
  const std::lock_guard lock(mutex_);
  if (identity.process_id == own_->identity_.process_id) return own_;
  if (identity.slot >= by_slot_.size() || identity.slot == own_->identity_.slot) {
    return Failure{FailureKind::registry, "the registry names a slot that cannot be process " +
                                            std::to_string(identity.pid) + "'s"};
  }
  mapped = by_slot_[identity.slot].lock();
  if (mapped) {
    if (mapped->identity_.process_id == identity.process_id) return mapped;
    if (use == PeerUse::control) return map_elsewhere(identity, fresh);
    return Failure{FailureKind::resource,
                   "process " + std::to_string(identity.pid) +
                     " cannot be read yet: messages of the dead process " +
                     std::to_string(mapped->identity_.pid) +
                     ", which had the same slot, are still held here; release them"};
  }
  if (occupied_by_fork_[identity.slot]) {
    if (use == PeerUse::control) return map_elsewhere(identity, fresh);
    return Failure{FailureKind::usage,
                   "process " + std::to_string(identity.pid) +
                     " cannot be read by this one, which was forked from it or from a process that "
                     "had its slot: the addresses hold a private copy; use fork and exec"};
  }
  // However far it comes: what it has mapped is its own.
  const auto note_occupant = [&] {
    if (fresh->base_ != nullptr) occupants_[identity.slot] = fresh.get();
  };
  try {
    Status status = fresh->map(*window_, true);
    note_occupant();
    if (!status) return std::move(status.failure());
  } catch (const std::bad_alloc&) {
    note_occupant();
    throw;
  }
  by_slot_[identity.slot] = fresh;
  fresh->is_listed_ = true;
  return fresh;
}

void PeerTable::drop(PeerArea* area) noexcept
{
  const bool is_of_us = area->epoch_ == current_epoch();
  if (is_of_us && area->at_slot_) {
    const std::lock_guard lock(mutex_);
    const std::size_t slot = area->identity_.slot;
    const bool still_there = slot < occupants_.size() && occupants_[slot] == area;
    area->unmap(still_there);
    if (still_there) occupants_[slot] = nullptr;
  } else if (is_of_us) {
    area->unmap(true);
  }
  // One that nobody could have changes nothing: who tries again and again wakes nobody.
  const bool was_listed = area->is_listed_;
  delete area;
  if (is_of_us && was_listed) changed();
}

std::vector<std::shared_ptr<PeerArea>> PeerTable::mapped()
{
  std::vector<std::shared_ptr<PeerArea>> areas;  // outlives the lock: see drop()
  const std::lock_guard lock(mutex_);
  const auto lives = [](const auto& weak) { return !weak.expired(); };
  // Once there is room, what is looked up cannot fail and be dropped here. None is added meanwhile.
  areas.reserve(
    static_cast<std::size_t>(std::count_if(by_slot_.begin(), by_slot_.end(), lives) +
                             std::count_if(elsewhere_.begin(), elsewhere_.end(), lives)));
  for (const auto& weak : by_slot_) {
    if (auto area = weak.lock()) areas.push_back(std::move(area));
  }
  for (const auto& weak : elsewhere_) {
    if (auto area = weak.lock()) areas.push_back(std::move(area));
  }
  return areas;
}

}  // namespace agnocast::internal

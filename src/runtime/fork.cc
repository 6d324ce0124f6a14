// fork(): the child gets a private copy of its parent's area and is a stranger to the domain.
//
// The parent copies what its area holds before the fork, because it may go on writing at once: a
// copy-on-write mapping of the file would show the child the parent's later writes. The child moves
// that copy to the area's address. All objects that the child inherited belong to an older epoch
// and touch nothing shared any more; a child that uses the library joins as a process of its own.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/epoch.hpp"
#include "base/log.hpp"
#include "base/sanitizer.hpp"
#include "os/failpoint.hpp"
#include "os/map.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

namespace {

std::atomic<Runtime*> forking_runtime{nullptr};
// Forks of forks of forks that all used the library.
constexpr std::size_t generations_max = 16;
std::array<Heap*, generations_max> inherited_heaps{};
std::atomic<std::size_t> inherited_count{0};

}  // namespace

Heap* inherited_heap_of(const void* block) noexcept
{
  const std::size_t count = inherited_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    if (inherited_heaps[i]->contains(block)) return inherited_heaps[i];
  }
  return nullptr;
}

void Runtime::install_fork_handlers()
{
  static std::atomic<bool> installed{false};
  if (installed.exchange(true)) return;
  os::on_fork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void Runtime::before_fork()
{
  Runtime& runtime = instance();
  runtime.join_mutex_.lock();
  forking_runtime.store(&runtime, std::memory_order_relaxed);
  if (!runtime.joined_.load(std::memory_order_relaxed)) return;
  runtime.snapshot(runtime.context_.heap->lock_for_fork());
  AGNOCAST_FAILPOINT("fork.copied");
}

void Runtime::after_fork_in_parent()
{
  Runtime& runtime = *forking_runtime.load(std::memory_order_relaxed);
  if (runtime.joined_.load(std::memory_order_relaxed)) {
    AGNOCAST_FAILPOINT("fork.in_parent");
    runtime.drop_snapshot();
    runtime.context_.heap->unlock_after_fork();
  }
  runtime.join_mutex_.unlock();
}

void Runtime::after_fork_in_child()
{
  Runtime& parent = *forking_runtime.load(std::memory_order_relaxed);
  AGNOCAST_FAILPOINT("fork.in_child");
  fork_epoch.fetch_add(1);
  if (parent.joined_.load(std::memory_order_relaxed)) {
    parent.become_child();
    parent.context_.heap->unlock_after_fork();
  }
  parent.join_mutex_.unlock();
}

void Runtime::snapshot(std::size_t heap_extent)
{
  copies_ = {{{nullptr, area_->control_extent(), area_->base()},
              {nullptr, heap_extent, area_->heap_base()}}};
  for (Copy& part : copies_) {
    part.bytes = (part.bytes + AGNOCAST_PAGE - 1) / AGNOCAST_PAGE * AGNOCAST_PAGE;
    if (part.bytes == 0) continue;
    part.copy = os::map_private(part.bytes);
    if (part.copy != nullptr) copy_unwatched(part.copy, part.original, part.bytes);
  }
}

void Runtime::drop_snapshot()
{
  for (Copy& part : copies_) {
    if (part.copy != nullptr) os::unmap(part.copy, part.bytes);
    part = {};
  }
}

// The parent's runtime object becomes a husk that keeps the window and the inherited heap; a fresh
// one takes its place.
void Runtime::become_child()
{
  shared_heap.store(nullptr, std::memory_order_release);  // no allocation below may enter it
  os::reserve_again(area_->base(), window_->slot_bytes());
  AGNOCAST_FAILPOINT("fork.child_unmapped");
  for (Copy& part : copies_) {
    if (part.bytes != 0 &&
        (part.copy == nullptr || !os::replace_mapping(part.copy, part.bytes, part.original))) {
      log_warning(
        "fork: no memory to copy the shared heap; what it held cannot be used in the child");
    }
    part = {};
  }
  const std::size_t count = inherited_count.load(std::memory_order_relaxed);
  if (count < generations_max) {
    inherited_heaps[count] = context_.heap;
    inherited_count.store(count + 1, std::memory_order_release);
  }
  area_->abandon();
  control_thread_.abandon();
  auto* fresh = new Runtime();
  fresh->window_ = window_;
  fresh->inherited_areas_ = inherited_areas_;
  fresh->inherited_areas_.push_back(area_->base());
  replace_instance(fresh);
  AGNOCAST_FAILPOINT("fork.child_ready");
}

}  // namespace agnocast::internal

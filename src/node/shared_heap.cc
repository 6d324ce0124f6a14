// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/shared_heap.hpp"

#include <new>

#include "hook/route.hpp"
#include "node/failure.hpp"
#include "runtime/runtime.hpp"

namespace agnocast {

namespace {

class SharedMemoryResource final : public std::pmr::memory_resource
{
  void* do_allocate(std::size_t bytes, std::size_t alignment) override
  {
    {
      const internal::LibraryWork work;
      if (internal::Status status = internal::Runtime::instance().join(); !status) {
        internal::raise(status.failure());
      }
    }
    void* block = internal::route_allocate_aligned({}, alignment, bytes);
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }
  void do_deallocate(void* block, std::size_t, std::size_t) override
  {
    internal::route_free(block);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override
  {
    return this == &other;
  }
};

}  // namespace

SharedHeapScope::SharedHeapScope() : window_(internal::value_or_raise(internal::open_window())) {}

SharedHeapScope::~SharedHeapScope()
{
  internal::close_window(static_cast<internal::ThreadWindow*>(window_));
}

PrivateHeapScope::PrivateHeapScope() noexcept : window_(internal::own_window())
{
  if (window_ == nullptr) return;
  static_cast<internal::ThreadWindow*>(window_)->private_scopes +=
    internal::ThreadWindow::one_scope;
}

PrivateHeapScope::~PrivateHeapScope()
{
  if (window_ == nullptr) return;
  static_cast<internal::ThreadWindow*>(window_)->private_scopes -=
    internal::ThreadWindow::one_scope;
}

std::pmr::memory_resource* shared_memory_resource() noexcept
{
  // Never destroyed: it outlives every user.
  alignas(SharedMemoryResource) static std::byte place[sizeof(SharedMemoryResource)];
  static auto* const resource = ::new (place) SharedMemoryResource();
  return resource;
}

bool hook_in_force() noexcept
{
  try {
    const internal::LibraryWork work;
    if (!internal::Runtime::instance().join()) return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
  static const bool in_force = internal::detect_hook();
  return in_force;
}

bool in_shared_heap(const void* p) noexcept
{
  const internal::Heap* heap = internal::shared_heap.load(std::memory_order_acquire);
  return heap != nullptr && heap->contains(p);
}

SharedHeapStatistics shared_heap_statistics() noexcept
{
  const internal::Heap* heap = internal::shared_heap.load(std::memory_order_acquire);
  if (heap == nullptr) return {};
  const internal::HeapStatistics s = heap->statistics();
  return {s.region_bytes, s.secured_bytes, s.used_bytes, s.peak_bytes,
          s.allocations - s.deallocations};
}

}  // namespace agnocast

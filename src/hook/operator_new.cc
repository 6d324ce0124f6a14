// Allocation functions of C++, for builds with sanitizers only: there operator new does not call
// malloc. Outside a loan these go on to the sanitizer's, which knows by which function each block
// was made.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>

#include <atomic>
#include <cstddef>
#include <new>

#include "hook/route.hpp"

namespace agnocast::internal {
namespace {

// The function of a name that comes after ours in lookup order.
template <class F>
class Next
{
 public:
  constexpr explicit Next(const char* name) noexcept : name_(name) {}

  F get() noexcept
  {
    F found = found_.load(std::memory_order_relaxed);
    if (found == nullptr) {
      found = reinterpret_cast<F>(::dlsym(RTLD_NEXT, name_));
      found_.store(found, std::memory_order_relaxed);
    }
    return found;
  }

 private:
  const char* name_;
  std::atomic<F> found_{nullptr};
};

bool is_ours()
{
  return routes_to_shared_heap() && shared_heap.load(std::memory_order_acquire) != nullptr;
}

void* allocate(std::size_t bytes, std::size_t alignment) noexcept
{
  constexpr NextMalloc none{};  // only asked without a shared heap
  return alignment == 0 ? route_allocate(none, bytes)
                        : route_allocate_aligned(none, alignment, bytes);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment)
{
  for (;;) {
    if (void* block = allocate(bytes, alignment)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace
}  // namespace agnocast::internal

namespace in = agnocast::internal;

AGNOCAST_PUBLIC void* operator new(std::size_t bytes)
{
  static constinit in::Next<void* (*)(std::size_t)> next("_Znwm");
  return in::is_ours() ? in::allocate_or_throw(bytes, 0) : next.get()(bytes);
}
AGNOCAST_PUBLIC void* operator new(std::size_t bytes, const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void* (*)(std::size_t, const std::nothrow_t&)> next(
    "_ZnwmRKSt9nothrow_t");
  return in::is_ours() ? in::allocate(bytes, 0) : next.get()(bytes, tag);
}
AGNOCAST_PUBLIC void* operator new(std::size_t bytes, std::align_val_t alignment)
{
  static constinit in::Next<void* (*)(std::size_t, std::align_val_t)> next("_ZnwmSt11align_val_t");
  return in::is_ours() ? in::allocate_or_throw(bytes, static_cast<std::size_t>(alignment))
                       : next.get()(bytes, alignment);
}
AGNOCAST_PUBLIC void* operator new(std::size_t bytes, std::align_val_t alignment,
                                   const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void* (*)(std::size_t, std::align_val_t, const std::nothrow_t&)> next(
    "_ZnwmSt11align_val_tRKSt9nothrow_t");
  return in::is_ours() ? in::allocate(bytes, static_cast<std::size_t>(alignment))
                       : next.get()(bytes, alignment, tag);
}
AGNOCAST_PUBLIC void* operator new[](std::size_t bytes)
{
  static constinit in::Next<void* (*)(std::size_t)> next("_Znam");
  return in::is_ours() ? in::allocate_or_throw(bytes, 0) : next.get()(bytes);
}
AGNOCAST_PUBLIC void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void* (*)(std::size_t, const std::nothrow_t&)> next(
    "_ZnamRKSt9nothrow_t");
  return in::is_ours() ? in::allocate(bytes, 0) : next.get()(bytes, tag);
}
AGNOCAST_PUBLIC void* operator new[](std::size_t bytes, std::align_val_t alignment)
{
  static constinit in::Next<void* (*)(std::size_t, std::align_val_t)> next("_ZnamSt11align_val_t");
  return in::is_ours() ? in::allocate_or_throw(bytes, static_cast<std::size_t>(alignment))
                       : next.get()(bytes, alignment);
}
AGNOCAST_PUBLIC void* operator new[](std::size_t bytes, std::align_val_t alignment,
                                     const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void* (*)(std::size_t, std::align_val_t, const std::nothrow_t&)> next(
    "_ZnamSt11align_val_tRKSt9nothrow_t");
  return in::is_ours() ? in::allocate(bytes, static_cast<std::size_t>(alignment))
                       : next.get()(bytes, alignment, tag);
}
AGNOCAST_PUBLIC void operator delete(void* block) noexcept
{
  static constinit in::Next<void (*)(void*)> next("_ZdlPv");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block);
}
AGNOCAST_PUBLIC void operator delete(void* block, std::size_t bytes) noexcept
{
  static constinit in::Next<void (*)(void*, std::size_t)> next("_ZdlPvm");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, bytes);
}
AGNOCAST_PUBLIC void operator delete(void* block, std::align_val_t alignment) noexcept
{
  static constinit in::Next<void (*)(void*, std::align_val_t)> next("_ZdlPvSt11align_val_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, alignment);
}
AGNOCAST_PUBLIC void operator delete(void* block, std::size_t bytes,
                                     std::align_val_t alignment) noexcept
{
  static constinit in::Next<void (*)(void*, std::size_t, std::align_val_t)> next(
    "_ZdlPvmSt11align_val_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, bytes, alignment);
}
AGNOCAST_PUBLIC void operator delete(void* block, const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void (*)(void*, const std::nothrow_t&)> next("_ZdlPvRKSt9nothrow_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, tag);
}
AGNOCAST_PUBLIC void operator delete(void* block, std::align_val_t alignment,
                                     const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void (*)(void*, std::align_val_t, const std::nothrow_t&)> next(
    "_ZdlPvSt11align_val_tRKSt9nothrow_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, alignment, tag);
}
AGNOCAST_PUBLIC void operator delete[](void* block) noexcept
{
  static constinit in::Next<void (*)(void*)> next("_ZdaPv");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block);
}
AGNOCAST_PUBLIC void operator delete[](void* block, std::size_t bytes) noexcept
{
  static constinit in::Next<void (*)(void*, std::size_t)> next("_ZdaPvm");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, bytes);
}
AGNOCAST_PUBLIC void operator delete[](void* block, std::align_val_t alignment) noexcept
{
  static constinit in::Next<void (*)(void*, std::align_val_t)> next("_ZdaPvSt11align_val_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, alignment);
}
AGNOCAST_PUBLIC void operator delete[](void* block, std::size_t bytes,
                                       std::align_val_t alignment) noexcept
{
  static constinit in::Next<void (*)(void*, std::size_t, std::align_val_t)> next(
    "_ZdaPvmSt11align_val_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, bytes, alignment);
}
AGNOCAST_PUBLIC void operator delete[](void* block, const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void (*)(void*, const std::nothrow_t&)> next("_ZdaPvRKSt9nothrow_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, tag);
}
AGNOCAST_PUBLIC void operator delete[](void* block, std::align_val_t alignment,
                                       const std::nothrow_t& tag) noexcept
{
  static constinit in::Next<void (*)(void*, std::align_val_t, const std::nothrow_t&)> next(
    "_ZdaPvSt11align_val_tRKSt9nothrow_t");
  in::is_in_reserved_window(block) ? in::route_free(block) : next.get()(block, alignment, tag);
}

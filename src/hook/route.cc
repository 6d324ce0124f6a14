// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "hook/route.hpp"

#include <pthread.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/log.hpp"
#include "os/map.hpp"
#include "os/process.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

namespace {

std::atomic<std::int32_t> base_open{0};  // of every window: 1 under AGNOCAST_HEAP=all

constinit os::ShortLock pool_lock;
ThreadWindow* free_windows = nullptr;  // guarded by pool_lock, which is held for a few stores
pthread_key_t window_key;
bool has_key = false;

void take_away(ThreadWindow* window, std::int64_t counts) noexcept
{
  const std::int64_t left = window->counts.fetch_sub(counts, std::memory_order_acq_rel) - counts;
  if (ThreadWindow::references_in(left) != 0) return;
  const std::lock_guard lock(pool_lock);
  window->next_free = free_windows;
  free_windows = window;
}

// A thread that ends with loans open: they keep the window, whoever drops them gives it back.
void on_thread_exit(void* window)
{
  this_thread_window = &idle_window;
  take_away(static_cast<ThreadWindow*>(window), ThreadWindow::one_reference);
}

ThreadWindow* take_window() noexcept
{
  {
    const std::lock_guard lock(pool_lock);
    if (ThreadWindow* const window = free_windows; window != nullptr) {
      free_windows = window->next_free;
      return window;
    }
  }
  constexpr std::size_t bytes = 4096;
  auto* const fresh = static_cast<ThreadWindow*>(os::map_private(bytes));
  if (fresh == nullptr) return nullptr;
  // The first is this thread's, the others go into the pool.
  const std::size_t count = bytes / sizeof(ThreadWindow);
  for (std::size_t i = 1; i + 1 < count; ++i) fresh[i].next_free = &fresh[i + 1];
  const std::lock_guard lock(pool_lock);
  fresh[count - 1].next_free = free_windows;
  free_windows = &fresh[1];
  return fresh;
}

void after_fork_in_child()
{
  base_open.store(0);
  idle_window.counts.store(0);
  forget_open_windows();
  free_windows = nullptr;
  pool_lock.reset_in_child();
  if (this_thread_window != &idle_window) pthread_setspecific(window_key, nullptr);
  this_thread_window = &idle_window;
}

// Before all that start_hook() may start.
__attribute__((constructor(101))) void make_key() noexcept
{
  has_key = pthread_key_create(&window_key, on_thread_exit) == 0;
  os::on_fork(nullptr, nullptr, after_fork_in_child);
}

Heap* heap_in_use() noexcept
{
  return shared_heap.load(std::memory_order_acquire);
}

void* out_of_memory() noexcept
{
  errno = ENOMEM;
  return nullptr;
}

// This thread frees what can be freed: its allocations meanwhile fail as they are.
__thread bool is_reclaiming = false;

// What allocate() gives; if the heap cannot grow, what it gives when this process's publishers have
// freed what they keep without need. Message destructors run then, as in a loan.
template <class Allocate>
void* allocate_or_reclaim(Allocate allocate) noexcept
{
  if (void* block = allocate()) return block;
  if (is_reclaiming) return out_of_memory();
  is_reclaiming = true;
  {
    const LibraryWork work;
    Runtime::instance().reclaim_all();
  }
  is_reclaiming = false;
  if (void* block = allocate()) return block;
  say_heap_is_full();
  return out_of_memory();
}

}  // namespace

// Constant-initialized: the first malloc of the process may come before any constructor.
AGNOCAST_PUBLIC constinit ThreadWindow idle_window;
AGNOCAST_PUBLIC __thread std::int64_t idle_work = 0;
AGNOCAST_PUBLIC __thread ThreadWindow* this_thread_window = &idle_window;

ThreadWindow* own_window() noexcept
{
  if (this_thread_window != &idle_window) return this_thread_window;
  ThreadWindow* window = has_key ? take_window() : nullptr;
  if (window == nullptr) return nullptr;
  window->counts.store(ThreadWindow::one_reference + base_open.load(), std::memory_order_relaxed);
  window->private_scopes = 0;
  pthread_setspecific(window_key, window);
  this_thread_window = window;
  return window;
}

Result<ThreadWindow*> open_window()
{
  const LibraryWork work;
  if (Status status = Runtime::instance().join(); !status) return std::move(status.failure());
  ThreadWindow* window = own_window();
  if (window == nullptr) {
    return Failure{FailureKind::resource, "no memory for the thread's state: raise 'ulimit -v'"};
  }
  count_open_windows(1);
  window->counts.fetch_add(ThreadWindow::one_reference + ThreadWindow::one_open,
                           std::memory_order_relaxed);
  return window;
}

void close_window(ThreadWindow* window) noexcept
{
  take_away(window, ThreadWindow::one_reference + ThreadWindow::one_open);
  count_open_windows(-1);
}

void open_all_windows() noexcept
{
  count_open_windows(1);
  base_open.store(1);
  idle_window.counts.store(ThreadWindow::one_open);
}

void* route_allocate_slow(const NextMalloc& next, std::size_t bytes) noexcept
{
  Heap* heap = heap_in_use();
  if (heap == nullptr) return next.malloc(bytes);
  return allocate_or_reclaim([&] { return heap->allocate(bytes); });
}

void* route_allocate_zeroed(const NextMalloc& next, std::size_t count, std::size_t bytes) noexcept
{
  std::size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) return out_of_memory();
  void* block = route_allocate(next, total);
  if (block != nullptr) std::memset(block, 0, total);
  return block;
}

void* route_allocate_aligned(const NextMalloc& next, std::size_t alignment,
                             std::size_t bytes) noexcept
{
  static_cast<void>(next);
  Heap* heap = heap_in_use();
  if (heap == nullptr) return out_of_memory();
  return allocate_or_reclaim([&] { return heap->allocate_aligned(bytes, alignment); });
}

void route_free_slow(void* block) noexcept
{
  const int error = errno;  // free() leaves it as it was
  Heap* heap = heap_in_use();
  // Blocks of an inherited heap are not used again: the child may be short-lived.
  if (heap != nullptr && heap->contains(block)) heap->deallocate(block);
  errno = error;
}

std::size_t route_usable_size(void* block) noexcept
{
  Heap* heap = heap_in_use();
  if (heap == nullptr || !heap->contains(block)) heap = inherited_heap_of(block);
  return heap != nullptr ? heap->usable_size(block) : 0;
}

void* route_reallocate(const NextMalloc& next, void* block, std::size_t bytes) noexcept
{
  Heap* heap = heap_in_use();
  const bool in_window = is_in_reserved_window(block);
  const bool to_shared = heap != nullptr && routes_to_shared_heap();
  if (in_window && heap != nullptr && heap->contains(block) && to_shared) {
    return allocate_or_reclaim([&] { return heap->reallocate(block, bytes); });
  }
  const std::size_t old_bytes =
    in_window ? route_usable_size(block) : next.malloc_usable_size(block);
  void* fresh =
    to_shared ? allocate_or_reclaim([&] { return heap->allocate(bytes); }) : next.malloc(bytes);
  if (fresh == nullptr) return out_of_memory();
  std::memcpy(fresh, block, old_bytes < bytes ? old_bytes : bytes);
  if (in_window) {
    route_free(block);
  } else {
    next.free(block);
  }
  return fresh;
}

bool detect_hook() noexcept
{
  // Through a volatile pointer: the compiler must not elide the pair.
  void* (*volatile allocate)(std::size_t) = std::malloc;
  void (*volatile release)(void*) = std::free;
  ThreadWindow* window = own_window();
  if (window == nullptr || heap_in_use() == nullptr) return false;
  // Whatever private scopes the caller is in.
  const std::int64_t scopes = std::exchange(window->private_scopes, 0);
  count_open_windows(1);
  window->counts.fetch_add(ThreadWindow::one_open, std::memory_order_relaxed);
  void* block = allocate(64);
  window->counts.fetch_sub(ThreadWindow::one_open, std::memory_order_relaxed);
  count_open_windows(-1);
  window->private_scopes = scopes;
  const bool ours = heap_in_use()->contains(block);
  if (ours) {
    heap_in_use()->deallocate(block);
  } else {
    release(block);
  }
  return ours;
}

void start_hook(HookView* view, bool in_force) noexcept
{
  watch_hook_view(view);
  const char* setting = std::getenv("AGNOCAST_HEAP");
  if (!in_force || setting == nullptr || std::strcmp(setting, "all") != 0) return;
  if (Status status = Runtime::instance().join(); !status) {
    log_warning("AGNOCAST_HEAP=all has no effect: " + status.failure().text);
    return;
  }
  open_all_windows();
}

namespace {

__attribute__((destructor)) void leave_domain()
{
  Runtime::instance().leave();
}

}  // namespace

}  // namespace agnocast::internal

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "hook/route.hpp"

#include <pthread.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/log.hpp"
#include "os/map.hpp"

namespace agnocast::internal {

namespace {

// Everybody's window until the first loan, and again in a forked child. Its open() is 1 under
// AGNOCAST_HEAP=all and 0 otherwise.
ThreadWindow idle_window;
std::atomic<std::int32_t> base_open{0};

std::atomic<ThreadWindow*> free_windows{nullptr};
std::atomic<bool> pool_locked{false};
std::atomic<bool> key_made{false};
pthread_key_t window_key;

class PoolLock
{
 public:
  PoolLock() noexcept
  {
    while (pool_locked.exchange(true, std::memory_order_acquire)) {
    }
  }
  ~PoolLock() { pool_locked.store(false, std::memory_order_release); }
  PoolLock(const PoolLock&) = delete;
  PoolLock& operator=(const PoolLock&) = delete;
};

void take_away(ThreadWindow* window, std::int64_t counts) noexcept
{
  const std::int64_t left = window->counts.fetch_sub(counts, std::memory_order_acq_rel) - counts;
  if (ThreadWindow::references_in(left) != 0) return;
  const PoolLock lock;
  window->next_free = free_windows.load(std::memory_order_relaxed);
  free_windows.store(window, std::memory_order_relaxed);
}

// A thread that ends with loans open: they keep the window, whoever drops them gives it back.
void on_thread_exit(void* window)
{
  this_thread_window = &idle_window;
  take_away(static_cast<ThreadWindow*>(window), ThreadWindow::one_reference);
}

ThreadWindow* take_window() noexcept
{
  const PoolLock lock;
  if (free_windows.load(std::memory_order_relaxed) == nullptr) {
    constexpr std::size_t bytes = 4096;
    auto* fresh = static_cast<ThreadWindow*>(os::map_private(bytes));
    if (fresh == nullptr) return nullptr;
    for (std::size_t i = 0; i < bytes / sizeof(ThreadWindow); ++i) {
      fresh[i].next_free = free_windows.load(std::memory_order_relaxed);
      free_windows.store(&fresh[i], std::memory_order_relaxed);
    }
  }
  ThreadWindow* window = free_windows.load(std::memory_order_relaxed);
  free_windows.store(window->next_free, std::memory_order_relaxed);
  return window;
}

void after_fork_in_child()
{
  base_open.store(0);
  idle_window.counts.store(0);
  forget_open_windows();
  free_windows.store(nullptr);
  pool_locked.store(false);
  if (this_thread_window != &idle_window) pthread_setspecific(window_key, nullptr);
  this_thread_window = &idle_window;
}

void make_key() noexcept
{
  const PoolLock lock;
  if (key_made.load(std::memory_order_relaxed)) return;
  pthread_key_create(&window_key, on_thread_exit);
  pthread_atfork(nullptr, nullptr, after_fork_in_child);
  key_made.store(true, std::memory_order_release);
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

}  // namespace

// Constant-initialized: the first malloc of the process may come before any constructor.
AGNOCAST_PUBLIC __thread ThreadWindow* this_thread_window = &idle_window;

ThreadWindow* own_window() noexcept
{
  if (this_thread_window != &idle_window) return this_thread_window;
  if (!key_made.load(std::memory_order_acquire)) make_key();
  ThreadWindow* window = take_window();
  if (window == nullptr) return nullptr;
  window->counts.store(ThreadWindow::one_reference + base_open.load(), std::memory_order_relaxed);
  pthread_setspecific(window_key, window);
  this_thread_window = window;
  return window;
}

Result<ThreadWindow*> open_window()
{
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

ThreadWindow* loanless_window() noexcept
{
  return &idle_window;
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

void* route_allocate(const NextMalloc& next, std::size_t bytes) noexcept
{
  Heap* heap = heap_in_use();
  if (heap == nullptr) return next.malloc(bytes);
  void* block = heap->allocate(bytes);
  return block != nullptr ? block : out_of_memory();
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
  void* block = heap != nullptr ? heap->allocate_aligned(bytes, alignment) : nullptr;
  return block != nullptr ? block : out_of_memory();
}

void route_free(void* block) noexcept
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
    void* moved = heap->reallocate(block, bytes);
    return moved != nullptr ? moved : out_of_memory();
  }
  const std::size_t old_bytes =
    in_window ? route_usable_size(block) : next.malloc_usable_size(block);
  void* fresh = to_shared ? heap->allocate(bytes) : next.malloc(bytes);
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
  count_open_windows(1);
  window->counts.fetch_add(ThreadWindow::one_open, std::memory_order_relaxed);
  void* block = allocate(64);
  window->counts.fetch_sub(ThreadWindow::one_open, std::memory_order_relaxed);
  count_open_windows(-1);
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

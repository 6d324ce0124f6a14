// The malloc family, as one-line forwards: outside a loan to the next allocator in lookup order, in
// a loan to the shared heap. Compiled into libagnocast and into libagnocast_heaphook.
//
// Runs before main and inside the dynamic loader: nothing here allocates, throws or locks.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <malloc.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "hook/route.hpp"

namespace agnocast::internal {
namespace {

HookView view;

// Whether a call of malloc in this process arrives in this library.
bool is_in_force()
{
  Dl_info ours = {};
  Dl_info found = {};
  void* malloc_of_all = ::dlsym(RTLD_DEFAULT, "malloc");
  return malloc_of_all != nullptr && ::dladdr(&view, &ours) != 0 &&
         ::dladdr(malloc_of_all, &found) != 0 && ours.dli_fbase == found.dli_fbase;
}

__attribute__((constructor)) void load()
{
  start_hook(&view, is_in_force());
}

bool is_in_window(const void* block)
{
  return view.contains(block);
}

// First whether any thread has a window open, which is one look at our own data; then whether this
// one has. Not ordered with anything: a thread sees what it opened itself, and a loan that comes
// from another thread comes with what that thread did before.
bool is_open_here()
{
  return view.open_windows.load(std::memory_order_relaxed) != 0 && routes_to_shared_heap();
}

// dlsym() may allocate while it looks up malloc: from here, and never given back.
alignas(16) char bootstrap_memory[16384];
std::size_t bootstrap_used = 0;
bool resolving = false;

void* bootstrap_allocate(std::size_t bytes)
{
  const std::size_t size = 16 + (bytes + 15) / 16 * 16;  // the size stands before the block
  if (size > sizeof bootstrap_memory - bootstrap_used) return nullptr;
  char* block = bootstrap_memory + bootstrap_used;
  bootstrap_used += size;
  std::memcpy(block, &bytes, sizeof bytes);
  return block + 16;
}

bool is_bootstrap(const void* block)
{
  return static_cast<std::size_t>(static_cast<const char*>(block) - bootstrap_memory) <
         sizeof bootstrap_memory;
}

void* first_malloc(std::size_t bytes) noexcept;
void first_free(void* block) noexcept;
void* first_calloc(std::size_t count, std::size_t bytes) noexcept;
void* first_realloc(void* block, std::size_t bytes) noexcept;
void* first_memalign(std::size_t alignment, std::size_t bytes) noexcept;
std::size_t first_usable_size(void* block) noexcept;

// Until the first call of any of them, each entry looks up all of them.
NextMalloc next = {first_malloc, first_free, first_usable_size};
void* (*next_calloc)(std::size_t, std::size_t) noexcept = first_calloc;
void* (*next_realloc)(void*, std::size_t) noexcept = first_realloc;
void* (*next_memalign)(std::size_t, std::size_t) noexcept = first_memalign;

// Where dlsym() did allocate, its blocks will come back: these stand before the real ones then. In
// all other processes free() is spared the question.
NextMalloc real = next;
void* (*real_realloc)(void*, std::size_t) noexcept = nullptr;

void free_or_bootstrap(void* block) noexcept
{
  if (!is_bootstrap(block)) real.free(block);
}
std::size_t usable_size_or_bootstrap(void* block) noexcept
{
  std::size_t bytes = 0;
  if (!is_bootstrap(block)) return real.malloc_usable_size(block);
  std::memcpy(&bytes, static_cast<char*>(block) - 16, sizeof bytes);
  return bytes;
}
void* realloc_or_bootstrap(void* block, std::size_t bytes) noexcept
{
  if (!is_bootstrap(block)) return real_realloc(block, bytes);
  void* fresh = real.malloc(bytes);
  const std::size_t old_bytes = usable_size_or_bootstrap(block);
  if (fresh != nullptr) std::memcpy(fresh, block, old_bytes < bytes ? old_bytes : bytes);
  return fresh;
}

template <class F>
void look_up(F& target, const char* name)
{
  if (void* found = ::dlsym(RTLD_NEXT, name)) target = reinterpret_cast<F>(found);
}

void resolve()
{
  if (resolving) return;
  resolving = true;
  look_up(real.malloc, "malloc");
  look_up(real.free, "free");
  look_up(real.malloc_usable_size, "malloc_usable_size");
  look_up(real_realloc, "realloc");
  auto* found_calloc = next_calloc;
  auto* found_memalign = next_memalign;
  look_up(found_calloc, "calloc");
  look_up(found_memalign, "memalign");
  next = real;
  next_calloc = found_calloc;
  next_memalign = found_memalign;
  next_realloc = real_realloc;
  if (bootstrap_used != 0) {
    next.free = free_or_bootstrap;
    next.malloc_usable_size = usable_size_or_bootstrap;
    next_realloc = realloc_or_bootstrap;
  }
  resolving = false;
}

void* first_malloc(std::size_t bytes) noexcept
{
  resolve();
  return next.malloc == first_malloc ? bootstrap_allocate(bytes) : next.malloc(bytes);
}
void first_free(void* block) noexcept
{
  resolve();
  if (next.free != first_free) next.free(block);
}
void* first_calloc(std::size_t count, std::size_t bytes) noexcept
{
  resolve();
  return next_calloc == first_calloc ? bootstrap_allocate(count * bytes)
                                     : next_calloc(count, bytes);
}
void* first_realloc(void* block, std::size_t bytes) noexcept
{
  resolve();
  if (next_realloc != first_realloc) return next_realloc(block, bytes);
  void* fresh = bootstrap_allocate(bytes);
  const std::size_t old_bytes = is_bootstrap(block) ? usable_size_or_bootstrap(block) : 0;
  if (fresh != nullptr) std::memcpy(fresh, block, old_bytes < bytes ? old_bytes : bytes);
  return fresh;
}
void* first_memalign(std::size_t alignment, std::size_t bytes) noexcept
{
  resolve();
  return next_memalign == first_memalign ? nullptr : next_memalign(alignment, bytes);
}
std::size_t first_usable_size(void* block) noexcept
{
  resolve();
  return next.malloc_usable_size == first_usable_size ? 0 : next.malloc_usable_size(block);
}

void* aligned(std::size_t alignment, std::size_t bytes)
{
  if (is_open_here() && shared_heap.load(std::memory_order_acquire) != nullptr) {
    return route_allocate_aligned(next, alignment, bytes);
  }
  return next_memalign(alignment, bytes);
}

bool is_power_of_two(std::size_t value)
{
  return value != 0 && (value & (value - 1)) == 0;
}

constexpr std::size_t page = 4096;

}  // namespace
}  // namespace agnocast::internal

namespace in = agnocast::internal;

extern "C" {

AGNOCAST_PUBLIC void* malloc(std::size_t bytes) noexcept
{
  if (__builtin_expect(!in::is_open_here(), 1)) return in::next.malloc(bytes);
  return in::route_allocate(in::next, bytes);
}

AGNOCAST_PUBLIC void free(void* block) noexcept
{
  if (__builtin_expect(in::is_in_window(block), 0)) return in::route_free(block);
  in::next.free(block);
}

AGNOCAST_PUBLIC void* calloc(std::size_t count, std::size_t bytes) noexcept
{
  if (__builtin_expect(!in::is_open_here(), 1)) return in::next_calloc(count, bytes);
  return in::route_allocate_zeroed(in::next, count, bytes);
}

AGNOCAST_PUBLIC void* realloc(void* block, std::size_t bytes) noexcept
{
  if (block == nullptr) return malloc(bytes);
  if (bytes == 0) {
    free(block);
    return nullptr;
  }
  if (__builtin_expect(!in::is_in_window(block) && !in::is_open_here(), 1)) {
    return in::next_realloc(block, bytes);
  }
  return in::route_reallocate(in::next, block, bytes);
}

AGNOCAST_PUBLIC void* reallocarray(void* block, std::size_t count, std::size_t bytes) noexcept
{
  std::size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(block, total);
}

AGNOCAST_PUBLIC int posix_memalign(void** target, std::size_t alignment, std::size_t bytes) noexcept
{
  if (!in::is_power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  const int error = errno;  // it says what it has to say in its value
  void* block = in::aligned(alignment, bytes);
  errno = error;
  if (block == nullptr) return ENOMEM;
  *target = block;
  return 0;
}

AGNOCAST_PUBLIC void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept
{
  if (!in::is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return in::aligned(alignment, bytes);
}

AGNOCAST_PUBLIC void* memalign(std::size_t alignment, std::size_t bytes) noexcept
{
  std::size_t power = 16;  // as glibc: rounded up
  while (power < alignment && power != 0) power *= 2;
  if (power == 0) {
    errno = EINVAL;
    return nullptr;
  }
  return in::aligned(power, bytes);
}

AGNOCAST_PUBLIC void* valloc(std::size_t bytes) noexcept
{
  return in::aligned(in::page, bytes);
}

AGNOCAST_PUBLIC void* pvalloc(std::size_t bytes) noexcept
{
  if (bytes > static_cast<std::size_t>(-1) - in::page) {
    errno = ENOMEM;
    return nullptr;
  }
  return in::aligned(in::page, (bytes + in::page - 1) / in::page * in::page);
}

AGNOCAST_PUBLIC std::size_t malloc_usable_size(void* block) noexcept
{
  if (block == nullptr) return 0;
  if (in::is_in_window(block)) return in::route_usable_size(block);
  return in::next.malloc_usable_size(block);
}

}  // extern "C"

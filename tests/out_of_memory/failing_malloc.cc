// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "out_of_memory/failing_malloc.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace agnocast::test {
namespace {

std::atomic<int> fail_at{0};  // 0: none fails
std::atomic<int> counted{0};
std::atomic<bool> fails_on{false};
std::atomic<bool> counts_library{false};
__attribute__((tls_model("initial-exec"))) thread_local bool is_counted_thread = false;

bool is_library_thread() noexcept
{
  char name[16] = {};
  return ::pthread_getname_np(::pthread_self(), name, sizeof name) == 0 &&
         std::strncmp(name, "agnocast", 8) == 0;
}

bool must_fail() noexcept
{
  const int at = fail_at.load();
  if (at == 0) return false;
  if (!(counts_library.load() ? is_library_thread() : is_counted_thread)) return false;
  const int number = counted.fetch_add(1) + 1;
  if (number != at && !(fails_on.load() && number > at)) return false;
  errno = ENOMEM;
  return true;
}

// The first call comes from the dynamic loader, before there are other threads.
template <class F>
F* next(F*& found, const char* name) noexcept
{
  if (found == nullptr) found = reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
  return found;
}

void* (*next_malloc)(std::size_t) = nullptr;
void* (*next_calloc)(std::size_t, std::size_t) = nullptr;
void* (*next_realloc)(void*, std::size_t) = nullptr;
void* (*next_memalign)(std::size_t, std::size_t) = nullptr;

}  // namespace

void fail_allocations(WhoseAllocations whose, int nth, HowMany how_many) noexcept
{
  is_counted_thread = true;
  counts_library = whose == WhoseAllocations::of_the_librarys_threads;
  fails_on = how_many == HowMany::all_from_there;
  counted = 0;
  fail_at = nth;
}

int stop_failing() noexcept
{
  fail_at = 0;
  is_counted_thread = false;
  return counted;
}

}  // namespace agnocast::test

namespace in = agnocast::test;

extern "C" {

void* malloc(std::size_t bytes) noexcept
{
  return in::must_fail() ? nullptr : in::next(in::next_malloc, "malloc")(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) noexcept
{
  return in::must_fail() ? nullptr : in::next(in::next_calloc, "calloc")(count, bytes);
}
void* realloc(void* block, std::size_t bytes) noexcept
{
  return in::must_fail() ? nullptr : in::next(in::next_realloc, "realloc")(block, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) noexcept
{
  return in::must_fail() ? nullptr : in::next(in::next_memalign, "memalign")(alignment, bytes);
}
}

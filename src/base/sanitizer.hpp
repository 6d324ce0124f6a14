// What the sanitizers cannot know by themselves: which parts of the shared heap are in use. Nothing
// in builds without them.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define AGNOCAST_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define AGNOCAST_WATCHED 1
#endif

namespace agnocast::internal {

#ifdef AGNOCAST_ASAN
inline constexpr bool access_is_checked = true;
inline void allow_access(const volatile void* memory, std::size_t bytes) noexcept
{
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
}
inline void forbid_access(const volatile void* memory, std::size_t bytes) noexcept
{
  ASAN_POISON_MEMORY_REGION(memory, bytes);
}
/// What only this memory refers to is not leaked.
inline void search_for_references(const void* memory, std::size_t bytes) noexcept
{
  __lsan_register_root_region(memory, bytes);
}
#else
inline constexpr bool access_is_checked = false;
inline void allow_access(const volatile void*, std::size_t) noexcept {}
inline void forbid_access(const volatile void*, std::size_t) noexcept {}
inline void search_for_references(const void*, std::size_t) noexcept {}
#endif

/// Copies also what is free or being written by other threads; whole words.
#ifdef AGNOCAST_WATCHED
__attribute__((no_sanitize("address"), no_sanitize("thread"))) inline void copy_unwatched(
  void* target, const void* source, std::size_t bytes) noexcept
{
  auto* to = static_cast<volatile std::uint64_t*>(target);
  const auto* from = static_cast<const volatile std::uint64_t*>(source);
  for (std::size_t i = 0; i < bytes / sizeof *to; ++i) to[i] = from[i];
}
#else
inline void copy_unwatched(void* target, const void* source, std::size_t bytes) noexcept
{
  std::memcpy(target, source, bytes);
}
#endif

}  // namespace agnocast::internal

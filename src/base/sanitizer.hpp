// What the sanitizers cannot know by themselves: which parts of the shared heap are in use. Nothing
// in builds without them.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef AGNOCAST_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace agnocast::internal {

/// Whether this is a build with any sanitizer. The same in all files of a build, also in those that
/// are not instrumented: inline functions must not differ between them.
#ifdef AGNOCAST_SANITIZED
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

#ifdef AGNOCAST_ASAN
inline constexpr bool access_is_checked = true;
inline void allow_access(const volatile void* memory, std::size_t bytes) noexcept
{
  __asan_unpoison_memory_region(memory, bytes);
}
inline void forbid_access(const volatile void* memory, std::size_t bytes) noexcept
{
  __asan_poison_memory_region(memory, bytes);
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
#ifdef AGNOCAST_SANITIZED
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

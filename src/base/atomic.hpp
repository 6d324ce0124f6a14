// Atomic access to words that several processes share, with the order in the name.
//
// The words lie in plain C structs (room abi), so these act on references instead of std::atomic.
// Every use outside this file says in a comment what it is paired with.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace agnocast::internal {

template <class T>
[[nodiscard]] inline T load_relaxed(const T& word) noexcept
{
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}
template <class T>
[[nodiscard]] inline T load_acquire(const T& word) noexcept
{
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
template <class T>
[[nodiscard]] inline T load_seq_cst(const T& word) noexcept
{
  return __atomic_load_n(&word, __ATOMIC_SEQ_CST);
}
template <class T>
inline void store_relaxed(T& word, T value) noexcept
{
  __atomic_store_n(&word, value, __ATOMIC_RELAXED);
}
template <class T>
inline void store_release(T& word, T value) noexcept
{
  __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}
template <class T>
inline void store_seq_cst(T& word, T value) noexcept
{
  __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
}
template <class T>
inline T add_relaxed(T& word, T value) noexcept
{
  return __atomic_fetch_add(&word, value, __ATOMIC_RELAXED);
}
template <class T>
inline T add_seq_cst(T& word, T value) noexcept
{
  return __atomic_fetch_add(&word, value, __ATOMIC_SEQ_CST);
}

template <class T>
inline T exchange_seq_cst(T& word, T value) noexcept
{
  return __atomic_exchange_n(&word, value, __ATOMIC_SEQ_CST);
}
template <class T>
inline void or_seq_cst(T& word, T bits) noexcept
{
  __atomic_fetch_or(&word, bits, __ATOMIC_SEQ_CST);
}
template <class T>
inline bool compare_exchange_seq_cst(T& word, T expected, T wanted) noexcept
{
  return __atomic_compare_exchange_n(&word, &expected, wanted, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

/// Asks the processor for a line that this thread will soon write to; a hint, without effect on
/// what the program does.
inline void prefetch_for_write(const void* address) noexcept
{
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

/// Tells the processor that this is a spin loop.
inline void pause_spinning() noexcept
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace agnocast::internal

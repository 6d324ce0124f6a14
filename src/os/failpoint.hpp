// Failpoints: the steps between two stores that other processes can see, by name, so that a test
// can end or stop a process at each of them.
//
// They exist in the test library only (AGNOCAST_FAILPOINTS); elsewhere the macros are empty. The
// list of all failpoints is what the linker gathers from the code, so none can be forgotten.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef AGNOCAST_FAILPOINTS

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#define AGNOCAST_FAILPOINT_API __attribute__((visibility("default")))

namespace agnocast::internal::os {

/// 64 bytes, so that the linker packs them into one array.
struct alignas(64) Failpoint
{
  const char* name;
  const char* file;
  int line;
};

void reach(const Failpoint& failpoint) noexcept;

struct FailpointList
{
  const Failpoint* first;
  std::size_t count;
};
/// All that are compiled into the library.
AGNOCAST_FAILPOINT_API FailpointList failpoints() noexcept;

inline constexpr std::uint32_t no_failpoint = ~std::uint32_t{0};

/// Lies in memory that the test shares with the process.
struct FailpointWatch
{
  std::atomic<std::uint32_t> armed;  ///< place in the list, or no_failpoint
  std::atomic<std::uint32_t> nth;    ///< the armed one sends the signal when it is reached so often
  std::atomic<int> signal;           ///< to the process
  std::array<std::atomic<std::uint32_t>, 256> reached;  ///< how often, by place in the list
};

/// From now on each failpoint counts in `watch`, and the armed one acts.
AGNOCAST_FAILPOINT_API void watch_failpoints(FailpointWatch& watch) noexcept;

}  // namespace agnocast::internal::os

// A failpoint stands in a function that is neither inline nor a template.
#define AGNOCAST_FAILPOINT(name)                                                            \
  do {                                                                                      \
    static constexpr ::agnocast::internal::os::Failpoint here                               \
      __attribute__((section("agnocast_failpoints"), used)) = {(name), __FILE__, __LINE__}; \
    ::agnocast::internal::os::reach(here);                                                  \
  } while (false)

#else

#define AGNOCAST_FAILPOINT(name) static_cast<void>(0)

#endif

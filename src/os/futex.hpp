// Futexes shared between processes, clocks and yielding.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace agnocast::internal::os {

enum class Woken { yes, timed_out };

/// Waits while *word == expected, at most until `deadline_ns` of CLOCK_MONOTONIC (negative: for
/// ever). Returns `yes` for a wake-up, a changed word and a signal alike: the caller looks again.
Woken futex_wait(const std::uint32_t* word, std::uint32_t expected, std::int64_t deadline_ns);
/// Wakes all who wait. Safe in a signal handler.
void futex_wake_all(const std::uint32_t* word);

/// CLOCK_MONOTONIC in nanoseconds; no system call.
[[nodiscard]] std::int64_t monotonic_ns();
/// What CLOCK_MONOTONIC shows here more than outside of all time namespaces. Two system calls or
/// so: for once in a process.
[[nodiscard]] std::int64_t monotonic_offset_ns();
void sleep_ns(std::int64_t duration_ns);

}  // namespace agnocast::internal::os

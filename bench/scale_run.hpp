// One run of one case of a scale sweep.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harness/pair.hpp"
#include "harness/scale_serve.hpp"

namespace bench {

struct ScaleCase
{
  std::string sweep;
  std::size_t x = 0;
  std::size_t publishers = 1;
  std::size_t subscribers = 1;
  std::size_t topics = 1;
  std::size_t size_bytes = 64;
  bool awake = false;
  Pace pace = Pace::each;
  std::uint64_t rate_hz = 0;
  std::uint64_t messages = 0;  ///< of each publisher

  [[nodiscard]] bool has_last() const { return pace == Pace::each; }
};

struct ScaleResult
{
  ScaleCase what;
  std::string system;
  bool counted_syscalls = false;  ///< then only they count
  double publish_p50_ns = 0;
  double publish_p99_ns = 0;
  double latency_p50_ns = 0;
  double latency_p99_ns = 0;
  double latency_p999_ns = 0;
  double last_p50_ns = 0;
  double cpu_ns_per_message = 0;  ///< of all processes together
  double syscalls_per_message = -1;
  double messages_per_s = 0;
  std::uint64_t lost = 0;
};

/// Throws Failure if a process fails or hangs.
ScaleResult run_scale_case(const System& system, const ScaleCase& what, bool counts_syscalls);
bool can_count_syscalls();
/// Medians of several runs of one case.
ScaleResult summary(const std::vector<ScaleResult>& runs);

}  // namespace bench

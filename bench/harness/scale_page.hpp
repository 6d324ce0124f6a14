// The page that the driver of a scale sweep shares with the processes that it measures.
//
// One case is one set of publishing and subscribing processes, started for it. The layout is fixed,
// since not every end is written in C++.
//
// Who writes what: the driver go and quit; each process its own element of processes and samples;
// subscribers last_ns, each only ever upwards.
//
// Ordering: every word is stored with release (or stronger) and loaded with acquire by the others.
//
// If the driver dies, the kernel kills all ends. If an end dies or hangs, the driver ends the case.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bench {

inline constexpr std::size_t scale_processes_max = 40;
inline constexpr std::size_t scale_samples_max = 40'000;  // of one process
inline constexpr std::size_t scale_messages_max = 20'000;

enum class ScaleState : std::uint32_t { starting, ready, done };

struct ScaleProcess
{
  alignas(128) std::atomic<ScaleState> state;
  std::atomic<std::uint64_t> received;   ///< messages, so far; of all its subscriptions
  std::atomic<std::uint64_t> published;  ///< messages, so far
  std::uint64_t sample_count;
  std::uint64_t cpu_ns;       ///< user and system, from go to the end of the case
  std::uint64_t duration_ns;  ///< of a publisher, from go to its last message
};
static_assert(sizeof(ScaleProcess) == 128);

struct ScalePage
{
  alignas(128) std::atomic<std::uint32_t> go;
  alignas(128) std::atomic<std::uint32_t> quit;
  alignas(128) ScaleProcess processes[scale_processes_max];
  /// By message number, if a case has one publisher and one topic: the latency of the last
  /// subscription that got it.
  alignas(128) std::atomic<std::uint64_t> last_ns[scale_messages_max];
  /// Publishers: what each publish took. Subscribers: from before publish to the callback.
  std::uint64_t samples_ns[scale_processes_max][scale_samples_max];
};

/// What every message of a scale case begins with.
struct Stamp
{
  std::uint64_t number;  ///< from 1, counted by its publisher
  std::uint64_t sent_ns;
};

}  // namespace bench

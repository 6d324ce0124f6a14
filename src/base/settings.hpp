// The environment variables, parsed.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace agnocast::internal {

struct WindowSetting
{
  std::uint64_t base;
  std::uint64_t bytes;
  std::uint64_t slot_bytes;
  bool operator==(const WindowSetting&) const = default;
};

struct Settings
{
  static constexpr std::size_t mempool_granule = 102'400;
  static constexpr std::size_t mempool_default = 100 * mempool_granule;

  enum class Access { owner, group, all };
  enum class Host { automatic, user, kernel };

  std::uint32_t domain = 0;                              ///< AGNOCAST_DOMAIN_ID
  std::size_t mempool_bytes = mempool_default;           ///< AGNOCAST_MEMPOOL_SIZE, rounded up
  std::string mempool_source = "AGNOCAST_MEMPOOL_SIZE";  ///< the variable that was used
  bool heap_all = false;                                 ///< AGNOCAST_HEAP
  std::optional<WindowSetting> window;                   ///< AGNOCAST_WINDOW
  Access access = Access::owner;                         ///< AGNOCAST_ACCESS
  std::string access_group;
  Host registry = Host::automatic;  ///< AGNOCAST_REGISTRY
  int thread_fifo_priority = 0;     ///< AGNOCAST_THREAD_PRIORITY=fifo:<priority>
  std::optional<int> thread_nice;   ///< AGNOCAST_THREAD_PRIORITY=nice:<value>
  std::vector<int> thread_cpus;     ///< AGNOCAST_THREAD_AFFINITY; none: all
};

/// A value that cannot be used, in words.
Failure bad_setting(const std::string& variable, const std::string& value,
                    const std::string& wanted);

/// Reads the environment. A value that cannot be used gives a failure that names the variable, the
/// value and what is allowed.
Result<Settings> read_settings();

/// The window of a domain if nothing else is said.
inline constexpr WindowSetting default_window{0x200000000000, 16ull << 40, 16ull << 30};

}  // namespace agnocast::internal

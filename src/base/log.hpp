// Warnings to standard error: one line each, with the program's part first.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string_view>

namespace agnocast::internal {

/// Writes "agnocast: <text>". One write, so lines of several processes do not mix. Whoever reads
/// standard error may keep the caller waiting: not to be called with a lock that others wait for.
void log_warning(std::string_view text) noexcept;

/// For what is said once in a process however often it happens.
class Once
{
 public:
  [[nodiscard]] bool first() noexcept { return !said_.exchange(true, std::memory_order_relaxed); }

 private:
  std::atomic<bool> said_{false};
};

}  // namespace agnocast::internal

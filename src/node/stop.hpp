// Deadlines.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace agnocast::internal {

/// In nanoseconds of CLOCK_MONOTONIC; negative: never.
std::int64_t deadline_after(std::optional<std::chrono::nanoseconds> timeout);

}  // namespace agnocast::internal

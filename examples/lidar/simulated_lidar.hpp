// A rotating LiDAR in a hall with pillars, crates and walking people, for machines without one.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "scan.hpp"

namespace lidar {

/// The scan of one revolution that ends `seconds` after the start: 102,400 points in metres, in the
/// sensor's frame, with intensity. The same time always gives the same scan.
[[nodiscard]] Scan simulate_scan(double seconds);

}  // namespace lidar

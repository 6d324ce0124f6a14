// Draws point clouds as seen from above, into a PNG file.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "point_cloud.hpp"

namespace lidar {

/// Raw points as a dim glow, filtered ones bright and coloured by height; the scale is chosen so
/// that nearly all points fit. Either may be nullptr. Throws std::runtime_error if the file cannot
/// be written.
void draw_birdseye(const PointCloud* raw, const PointCloud* filtered, const std::string& file);

}  // namespace lidar

// A LiDAR scan in private memory: what readers and simulators make, and the driver publishes.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lidar {

/// Invariants: 1. x, y and z are equally long and finite. 2. intensity and rgb are as long as x,
/// or empty if the scan has none.
struct Scan
{
  std::vector<float> x;
  std::vector<float> y;
  std::vector<float> z;
  std::vector<float> intensity;
  std::vector<std::uint32_t> rgb;  ///< 0xRRGGBB

  [[nodiscard]] std::size_t size() const noexcept { return x.size(); }
};

}  // namespace lidar

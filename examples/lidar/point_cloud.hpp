// The message of the pipeline: a point cloud in standard containers, and how a receiver can tell
// whether it got the very bytes that were written or a copy.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lidar {

/// Where the parts of a message lie: the object itself, then the data of each container.
using Addresses = std::array<std::uintptr_t, 7>;

struct PointCloud
{
  std::string frame_id;
  std::uint64_t stamp_ns = 0;  ///< CLOCK_MONOTONIC, when the scan was taken
  std::uint64_t sequence = 0;  ///< of the scan; a filter hands it on
  std::vector<float> x;
  std::vector<float> y;
  std::vector<float> z;
  std::vector<float> intensity;    ///< empty if the sensor measures none
  std::vector<std::uint32_t> rgb;  ///< 0xRRGGBB; empty if the sensor sees no colour

  // What a zero-copy transport must not change. A receiver that finds other values for its own
  // copy of the message knows that somebody copied it.
  Addresses written_at{};  ///< addresses_of() in the process that published
  std::int32_t publisher_pid = 0;

  // Of a cloud that was computed from another one: which one, and where that was read.
  std::uint64_t source_publisher_id = 0;
  std::uint64_t source_sequence = 0;  ///< MessageInfo::sequence
  std::uintptr_t source_address = 0;
  std::int32_t source_reader_pid = 0;
};

inline Addresses addresses_of(const PointCloud& cloud) noexcept
{
  const auto number = [](const void* address) { return reinterpret_cast<std::uintptr_t>(address); };
  return {number(&cloud),          number(cloud.frame_id.data()), number(cloud.x.data()),
          number(cloud.y.data()),  number(cloud.z.data()),        number(cloud.intensity.data()),
          number(cloud.rgb.data())};
}

/// Bytes of each part, in the order of Addresses.
inline std::array<std::size_t, 7> bytes_of(const PointCloud& cloud) noexcept
{
  return {sizeof cloud,
          cloud.frame_id.size(),
          cloud.x.size() * sizeof(float),
          cloud.y.size() * sizeof(float),
          cloud.z.size() * sizeof(float),
          cloud.intensity.size() * sizeof(float),
          cloud.rgb.size() * sizeof(std::uint32_t)};
}

inline std::size_t total_bytes(const PointCloud& cloud) noexcept
{
  std::size_t total = 0;
  for (const std::size_t bytes : bytes_of(cloud)) total += bytes;
  return total;
}

/// Bytes that lie elsewhere than where the publisher put them, so were copied on the way.
inline std::size_t copied_bytes(const PointCloud& cloud) noexcept
{
  const Addresses here = addresses_of(cloud);
  const std::array<std::size_t, 7> bytes = bytes_of(cloud);
  std::size_t copied = 0;
  for (std::size_t part = 0; part < here.size(); ++part) {
    if (here[part] != cloud.written_at[part]) copied += bytes[part];
  }
  return copied;
}

}  // namespace lidar

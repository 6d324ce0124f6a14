// Thins a point cloud out with a hash table of cells.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "voxel_grid.hpp"

#include <algorithm>
#include <cmath>

namespace lidar {
namespace {

constexpr float cells_from_origin_max = 1'000'000;

std::size_t slot_of(std::uint64_t key, std::size_t slots)
{
  return static_cast<std::size_t>((key * 0x9E37'79B9'7F4A'7C15U) >> 20) & (slots - 1);
}

/// 21 bits for each axis.
std::uint64_t key_of(float x, float y, float z)
{
  const auto bits = [](float index) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(index) + (1 << 20));
  };
  return bits(x) << 42 | bits(y) << 21 | bits(z);
}

}  // namespace

void VoxelGrid::rehash(std::size_t slots)
{
  slots_.assign(slots, 0);
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    std::size_t slot = slot_of(cells_[i].key, slots);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots - 1);
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

VoxelGrid::Cell& VoxelGrid::cell_of(std::uint64_t key)
{
  if (cells_.size() * 2 >= slots_.size()) rehash(std::max<std::size_t>(1024, slots_.size() * 2));
  std::size_t slot = slot_of(key, slots_.size());
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    Cell& cell = cells_[slots_[slot] - 1];
    if (cell.key == key) return cell;
  }
  cells_.push_back({key, 0, 0, 0, 0, 0});
  slots_[slot] = static_cast<std::uint32_t>(cells_.size());
  return cells_.back();
}

void VoxelGrid::insert(const PointCloud& cloud)
{
  cells_.clear();
  std::fill(slots_.begin(), slots_.end(), 0);
  const std::size_t points = std::min({cloud.x.size(), cloud.y.size(), cloud.z.size()});
  has_intensity_ = cloud.intensity.size() == points;
  const auto within = [](float index) { return std::abs(index) < cells_from_origin_max; };
  for (std::size_t i = 0; i < points; ++i) {
    const float x = std::floor(cloud.x[i] * inverse_leaf_size_);
    const float y = std::floor(cloud.y[i] * inverse_leaf_size_);
    const float z = std::floor(cloud.z[i] * inverse_leaf_size_);
    if (!within(x) || !within(y) || !within(z)) continue;
    Cell& cell = cell_of(key_of(x, y, z));
    cell.x += static_cast<double>(cloud.x[i]);
    cell.y += static_cast<double>(cloud.y[i]);
    cell.z += static_cast<double>(cloud.z[i]);
    if (has_intensity_) cell.intensity += static_cast<double>(cloud.intensity[i]);
    ++cell.points;
  }
}

void VoxelGrid::write_centroids(PointCloud& cloud) const
{
  cloud.x.resize(cells_.size());
  cloud.y.resize(cells_.size());
  cloud.z.resize(cells_.size());
  cloud.intensity.resize(has_intensity_ ? cells_.size() : 0);
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Cell& cell = cells_[i];
    const double share = 1.0 / cell.points;
    cloud.x[i] = static_cast<float>(cell.x * share);
    cloud.y[i] = static_cast<float>(cell.y * share);
    cloud.z[i] = static_cast<float>(cell.z * share);
    if (has_intensity_) cloud.intensity[i] = static_cast<float>(cell.intensity * share);
  }
}

}  // namespace lidar

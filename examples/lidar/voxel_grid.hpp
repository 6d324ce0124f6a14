// Thins a point cloud out: one point, the centroid, for each occupied cell of a regular grid.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "point_cloud.hpp"

namespace lidar {

/// Keeps its tables, in private memory, from scan to scan. One thread at a time.
class VoxelGrid
{
 public:
  explicit VoxelGrid(float leaf_size) : inverse_leaf_size_(1.0F / leaf_size) {}

  /// Sorts the cloud's points into cells. Points beyond the grid (a million cells from the origin)
  /// and points that are not finite are left out.
  void insert(const PointCloud& cloud);

  /// Writes the centroids of the cells that insert() filled. Allocates nothing but the containers
  /// of `cloud`, so that it may be a loan.
  void write_centroids(PointCloud& cloud) const;

  [[nodiscard]] std::size_t size() const noexcept { return cells_.size(); }

 private:
  struct Cell
  {
    std::uint64_t key;
    double x, y, z, intensity;
    std::uint32_t points;
  };

  Cell& cell_of(std::uint64_t key);
  void rehash(std::size_t slots);

  float inverse_leaf_size_;
  bool has_intensity_ = false;
  std::vector<Cell> cells_;
  /// Open addressing, a power of two: 1 + index into cells_, or 0. Less than half full.
  std::vector<std::uint32_t> slots_;
};

}  // namespace lidar

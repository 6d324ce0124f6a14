// Follows a scan through the pipeline: where it lay in the driver, the filter and the viewer.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/ipc_shared_ptr.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <optional>
#include <string>

#include "point_cloud.hpp"

namespace lidar {

using CloudPtr = agnocast::ipc_shared_ptr<const PointCloud>;

/// The line of /proc/self/maps that `address` lies in, as "permissions file"; empty if there is
/// none.
[[nodiscard]] std::string mapping_of(const void* address);

/// Pairs filtered clouds with the raw ones that they were computed from. Holds the newest raw ones.
/// One thread at a time.
class ScanTrace
{
 public:
  void add_raw(const CloudPtr& raw);
  void add_filtered(const CloudPtr& filtered);

  /// The newest pair; if there is none, the newest of each kind, which may be empty.
  [[nodiscard]] const CloudPtr& raw() const noexcept { return raw_; }
  [[nodiscard]] const CloudPtr& filtered() const noexcept { return filtered_; }

  void print(std::ostream& out) const;

 private:
  void pair_up();

  std::deque<CloudPtr> recent_raw_;
  std::deque<CloudPtr> recent_filtered_;  ///< whose raw cloud was not seen yet
  CloudPtr raw_;
  CloudPtr filtered_;
  std::uint64_t pairs_ = 0;
  std::uint64_t pairs_in_one_place_ = 0;
};

}  // namespace lidar

// What the viewer counts for each topic: frames, losses, latency, bytes passed and bytes copied.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/message_info.hpp>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "point_cloud.hpp"

namespace lidar {

/// Counts what one subscription receives. One thread at a time.
class TransportStatistics
{
 public:
  explicit TransportStatistics(std::string topic) : topic_(std::move(topic)) {}

  /// Call first thing in the callback, with the time at which it began.
  void count(const PointCloud& cloud, const agnocast::MessageInfo& info, std::uint64_t now_ns);

  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }
  [[nodiscard]] std::uint64_t copied() const noexcept { return copied_bytes_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

  static void print_heading(std::ostream& out);
  void print_row(std::ostream& out) const;

 private:
  [[nodiscard]] double latency_us(double quantile) const;

  std::string topic_;
  std::uint64_t frames_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t passed_bytes_ = 0;
  std::uint64_t copied_bytes_ = 0;
  std::uint64_t latency_max_ns_ = 0;
  std::vector<std::uint64_t> latencies_ns_;        ///< of the newest million frames
  std::map<std::uint64_t, std::uint64_t> newest_;  ///< sequence by publisher; a restarted
                                                   ///< publisher is another one
};

}  // namespace lidar

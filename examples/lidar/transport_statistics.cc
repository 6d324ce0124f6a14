// What the viewer counts for each topic.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "transport_statistics.hpp"

#include <algorithm>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace lidar {
namespace {

constexpr std::size_t latencies_max = 1'000'000;

std::string megabytes(std::uint64_t bytes)
{
  if (bytes == 0) return "0";
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / 1e6;
  return text.str();
}

}  // namespace

void TransportStatistics::count(const PointCloud& cloud, const agnocast::MessageInfo& info,
                                std::uint64_t now_ns)
{
  const std::uint64_t latency_ns =
    now_ns > info.publish_time_ns ? now_ns - info.publish_time_ns : 0;
  if (latencies_ns_.size() < latencies_max) {
    latencies_ns_.push_back(latency_ns);
  } else {
    latencies_ns_[frames_ % latencies_max] = latency_ns;
  }
  latency_max_ns_ = std::max(latency_max_ns_, latency_ns);

  // What was published before our first message of a publisher is not a loss: we were not there.
  const auto [newest, is_new] = newest_.try_emplace(info.publisher_id, info.sequence);
  if (!is_new) {
    if (info.sequence > newest->second + 1) lost_ += info.sequence - newest->second - 1;
    newest->second = std::max(newest->second, info.sequence);
  }

  ++frames_;
  passed_bytes_ += total_bytes(cloud);
  copied_bytes_ += lidar::copied_bytes(cloud);
}

double TransportStatistics::latency_us(double quantile) const
{
  if (latencies_ns_.empty()) return 0;
  std::vector<std::uint64_t> sorted = latencies_ns_;
  const auto index = static_cast<std::size_t>(quantile * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index),
                   sorted.end());
  return static_cast<double>(sorted[index]) / 1e3;
}

void TransportStatistics::print_heading(std::ostream& out)
{
  out << std::left << std::setw(20) << "topic" << std::right << std::setw(9) << "frames"
      << std::setw(7) << "lost" << std::setw(13) << "p50 us" << std::setw(10) << "p99 us"
      << std::setw(10) << "max us" << std::setw(12) << "MB passed" << std::setw(11) << "MB copied"
      << '\n';
}

void TransportStatistics::print_row(std::ostream& out) const
{
  out << std::left << std::setw(20) << topic_ << std::right << std::setw(9) << frames_
      << std::setw(7) << lost_ << std::fixed << std::setprecision(1) << std::setw(13)
      << latency_us(0.5) << std::setw(10) << latency_us(0.99) << std::setw(10)
      << static_cast<double>(latency_max_ns_) / 1e3 << std::setw(12) << megabytes(passed_bytes_)
      << std::setw(11) << megabytes(copied_bytes_) << '\n';
}

}  // namespace lidar

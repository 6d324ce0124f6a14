// Follows a scan through the pipeline.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "scan_trace.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace lidar {
namespace {

/// The two topics are read one after the other, so partners meet within a few frames.
constexpr std::size_t recent_max = 8;

bool belong_together(const CloudPtr& raw, const CloudPtr& filtered)
{
  return raw.info().publisher_id == filtered->source_publisher_id &&
         raw.info().sequence == filtered->source_sequence;
}

bool in_one_place(const PointCloud& raw, const PointCloud& filtered)
{
  const auto here = reinterpret_cast<std::uintptr_t>(&raw);
  return raw.written_at.front() == here && filtered.source_address == here;
}

void print_line(std::ostream& out, const char* what, std::int32_t pid, std::uintptr_t address)
{
  out << "  " << std::left << std::setw(24) << what << std::right << " pid " << std::setw(7) << pid
      << "   0x" << std::hex << address << std::dec << '\n';
}

}  // namespace

std::string mapping_of(const void* address)
{
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::string permissions, offset, device, inode, file;
    words >> std::hex >> begin >> dash >> end >> permissions >> offset >> device >> inode >>
      std::ws;
    std::getline(words, file);
    if (begin <= wanted && wanted < end) return permissions + " " + file;
  }
  return {};
}

void ScanTrace::add_raw(const CloudPtr& raw)
{
  if (recent_raw_.size() == recent_max) recent_raw_.pop_front();
  recent_raw_.push_back(raw);
  if (pairs_ == 0) raw_ = raw;
  pair_up();
}

void ScanTrace::add_filtered(const CloudPtr& filtered)
{
  if (recent_filtered_.size() == recent_max) recent_filtered_.pop_front();
  recent_filtered_.push_back(filtered);
  if (pairs_ == 0) filtered_ = filtered;
  pair_up();
}

void ScanTrace::pair_up()
{
  for (auto filtered = recent_filtered_.begin(); filtered != recent_filtered_.end();) {
    const auto raw = std::find_if(
      recent_raw_.begin(), recent_raw_.end(),
      [&](const CloudPtr& candidate) { return belong_together(candidate, *filtered); });
    if (raw == recent_raw_.end()) {
      ++filtered;
      continue;
    }
    raw_ = *raw;
    filtered_ = *filtered;
    ++pairs_;
    if (in_one_place(*raw_, *filtered_)) ++pairs_in_one_place_;
    filtered = recent_filtered_.erase(filtered);
  }
}

void ScanTrace::print(std::ostream& out) const
{
  if (pairs_ == 0) {
    out << "No raw scan was seen together with the filtered one.\n";
    return;
  }
  out << "One scan in three processes (message " << raw_.info().sequence << " of publisher "
      << raw_.info().publisher_id << ", " << raw_->x.size() << " points, " << std::fixed
      << std::setprecision(2) << static_cast<double>(total_bytes(*raw_)) / 1e6 << " MB):\n";
  print_line(out, "lidar_driver wrote it at", raw_->publisher_pid, raw_->written_at.front());
  print_line(out, "lidar_filter read it at", filtered_->source_reader_pid,
             filtered_->source_address);
  print_line(out, "lidar_viewer read it at", getpid(),
             reinterpret_cast<std::uintptr_t>(raw_.get()));
  out << "  which the viewer has mapped as " << mapping_of(raw_.get()) << "\n"
      << "So it was for " << pairs_in_one_place_ << " of " << pairs_ << " scans.\n";
}

}  // namespace lidar

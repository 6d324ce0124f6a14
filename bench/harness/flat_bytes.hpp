// A Cloud copied into one run of bytes, and read where it lies there: what users of a system do
// that carries nothing but bytes, at the least possible cost.
//
// Layout: FlatHead, the points, for each channel its floats, for each channel its name, the frame's
// name. Everything is aligned to 4 bytes at least.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "harness/content.hpp"

namespace bench {

struct FlatPart
{
  std::uint64_t begin = 0;  ///< from the start of all
  std::uint64_t count = 0;  ///< of elements
};

inline constexpr std::size_t flat_channels_max = 8;

struct FlatHead
{
  FlatPart frame_id;
  FlatPart points;
  std::uint64_t channel_count = 0;
  std::array<FlatPart, flat_channels_max> names;
  std::array<FlatPart, flat_channels_max> channels;
};

inline std::size_t flat_bytes(const Cloud& cloud)
{
  std::size_t bytes = sizeof(FlatHead) + cloud.points.size() * sizeof(Point);
  for (const auto& [name, floats] : cloud.channels) {
    bytes += name.size() + floats.size() * sizeof(float);
  }
  return bytes + cloud.frame_id.size();
}

/// `to` has room for flat_bytes(cloud) and is aligned; there are no more channels than fit.
inline void flatten(const Cloud& cloud, unsigned char* to)
{
  FlatHead head;
  std::size_t at = sizeof head;
  const auto put = [&](const void* from, std::size_t count, std::size_t element_bytes) {
    std::memcpy(to + at, from, count * element_bytes);
    const FlatPart part{at, count};
    at += count * element_bytes;
    return part;
  };
  head.points = put(cloud.points.data(), cloud.points.size(), sizeof(Point));
  for (const auto& [name, floats] : cloud.channels) {
    head.channels[head.channel_count++] = put(floats.data(), floats.size(), sizeof(float));
  }
  std::size_t index = 0;
  for (const auto& [name, floats] : cloud.channels) {
    head.names[index++] = put(name.data(), name.size(), 1);
  }
  head.frame_id = put(cloud.frame_id.data(), cloud.frame_id.size(), 1);
  std::memcpy(to, &head, sizeof head);
}

/// Reads a flat cloud where it lies.
class FlatView
{
 public:
  FlatView() = default;
  explicit FlatView(const void* begin) : begin_(static_cast<const unsigned char*>(begin))
  {
    std::memcpy(&head_, begin, sizeof head_);
  }
  [[nodiscard]] std::string_view frame_id() const { return text(head_.frame_id); }
  [[nodiscard]] std::span<const Point> points() const
  {
    return {reinterpret_cast<const Point*>(begin_ + head_.points.begin), head_.points.count};
  }
  [[nodiscard]] std::size_t channel_count() const { return head_.channel_count; }
  /// Empty if there is none of that name.
  [[nodiscard]] std::span<const float> channel(std::string_view name) const
  {
    for (std::size_t i = 0; i < head_.channel_count; ++i) {
      if (text(head_.names[i]) != name) continue;
      const FlatPart& part = head_.channels[i];
      return {reinterpret_cast<const float*>(begin_ + part.begin), part.count};
    }
    return {};
  }

 private:
  [[nodiscard]] std::string_view text(const FlatPart& part) const
  {
    return {reinterpret_cast<const char*>(begin_ + part.begin), part.count};
  }
  const unsigned char* begin_ = nullptr;
  FlatHead head_;
};

inline bool cloud_is(const FlatView& cloud, std::size_t bytes, std::uint64_t number, bool all)
{
  if (cloud.frame_id() != cloud_frame(number) || cloud.channel_count() != channel_names.size()) {
    return false;
  }
  bool right = floats_are(cloud.points().data(), cloud.points().size_bytes(),
                          point_count(bytes) * sizeof(Point), number, all);
  for (const char* name : channel_names) {
    const std::span<const float> channel = cloud.channel(name);
    right = right && floats_are(channel.data(), channel.size_bytes(),
                                channel_length(bytes) * sizeof(float), number, all);
  }
  return right;
}

}  // namespace bench

// A Cloud in one piece of memory, for systems that send bytes: copied part by part into a message,
// read in place at the receiver. That is the cheapest thing a user of such a system can do.
//
//   FlatCloudHeader | frame_id | points | channels, each: FlatChannelHeader | name | values
//
// Every part begins at a multiple of 8. There are no pointers, so the address does not matter.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "harness/content.hpp"

namespace bench {

struct FlatCloudHeader
{
  std::uint64_t frame_bytes;
  std::uint64_t point_count;
  std::uint64_t channel_count;
};

struct FlatChannelHeader
{
  std::uint64_t name_bytes;
  std::uint64_t value_count;
};

constexpr std::size_t padded(std::size_t bytes) noexcept
{
  return (bytes + 7) & ~std::size_t{7};
}

/// How many bytes the message of this cloud has.
inline std::size_t flat_cloud_bytes(const Cloud& cloud) noexcept
{
  std::size_t bytes =
    sizeof(FlatCloudHeader) + padded(cloud.frame_id.size()) + cloud.points.size() * sizeof(Point);
  for (const auto& [name, values] : cloud.channels) {
    bytes += sizeof(FlatChannelHeader) + padded(name.size()) + padded(values.size() * 4);
  }
  return bytes;
}

/// `to` has room for flat_cloud_bytes() and is aligned to 8.
inline void write_flat_cloud(void* to, const Cloud& cloud) noexcept
{
  auto* at = static_cast<unsigned char*>(to);
  const auto append = [&](const void* from, std::size_t bytes) {
    std::memcpy(at, from, bytes);
    at += padded(bytes);
  };
  const FlatCloudHeader header{cloud.frame_id.size(), cloud.points.size(), cloud.channels.size()};
  append(&header, sizeof header);
  append(cloud.frame_id.data(), cloud.frame_id.size());
  append(cloud.points.data(), cloud.points.size() * sizeof(Point));
  for (const auto& [name, values] : cloud.channels) {
    const FlatChannelHeader channel{name.size(), values.size()};
    append(&channel, sizeof channel);
    append(name.data(), name.size());
    append(values.data(), values.size() * sizeof(float));
  }
}

/// What write_cloud() is for a Cloud: filled value by value, with no copy made of it first. `to`
/// has room for buffer_bytes() and is aligned to 8.
inline void write_cloud_in_place(void* to, std::size_t bytes, std::uint64_t number)
{
  auto* at = static_cast<unsigned char*>(to);
  const auto append = [&](const void* from, std::size_t part_bytes) {
    std::memcpy(at, from, part_bytes);
    at += padded(part_bytes);
  };
  const auto fill = [&](const auto& value, std::size_t count) {
    std::uninitialized_fill_n(reinterpret_cast<std::decay_t<decltype(value)>*>(at), count, value);
    at += padded(count * sizeof value);
  };
  const float value = cloud_value(number);
  const std::string frame = cloud_frame(number);
  const FlatCloudHeader header{frame.size(), point_count(bytes), channel_names.size()};
  append(&header, sizeof header);
  append(frame.data(), frame.size());
  fill(Point{value, value, value, value}, header.point_count);
  for (const std::string_view name : channel_names) {
    const FlatChannelHeader channel{name.size(), channel_length(bytes)};
    append(&channel, sizeof channel);
    append(name.data(), name.size());
    fill(value, channel.value_count);
  }
}

/// What cloud_is() is for a Cloud, for a message of write_flat_cloud(). The channels stand in the
/// order of their names, as in the map.
inline bool flat_cloud_is(const void* from, std::size_t bytes, std::uint64_t number, bool all)
{
  const auto* at = static_cast<const unsigned char*>(from);
  const auto part = [&](std::size_t part_bytes) {
    const unsigned char* const begin = at;
    at += padded(part_bytes);
    return begin;
  };
  const auto text = [&](std::size_t text_bytes) {
    return std::string_view(reinterpret_cast<const char*>(part(text_bytes)), text_bytes);
  };
  FlatCloudHeader header{};
  std::memcpy(&header, part(sizeof header), sizeof header);
  if (text(header.frame_bytes) != cloud_frame(number)) return false;
  if (header.channel_count != channel_names.size()) return false;
  bool right =
    floats_are(part(header.point_count * sizeof(Point)), header.point_count * sizeof(Point),
               point_count(bytes) * sizeof(Point), number, all);
  std::size_t known = 0;
  for (std::uint64_t i = 0; right && i < header.channel_count; ++i) {
    FlatChannelHeader channel{};
    std::memcpy(&channel, part(sizeof channel), sizeof channel);
    const std::string_view name = text(channel.name_bytes);
    for (const char* expected : channel_names) known += name == expected ? 1 : 0;
    right =
      floats_are(part(channel.value_count * sizeof(float)), channel.value_count * sizeof(float),
                 channel_length(bytes) * sizeof(float), number, all);
  }
  return right && known == channel_names.size();
}

}  // namespace bench

// What is sent: flat bytes, and a message whose parts have no fixed size. Writing and reading them
// is the same work for every system.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace bench {

/// The sum of all 64-bit words; a rest of less than 8 bytes is left out. In vectors, since what a
/// compiler makes of a plain loop differs, and not every end is written in C++.
inline std::uint64_t sum_words(const void* begin, std::size_t bytes) noexcept
{
  using Words = std::uint64_t __attribute__((vector_size(16)));
  const auto* from = static_cast<const unsigned char*>(begin);
  std::array<Words, 4> sums{};
  std::size_t at = 0;
  for (; at + 64 <= bytes; at += 64) {
    for (std::size_t i = 0; i < 4; ++i) {
      Words words;
      std::memcpy(&words, from + at + i * sizeof words, sizeof words);
      sums[i] += words;
    }
  }
  std::uint64_t sum = 0;
  for (; at + 8 <= bytes; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, 8);
    sum += word;
  }
  for (const Words& part : sums) sum += part[0] + part[1];
  return sum;
}

/// Flat: the number of the message, then bytes that all have its lowest 8 bits. At least 16 bytes,
/// a multiple of 8.
inline void write_flat(void* to, std::size_t bytes, std::uint64_t number) noexcept
{
  std::memcpy(to, &number, 8);
  std::memset(static_cast<unsigned char*>(to) + 8, static_cast<int>(number & 0xff), bytes - 8);
}

/// Looks at both ends of a flat message.
inline bool flat_is(const void* from, std::size_t bytes, std::uint64_t number) noexcept
{
  std::uint64_t found = 0;
  std::memcpy(&found, from, 8);
  return found == number && static_cast<const unsigned char*>(from)[bytes - 1] == (number & 0xff);
}

/// Reads all of a flat message.
inline bool flat_sums_to(const void* from, std::size_t bytes, std::uint64_t number) noexcept
{
  const std::uint64_t expected = number + (bytes / 8 - 1) * ((number & 0xff) * 0x0101010101010101);
  return sum_words(from, bytes) == expected;
}

struct Point
{
  float x, y, z, intensity;
};

/// The unsized message, as an application has it.
struct Cloud
{
  std::string frame_id;
  std::vector<Point> points;
  std::map<std::string, std::vector<float>> channels;
};

inline constexpr std::array<const char*, 4> channel_names{
  "intensity_of_the_return", "ring_of_laser", "time_in_nanoseconds", "reflectivity"};

/// How big the parts are of a cloud of about `bytes`: three quarters points, the rest channels.
constexpr std::size_t point_count(std::size_t bytes) noexcept
{
  return std::max<std::size_t>(bytes * 3 / 4 / sizeof(Point), 1);
}
constexpr std::size_t channel_length(std::size_t bytes) noexcept
{
  return std::max<std::size_t>(bytes / 4 / channel_names.size() / 8 * 2, 2);
}

/// The value that all floats of cloud `number` have: exact in a float.
inline float cloud_value(std::uint64_t number) noexcept
{
  return static_cast<float>(number % 1'000'000);
}

/// The frame's name, too long for a string to keep it within itself.
inline std::string cloud_frame(std::uint64_t number)
{
  return "lidar_on_the_roof_in_front/scan_" + std::to_string(number);
}

inline void write_cloud(Cloud& cloud, std::size_t bytes, std::uint64_t number)
{
  const float value = cloud_value(number);
  cloud.frame_id = cloud_frame(number);
  cloud.points.assign(point_count(bytes), Point{value, value, value, value});
  for (const char* name : channel_names) {
    cloud.channels[name].assign(channel_length(bytes), value);
  }
}

/// What sum_words() gives for `bytes` of floats of cloud `number`.
inline std::uint64_t floats_sum(std::size_t bytes, std::uint64_t number) noexcept
{
  const std::array<float, 2> pair{cloud_value(number), cloud_value(number)};
  std::uint64_t word = 0;
  std::memcpy(&word, pair.data(), 8);
  return bytes / 8 * word;
}

/// Checks one part of a cloud that consists of floats: its length and, if `all`, each of them.
inline bool floats_are(const void* from, std::size_t found_bytes, std::size_t expected_bytes,
                       std::uint64_t number, bool all) noexcept
{
  if (found_bytes != expected_bytes) return false;
  if (all) return sum_words(from, found_bytes) == floats_sum(found_bytes, number);
  float last = 0;
  std::memcpy(&last, static_cast<const unsigned char*>(from) + found_bytes - sizeof last,
              sizeof last);
  return last == cloud_value(number);
}

inline bool cloud_is(const Cloud& cloud, std::size_t bytes, std::uint64_t number, bool all)
{
  if (cloud.frame_id != cloud_frame(number) || cloud.channels.size() != channel_names.size()) {
    return false;
  }
  bool right = floats_are(cloud.points.data(), cloud.points.size() * sizeof(Point),
                          point_count(bytes) * sizeof(Point), number, all);
  for (const char* name : channel_names) {
    const auto channel = cloud.channels.find(name);
    right = right && channel != cloud.channels.end() &&
            floats_are(channel->second.data(), channel->second.size() * sizeof(float),
                       channel_length(bytes) * sizeof(float), number, all);
  }
  return right;
}

}  // namespace bench

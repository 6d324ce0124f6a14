// Casts one ray for each beam and azimuth at a few boxes and cylinders.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "simulated_lidar.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace lidar {
namespace {

constexpr int beams = 64;
constexpr int azimuths = 1600;
constexpr float sensor_height = 1.8F;
constexpr float never = std::numeric_limits<float>::infinity();

struct Vector
{
  float x, y, z;
};

struct Box
{
  Vector low, high;
  float reflectivity;
};

struct Cylinder  ///< upright, from the floor
{
  float x, y, radius, height;
  float reflectivity;
};

struct Hit
{
  float distance = never;
  float reflectivity = 0;
};

/// Where the ray enters and leaves the box; entry > exit if it misses.
struct Span
{
  float entry, exit;
};

constexpr Box hall{{-19, -11, 0}, {23, 14, 6.5F}, 0.55F};

constexpr std::array<Box, 9> crates{{
  {{4, -9, 0}, {9, -6.5F, 2.4F}, 0.8F},
  {{10.5F, -9, 0}, {15.5F, -6.5F, 2.4F}, 0.7F},
  {{4, -4.5F, 0}, {9, -3.6F, 1.1F}, 0.9F},
  {{-17, 6, 0}, {-9, 8, 3.2F}, 0.4F},
  {{-17, 10, 0}, {-9, 12, 3.2F}, 0.4F},
  {{-15, -8, 0}, {-12.5F, -5.5F, 1.3F}, 0.75F},
  {{-11.5F, -8, 0}, {-9, -5.5F, 2.6F}, 0.6F},
  {{12, 6, 0}, {14, 11, 1.6F}, 0.85F},
  {{17, 6, 0}, {19, 11, 1.6F}, 0.85F},
}};

constexpr std::array<Cylinder, 8> pillars{{
  {-12, 2, 0.35F, 6.5F, 0.3F},
  {-6, 2, 0.35F, 6.5F, 0.3F},
  {6, 2, 0.35F, 6.5F, 0.3F},
  {12, 2, 0.35F, 6.5F, 0.3F},
  {18, 2, 0.35F, 6.5F, 0.3F},
  {-6, -9, 0.35F, 6.5F, 0.3F},
  {0, 9, 0.35F, 6.5F, 0.3F},
  {6, 9, 0.35F, 6.5F, 0.3F},
}};

Span through(const Box& box, const Vector& origin, const Vector& inverse)
{
  Span span{-never, never};
  const auto clip = [&span](float low, float high) {
    span.entry = std::max(span.entry, std::min(low, high));
    span.exit = std::min(span.exit, std::max(low, high));
  };
  clip((box.low.x - origin.x) * inverse.x, (box.high.x - origin.x) * inverse.x);
  clip((box.low.y - origin.y) * inverse.y, (box.high.y - origin.y) * inverse.y);
  clip((box.low.z - origin.z) * inverse.z, (box.high.z - origin.z) * inverse.z);
  return span;
}

float distance_to(const Cylinder& cylinder, const Vector& origin, const Vector& ray)
{
  const float dx = origin.x - cylinder.x;
  const float dy = origin.y - cylinder.y;
  const float a = ray.x * ray.x + ray.y * ray.y;
  const float b = dx * ray.x + dy * ray.y;
  const float discriminant = b * b - a * (dx * dx + dy * dy - cylinder.radius * cylinder.radius);
  if (discriminant < 0) return never;
  const float distance = (-b - std::sqrt(discriminant)) / a;
  const float z = origin.z + distance * ray.z;
  return distance > 0 && z >= 0 && z <= cylinder.height ? distance : never;
}

/// People walk in circles of their own.
std::array<Cylinder, 5> people_at(double seconds)
{
  std::array<Cylinder, 5> people{};
  for (std::size_t i = 0; i < people.size(); ++i) {
    const double number = static_cast<double>(i);
    const double angle = seconds * (0.25 + 0.07 * number) + 1.3 * number;
    people[i] = {static_cast<float>(1.0 + (4.0 + number) * std::cos(angle)),
                 static_cast<float>(-1.0 + (2.0 + 0.4 * number) * std::sin(angle)), 0.28F,
                 static_cast<float>(1.6 + 0.06 * number), 0.5F};
  }
  return people;
}

template <class People>
Hit cast(const Vector& origin, const Vector& ray, const People& people)
{
  const Vector inverse{1.0F / ray.x, 1.0F / ray.y, 1.0F / ray.z};
  Hit hit{through(hall, origin, inverse).exit, hall.reflectivity};
  for (const Box& crate : crates) {
    const Span span = through(crate, origin, inverse);
    if (span.entry > 0 && span.entry <= span.exit && span.entry < hit.distance) {
      hit = {span.entry, crate.reflectivity};
    }
  }
  const auto meet = [&](const Cylinder& cylinder) {
    const float distance = distance_to(cylinder, origin, ray);
    if (distance < hit.distance) hit = {distance, cylinder.reflectivity};
  };
  std::for_each(pillars.begin(), pillars.end(), meet);
  std::for_each(people.begin(), people.end(), meet);
  return hit;
}

/// A reproducible stand-in for the sensor's noise, -1 to 1.
float noise(std::uint32_t number)
{
  number = (number ^ (number >> 16)) * 0x45D9F3BU;
  number = (number ^ (number >> 16)) * 0x45D9F3BU;
  number ^= number >> 16;
  return static_cast<float>(number & 0xFFFFU) / 32767.5F - 1.0F;
}

}  // namespace

Scan simulate_scan(double seconds)
{
  const auto people = people_at(seconds);
  const Vector origin{static_cast<float>(0.4 * std::sin(0.5 * seconds)),
                      static_cast<float>(0.2 * std::cos(0.4 * seconds)), sensor_height};
  const auto seed = static_cast<std::uint32_t>(std::fmod(seconds * 1000.0, 1e9));
  Scan scan;
  for (auto* column : {&scan.x, &scan.y, &scan.z, &scan.intensity})
    column->resize(beams * azimuths);
  std::size_t point = 0;
  for (int azimuth = 0; azimuth < azimuths; ++azimuth) {
    // A tiny offset keeps rays from running exactly along an axis.
    const float angle =
      (static_cast<float>(azimuth) + 0.123F) / azimuths * 2 * std::numbers::pi_v<float>;
    for (int beam = 0; beam < beams; ++beam, ++point) {
      const float degrees = -25.0F + 40.0F * (static_cast<float>(beam) + 0.317F) / beams;
      const float elevation = degrees / 180.0F * std::numbers::pi_v<float>;
      const Vector ray{std::cos(elevation) * std::cos(angle), std::cos(elevation) * std::sin(angle),
                       std::sin(elevation)};
      const Hit hit = cast(origin, ray, people);
      const float range = hit.distance + 0.015F * noise(static_cast<std::uint32_t>(point) + seed);
      scan.x[point] = range * ray.x;
      scan.y[point] = range * ray.y;
      scan.z[point] = range * ray.z;
      scan.intensity[point] = hit.reflectivity * 10.0F / (10.0F + range);
    }
  }
  return scan;
}

}  // namespace lidar

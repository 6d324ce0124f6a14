// Draws point clouds as seen from above.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "birdseye.hpp"

#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace lidar {
namespace {

constexpr int longer_side = 1400;
constexpr int margin = 40;

struct Colour
{
  float r, g, b;
};

struct Range
{
  float low = 0;
  float high = 1;
  [[nodiscard]] float length() const { return high - low; }
};

/// Where the values lie, without the outermost `cut` on each side.
Range range_of(std::vector<float> values, double cut)
{
  if (values.empty()) return {};
  const auto last = static_cast<double>(values.size() - 1);
  const auto at = [&](double quantile) {
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(quantile * last);
    std::nth_element(values.begin(), place, values.end());
    return *place;
  };
  Range range{at(cut), at(1.0 - cut)};
  if (!(range.length() > 1e-6F)) range = {range.low - 0.5F, range.low + 0.5F};
  return range;
}

/// From deep blue over green to yellow and red, as height rises from 0 to 1.
Colour colour_of(float height)
{
  static constexpr std::array<Colour, 6> stops{{{0.25F, 0.33F, 0.95F},
                                                {0.10F, 0.70F, 0.95F},
                                                {0.18F, 0.92F, 0.60F},
                                                {0.75F, 0.95F, 0.25F},
                                                {1.00F, 0.70F, 0.18F},
                                                {0.98F, 0.28F, 0.20F}}};
  const float position = std::clamp(height, 0.0F, 1.0F) * static_cast<float>(stops.size() - 1);
  const auto index = std::min(static_cast<std::size_t>(position), stops.size() - 2);
  const float share = position - static_cast<float>(index);
  const auto mix = [share](float a, float b) { return a + share * (b - a); };
  return {mix(stops[index].r, stops[index + 1].r), mix(stops[index].g, stops[index + 1].g),
          mix(stops[index].b, stops[index + 1].b)};
}

/// A picture in floating point, 0 to 1, and how the plane is projected on it.
class Canvas
{
 public:
  Canvas(const Range& x, const Range& y) : x_(x), y_(y)
  {
    const float longest = std::max(x.length(), y.length());
    scale_ = static_cast<float>(longer_side - 2 * margin) / longest;
    width_ = 2 * margin + static_cast<int>(std::ceil(x.length() * scale_));
    height_ = 2 * margin + static_cast<int>(std::ceil(y.length() * scale_));
    pixels_.assign(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_),
                   {0.035F, 0.043F, 0.065F});
  }

  /// Lines at a round distance, about eight over the longer side; the axes are a little brighter.
  void draw_grid()
  {
    const float wish = std::max(x_.length(), y_.length()) / 8;
    const float decade = std::pow(10.0F, std::floor(std::log10(wish)));
    const float step = decade * (wish < 2 * decade ? 1.0F : wish < 5 * decade ? 2.0F : 5.0F);
    const auto shade = [](float line) { return line == 0 ? 0.14F : 0.065F; };
    const float edge = static_cast<float>(margin) / scale_;
    for (float x = std::ceil((x_.low - edge) / step); x * step < x_.high + edge; ++x) {
      for (int row = 0; row < height_; ++row) add(column_of(x * step), row, grey(shade(x)));
    }
    for (float y = std::ceil((y_.low - edge) / step); y * step < y_.high + edge; ++y) {
      for (int column = 0; column < width_; ++column) add(column, row_of(y * step), grey(shade(y)));
    }
  }

  /// The more points fall on a pixel, the brighter it glows.
  void draw_glow(const PointCloud& cloud)
  {
    std::vector<float> hits(pixels_.size(), 0.0F);
    for_each_point(cloud, [&](int column, int row, float) { hits[index_of(column, row)] += 1; });
    for (std::size_t i = 0; i < hits.size(); ++i) {
      const float glow = std::min(0.3F * std::log2(1 + hits[i]), 0.9F);
      pixels_[i] = {pixels_[i].r + 0.50F * glow, pixels_[i].g + 0.58F * glow,
                    pixels_[i].b + 0.75F * glow};
    }
  }

  /// Bright dots, the highest on top.
  void draw_dots(const PointCloud& cloud, const Range& height, float strength)
  {
    const int size = cloud.x.size() < 50'000 ? 3 : 2;
    std::vector<float> top(pixels_.size(), -1.0F);
    for_each_point(cloud, [&](int column, int row, float z) {
      const float share = std::clamp((z - height.low) / height.length(), 0.0F, 1.0F);
      for (int pixel = 0; pixel < size * size; ++pixel) {
        const int right = column + pixel % size;
        const int down = row + pixel / size;
        if (!inside(right, down)) continue;
        float& highest = top[index_of(right, down)];
        highest = std::max(highest, share);
      }
    });
    for (std::size_t i = 0; i < top.size(); ++i) {
      if (top[i] < 0) continue;
      const Colour dot = colour_of(top[i]);
      const auto blend = [strength](float below, float above) {
        return below + strength * (above - below);
      };
      pixels_[i] = {blend(pixels_[i].r, dot.r), blend(pixels_[i].g, dot.g),
                    blend(pixels_[i].b, dot.b)};
    }
  }

  void write(const std::string& file) const
  {
    std::vector<png_byte> bytes;
    bytes.reserve(pixels_.size() * 3);
    for (const Colour& pixel : pixels_) {
      for (const float channel : {pixel.r, pixel.g, pixel.b}) {
        bytes.push_back(static_cast<png_byte>(std::clamp(channel, 0.0F, 1.0F) * 255.0F + 0.5F));
      }
    }
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(width_);
    image.height = static_cast<png_uint_32>(height_);
    image.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&image, file.c_str(), 0, bytes.data(), 0, nullptr) == 0) {
      throw std::runtime_error(file + ": " + image.message);
    }
  }

 private:
  static Colour grey(float shade) { return {shade, shade, shade * 1.3F}; }

  [[nodiscard]] int column_of(float x) const
  {
    return margin + static_cast<int>(std::floor((x - x_.low) * scale_));
  }
  [[nodiscard]] int row_of(float y) const
  {
    return height_ - 1 - margin - static_cast<int>(std::floor((y - y_.low) * scale_));
  }
  [[nodiscard]] bool inside(int column, int row) const
  {
    return column >= 0 && column < width_ && row >= 0 && row < height_;
  }
  [[nodiscard]] std::size_t index_of(int column, int row) const
  {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(width_) +
           static_cast<std::size_t>(column);
  }
  void add(int column, int row, const Colour& light)
  {
    if (!inside(column, row)) return;
    Colour& pixel = pixels_[index_of(column, row)];
    pixel = {pixel.r + light.r, pixel.g + light.g, pixel.b + light.b};
  }

  template <class Action>
  void for_each_point(const PointCloud& cloud, const Action& action) const
  {
    const std::size_t points = std::min({cloud.x.size(), cloud.y.size(), cloud.z.size()});
    const float edge = static_cast<float>(margin) / scale_;
    for (std::size_t i = 0; i < points; ++i) {
      // Also false if a coordinate is not a number.
      if (!(cloud.x[i] > x_.low - edge && cloud.x[i] < x_.high + edge)) continue;
      if (!(cloud.y[i] > y_.low - edge && cloud.y[i] < y_.high + edge)) continue;
      const int column = column_of(cloud.x[i]);
      const int row = row_of(cloud.y[i]);
      if (inside(column, row)) action(column, row, cloud.z[i]);
    }
  }

  Range x_;
  Range y_;
  float scale_ = 1;
  int width_ = 0;
  int height_ = 0;
  std::vector<Colour> pixels_;
};

std::vector<float> finite(const std::vector<float>& values)
{
  std::vector<float> result;
  std::copy_if(values.begin(), values.end(), std::back_inserter(result),
               [](float value) { return std::isfinite(value); });
  return result;
}

}  // namespace

void draw_birdseye(const PointCloud* raw, const PointCloud* filtered, const std::string& file)
{
  const PointCloud* const measure = filtered != nullptr ? filtered : raw;
  if (measure == nullptr) throw std::runtime_error(file + ": there is no cloud to draw");
  Canvas canvas(range_of(finite(measure->x), 0.005), range_of(finite(measure->y), 0.005));
  canvas.draw_grid();
  if (raw != nullptr) canvas.draw_glow(*raw);
  if (filtered != nullptr) canvas.draw_dots(*filtered, range_of(finite(measure->z), 0.02), 0.85F);
  canvas.write(file);
}

}  // namespace lidar

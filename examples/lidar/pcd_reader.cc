// Reads scans from PCD files. A header may lie: sizes are compared with the file before memory is
// taken for them.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "pcd_reader.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "lzf.hpp"

namespace lidar {
namespace {

/// The fields that we want; the first three are never nullptr.
struct Wanted
{
  const PcdField* x;
  const PcdField* y;
  const PcdField* z;
  const PcdField* intensity;
  const PcdField* rgb;
};

const PcdField* required(const PcdHeader& header, const char* name)
{
  const PcdField* const field = header.find(name);
  if (field == nullptr) throw PcdError(std::string("it has no field ") + name);
  return field;
}

Wanted wanted_of(const PcdHeader& header)
{
  const PcdField* const rgb = header.find("rgb");
  return {required(header, "x"), required(header, "y"), required(header, "z"),
          header.find("intensity"), rgb != nullptr ? rgb : header.find("rgba")};
}

float as_float(double value)
{
  if (value > std::numeric_limits<float>::max()) return std::numeric_limits<float>::infinity();
  if (value < std::numeric_limits<float>::lowest()) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(value);
}

std::uint32_t as_colour(double value)
{
  const bool fits = value >= 0 && value <= std::numeric_limits<std::uint32_t>::max();
  return fits ? static_cast<std::uint32_t>(value) : 0;
}

/// Adds a point unless it is not finite. `value(field)` and `colour(field)` decode one element.
template <class Value, class Colour>
void add_point(Scan& scan, const Wanted& wanted, const Value& value, const Colour& colour)
{
  const float x = as_float(value(*wanted.x));
  const float y = as_float(value(*wanted.y));
  const float z = as_float(value(*wanted.z));
  if (!std::isfinite(x) || !std::isfinite(y) || !std::isfinite(z)) return;
  scan.x.push_back(x);
  scan.y.push_back(y);
  scan.z.push_back(z);
  if (wanted.intensity != nullptr) {
    const float intensity = as_float(value(*wanted.intensity));
    scan.intensity.push_back(std::isfinite(intensity) ? intensity : 0.0F);
  }
  if (wanted.rgb != nullptr) scan.rgb.push_back(colour(*wanted.rgb) & 0xFF'FF'FFU);
}

void reserve(Scan& scan, const Wanted& wanted, std::size_t points)
{
  scan.x.reserve(points);
  scan.y.reserve(points);
  scan.z.reserve(points);
  if (wanted.intensity != nullptr) scan.intensity.reserve(points);
  if (wanted.rgb != nullptr) scan.rgb.reserve(points);
}

template <class T>
double load(const char* bytes)
{
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

double element_at(const PcdField& field, const char* bytes)
{
  switch (field.type) {
    case 'F':
      return field.size_bytes == 4 ? load<float>(bytes) : load<double>(bytes);
    case 'I':
      switch (field.size_bytes) {
        case 1:
          return load<std::int8_t>(bytes);
        case 2:
          return load<std::int16_t>(bytes);
        case 4:
          return load<std::int32_t>(bytes);
        default:
          return load<std::int64_t>(bytes);
      }
    default:
      switch (field.size_bytes) {
        case 1:
          return load<std::uint8_t>(bytes);
        case 2:
          return load<std::uint16_t>(bytes);
        case 4:
          return load<std::uint32_t>(bytes);
        default:
          return load<std::uint64_t>(bytes);
      }
  }
}

/// Decodes points whose bytes are where `at(point, field)` says.
template <class At>
Scan decode_binary(const PcdHeader& header, const At& at)
{
  const Wanted wanted = wanted_of(header);
  Scan scan;
  reserve(scan, wanted, header.points);
  for (std::size_t i = 0; i < header.points; ++i) {
    const auto value = [&](const PcdField& field) { return element_at(field, at(i, field)); };
    const auto colour = [&](const PcdField& field) {
      if (field.size_bytes != 4) return as_colour(value(field));
      std::uint32_t bits;  // also of TYPE F: then a float carries the bits
      std::memcpy(&bits, at(i, field), sizeof bits);
      return bits;
    };
    add_point(scan, wanted, value, colour);
  }
  return scan;
}

Scan read_binary(const PcdHeader& header, std::string_view body)
{
  if (header.points > body.size() / header.point_bytes) {
    throw PcdError("truncated: " + std::to_string(header.points) + " points of " +
                   std::to_string(header.point_bytes) + " bytes do not fit into " +
                   std::to_string(body.size()) + " bytes of data");
  }
  return decode_binary(header, [&](std::size_t point, const PcdField& field) {
    return body.data() + point * header.point_bytes + field.offset_bytes;
  });
}

/// Compressed data have two sizes in front, and lie field by field instead of point by point.
Scan read_compressed(const PcdHeader& header, std::string_view body)
{
  const std::size_t expected = header.points * header.point_bytes;
  if (expected == 0) return {};
  std::uint32_t sizes[2];
  if (body.size() < sizeof sizes) throw PcdError("truncated: the sizes of the data are missing");
  std::memcpy(sizes, body.data(), sizeof sizes);
  body.remove_prefix(sizeof sizes);
  const std::size_t compressed = sizes[0];
  const std::size_t uncompressed = sizes[1];
  if (compressed > body.size()) {
    throw PcdError("truncated: " + std::to_string(compressed) + " compressed bytes announced, " +
                   std::to_string(body.size()) + " there");
  }
  if (uncompressed != expected) {
    throw PcdError("the data have " + std::to_string(uncompressed) +
                   " bytes, but the header says " + std::to_string(expected));
  }
  if (uncompressed > lzf_bytes_max(compressed)) {
    throw PcdError("the compressed data are damaged: they cannot hold that many points");
  }
  std::vector<char> data(uncompressed);
  if (const char* cause = lzf_decompress(body.substr(0, compressed), data)) {
    throw PcdError(std::string("the compressed data are damaged: ") + cause);
  }
  return decode_binary(header, [&](std::size_t point, const PcdField& field) {
    return data.data() + field.offset_bytes * header.points +
           point * field.size_bytes * field.count;
  });
}

/// Takes numbers off the front of an ascii body.
class Numbers
{
 public:
  explicit Numbers(std::string_view text) : text_(text) {}

  /// Throws if the text ends or goes on with something else.
  double next(std::size_t point)
  {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t begin = text_.find_first_not_of(blanks);
    if (begin == std::string_view::npos) {
      throw PcdError("truncated: the data end in point " + std::to_string(point + 1));
    }
    text_.remove_prefix(begin);
    const std::string_view word = text_.substr(0, text_.find_first_of(blanks));
    text_.remove_prefix(word.size());
    const std::size_t sign = word.front() == '+' ? 1 : 0;
    double value = 0;
    const char* const word_end = word.data() + word.size();
    const auto [end, error] = std::from_chars(word.data() + sign, word_end, value);
    if (error == std::errc::invalid_argument || end != word_end) {
      throw PcdError("point " + std::to_string(point + 1) + " has a value that is not a number");
    }
    return error == std::errc() ? value : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  std::string_view text_;
};

Scan read_ascii(const PcdHeader& header, std::string_view body)
{
  const Wanted wanted = wanted_of(header);
  // A value takes a digit and, except for the last one, a blank.
  if (header.points > (body.size() + 1) / 2 / header.point_elements) {
    throw PcdError("truncated: " + std::to_string(header.points) + " points do not fit into " +
                   std::to_string(body.size()) + " bytes of data");
  }
  Scan scan;
  reserve(scan, wanted, header.points);
  Numbers numbers(body);
  std::vector<double> point(header.point_elements);
  for (std::size_t i = 0; i < header.points; ++i) {
    for (double& element : point) element = numbers.next(i);
    const auto value = [&](const PcdField& field) { return point[field.offset_elements]; };
    const auto colour = [&](const PcdField& field) {
      if (field.type != 'F') return as_colour(value(field));
      return std::bit_cast<std::uint32_t>(as_float(value(field)));
    };
    add_point(scan, wanted, value, colour);
  }
  return scan;
}

std::string content_of(const std::filesystem::path& file)
{
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    throw PcdError(error ? error.message() : "not a regular file");
  }
  std::ifstream stream(file, std::ios::binary);
  std::string content(std::filesystem::file_size(file, error), '\0');
  if (error || !stream.read(content.data(), static_cast<std::streamsize>(content.size()))) {
    throw PcdError("cannot be read");
  }
  return content;
}

}  // namespace

Scan parse_pcd(std::string_view file, std::string_view name)
{
  try {
    const PcdHeader header = parse_pcd_header(file);
    const std::string_view body = file.substr(header.body_offset);
    switch (header.encoding) {
      case PcdEncoding::ascii:
        return read_ascii(header, body);
      case PcdEncoding::binary:
        return read_binary(header, body);
      default:
        return read_compressed(header, body);
    }
  } catch (const PcdError& error) {
    throw PcdError(std::string(name) + ": " + error.what());
  }
}

Scan read_pcd(const std::filesystem::path& file)
{
  std::string content;
  try {
    content = content_of(file);
  } catch (const PcdError& error) {
    throw PcdError(file.string() + ": " + error.what());
  }
  return parse_pcd(content, file.string());
}

}  // namespace lidar

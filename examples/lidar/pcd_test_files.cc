// Writes small PCD files for the tests of the reader.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "pcd_test_files.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <sstream>

namespace lidar::test {
namespace {

template <class T>
std::string raw(double value)
{
  const T converted = static_cast<T>(value);
  return std::string(reinterpret_cast<const char*>(&converted), sizeof converted);
}

std::size_t points_of(const std::vector<Column>& columns)
{
  return columns.front().values.size() / columns.front().count;
}

std::string body_of(const std::vector<Column>& columns, PcdEncoding encoding)
{
  std::ostringstream body;
  body.precision(std::numeric_limits<double>::max_digits10);
  if (encoding == PcdEncoding::binary_compressed) {
    for (const Column& column : columns) {
      for (const double value : column.values) {
        body << bytes_of_value(value, column.type, column.size_bytes);
      }
    }
    return body.str();
  }
  for (std::size_t point = 0; point < points_of(columns); ++point) {
    for (const Column& column : columns) {
      for (std::size_t i = 0; i < column.count; ++i) {
        const double value = column.values[point * column.count + i];
        if (encoding == PcdEncoding::binary) {
          body << bytes_of_value(value, column.type, column.size_bytes);
        } else {
          body << value << ' ';
        }
      }
    }
    if (encoding == PcdEncoding::ascii) body << '\n';
  }
  return body.str();
}

}  // namespace

std::vector<Column> simple_columns(std::size_t points)
{
  std::vector<Column> columns{{"x", 'F', 4, {}}, {"y", 'F', 4, {}}, {"z", 'F', 4, {}}};
  for (std::size_t i = 0; i < points; ++i) {
    const auto number = static_cast<double>(i);
    columns[0].values.push_back(number);
    columns[1].values.push_back(number / 2);
    columns[2].values.push_back(-number);
  }
  return columns;
}

std::string header_of(const std::vector<Column>& columns, PcdEncoding encoding)
{
  std::ostringstream names, sizes, types, counts;
  for (const Column& column : columns) {
    names << ' ' << column.name;
    sizes << ' ' << column.size_bytes;
    types << ' ' << column.type;
    counts << ' ' << column.count;
  }
  const std::map<PcdEncoding, std::string> words{
    {PcdEncoding::ascii, "ascii"},
    {PcdEncoding::binary, "binary"},
    {PcdEncoding::binary_compressed, "binary_compressed"}};
  const std::string points = std::to_string(points_of(columns));
  return "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS" + names.str() +
         "\nSIZE" + sizes.str() + "\nTYPE" + types.str() + "\nCOUNT" + counts.str() + "\nWIDTH " +
         points + "\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS " + points + "\nDATA " +
         words.at(encoding) + "\n";
}

std::string file_of(const std::vector<Column>& columns, PcdEncoding encoding)
{
  const std::string header = header_of(columns, encoding);
  const std::string body = body_of(columns, encoding);
  if (encoding != PcdEncoding::binary_compressed) return header + body;
  const std::string compressed = lzf_compress(body);
  return header + bytes_of_u32(compressed.size()) + bytes_of_u32(body.size()) + compressed;
}

std::string lzf_compress(std::string_view data)
{
  std::string result;
  std::string literals;
  const auto flush = [&] {
    for (std::size_t i = 0; i < literals.size(); i += 32) {
      const std::string run = literals.substr(i, 32);
      result += static_cast<char>(run.size() - 1) + run;
    }
    literals.clear();
  };
  std::map<std::string, std::size_t> seen;  // three bytes, where they stood last
  for (std::size_t i = 0; i < data.size();) {
    const std::string three(data.substr(i, 3));
    const auto found = three.size() == 3 ? seen.find(three) : seen.end();
    if (found == seen.end() || i - found->second > 8192) {
      if (three.size() == 3) seen[three] = i;
      literals += data[i++];
      continue;
    }
    const std::size_t distance = i - found->second - 1;
    std::size_t length = 3;
    while (length < 264 && i + length < data.size() &&
           data[i + length] == data[i + length - distance - 1]) {
      ++length;
    }
    flush();
    const std::size_t code = length - 2;
    result += static_cast<char>(std::min<std::size_t>(code, 7) << 5 | distance >> 8);
    if (code >= 7) result += static_cast<char>(code - 7);
    result += static_cast<char>(distance & 0xFF);
    found->second = i;
    i += length;
  }
  flush();
  return result;
}

std::string bytes_of_value(double value, char type, std::size_t size_bytes)
{
  if (type == 'F') return size_bytes == 4 ? raw<float>(value) : raw<double>(value);
  switch (size_bytes) {
    case 1:
      return type == 'I' ? raw<std::int8_t>(value) : raw<std::uint8_t>(value);
    case 2:
      return type == 'I' ? raw<std::int16_t>(value) : raw<std::uint16_t>(value);
    case 4:
      return type == 'I' ? raw<std::int32_t>(value) : raw<std::uint32_t>(value);
    default:
      return type == 'I' ? raw<std::int64_t>(value) : raw<std::uint64_t>(value);
  }
}

std::string bytes_of_u32(std::size_t value)
{
  return bytes_of_value(static_cast<double>(value), 'U', 4);
}

}  // namespace lidar::test

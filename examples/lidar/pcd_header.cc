// The text header of a PCD file: one keyword and its values on each line, up to DATA.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "pcd_header.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace lidar {
namespace {

constexpr std::size_t header_bytes_max = 64 * 1024;
constexpr std::size_t fields_max = 256;
constexpr std::size_t count_max = 65'536;

[[noreturn]] void fail(const std::string& cause)
{
  throw PcdError(cause);
}

/// For messages: short, and printable whatever the file holds.
std::string quoted(std::string_view text)
{
  std::string result = "'";
  for (const char c : text.substr(0, 40)) result += (c >= ' ' && c <= '~') ? c : '?';
  return result + (text.size() > 40 ? "...'" : "'");
}

std::vector<std::string_view> words_of(std::string_view line)
{
  constexpr std::string_view blanks = " \t\r";
  std::vector<std::string_view> words;
  for (std::size_t begin = line.find_first_not_of(blanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(blanks, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(blanks, end);
  }
  return words;
}

std::size_t number_of(std::string_view keyword, std::string_view word)
{
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) {
    fail(std::string(keyword) + " has the value " + quoted(word) + ", which is not a number");
  }
  return number;
}

/// The header's lines as they stand, before they are compared with one another.
struct Lines
{
  using Words = std::vector<std::string_view>;
  std::optional<Words> fields, size, type, count, width, height, points, data;
  std::size_t body_offset = 0;

  std::optional<Words>* line_of(std::string_view keyword)
  {
    if (keyword == "FIELDS" || keyword == "COLUMNS") return &fields;
    if (keyword == "SIZE") return &size;
    if (keyword == "TYPE") return &type;
    if (keyword == "COUNT") return &count;
    if (keyword == "WIDTH") return &width;
    if (keyword == "HEIGHT") return &height;
    if (keyword == "POINTS") return &points;
    if (keyword == "DATA") return &data;
    return nullptr;
  }
};

Lines split(std::string_view file)
{
  Lines lines;
  const std::string_view head = file.substr(0, header_bytes_max);
  for (std::size_t begin = 0; !lines.data;) {
    std::size_t end = head.find('\n', begin);
    if (end == std::string_view::npos) {
      if (head.size() < file.size() || begin == head.size()) fail("the header has no DATA line");
      end = head.size();
    }
    Lines::Words words = words_of(head.substr(begin, end - begin));
    begin = std::min(end + 1, head.size());
    if (words.empty() || words.front().front() == '#') continue;
    const std::string_view keyword = words.front();
    if (keyword == "VERSION" || keyword == "VIEWPOINT") continue;
    std::optional<Lines::Words>* const line = lines.line_of(keyword);
    if (line == nullptr) fail("not a PCD header: unknown keyword " + quoted(keyword));
    if (*line) fail("the header has two lines " + std::string(keyword));
    words.erase(words.begin());
    if (words.empty()) fail("the line " + std::string(keyword) + " is empty");
    *line = std::move(words);
    lines.body_offset = begin;
  }
  return lines;
}

/// The values of a line that has one for each field.
const Lines::Words& one_each(const std::optional<Lines::Words>& line, const char* keyword,
                             std::size_t fields)
{
  if (!line) fail(std::string("the header has no ") + keyword + " line");
  if (line->size() != fields) {
    fail(std::string("the line ") + keyword + " has " + std::to_string(line->size()) +
         " values for " + std::to_string(fields) + " fields");
  }
  return *line;
}

PcdField field_of(std::string_view name, std::string_view size, std::string_view type,
                  std::size_t count)
{
  PcdField field;
  field.name = name;
  field.size_bytes = number_of("SIZE", size);
  field.type = type.size() == 1 ? type.front() : '?';
  field.count = count;
  const bool wide = field.size_bytes == 4 || field.size_bytes == 8;
  const bool narrow = field.size_bytes == 1 || field.size_bytes == 2;
  const bool integer = field.type == 'I' || field.type == 'U';
  if (!(integer && (wide || narrow)) && !(field.type == 'F' && wide)) {
    fail("field " + quoted(name) + " has TYPE " + quoted(type) + " and SIZE " + quoted(size) +
         "; known are F with 4 or 8, I and U with 1, 2, 4 or 8");
  }
  if (count == 0 || count > count_max) {
    fail("field " + quoted(name) + " has COUNT " + std::to_string(count) + "; it must be 1 to " +
         std::to_string(count_max));
  }
  return field;
}

void read_fields(const Lines& lines, PcdHeader& header)
{
  if (!lines.fields) fail("the header has no FIELDS line");
  const std::size_t fields = lines.fields->size();
  if (fields > fields_max) fail("it has more than " + std::to_string(fields_max) + " fields");
  const Lines::Words& sizes = one_each(lines.size, "SIZE", fields);
  const Lines::Words& types = one_each(lines.type, "TYPE", fields);
  for (std::size_t i = 0; i < fields; ++i) {
    const std::size_t count =
      lines.count ? number_of("COUNT", one_each(lines.count, "COUNT", fields)[i]) : 1;
    PcdField field = field_of((*lines.fields)[i], sizes[i], types[i], count);
    field.offset_bytes = header.point_bytes;
    field.offset_elements = header.point_elements;
    header.point_bytes += field.size_bytes * field.count;
    header.point_elements += field.count;
    header.fields.push_back(std::move(field));
  }
}

std::size_t single_number(const Lines::Words& line, const char* keyword)
{
  if (line.size() != 1) fail(std::string("the line ") + keyword + " has more than one value");
  return number_of(keyword, line.front());
}

void read_points(const Lines& lines, PcdHeader& header)
{
  std::optional<std::size_t> area;
  if (lines.width) {
    const std::size_t width = single_number(*lines.width, "WIDTH");
    const std::size_t height = lines.height ? single_number(*lines.height, "HEIGHT") : 1;
    if (height != 0 && width > std::numeric_limits<std::size_t>::max() / height) {
      fail("WIDTH times HEIGHT is too large");
    }
    area = width * height;
  }
  if (lines.points) {
    header.points = single_number(*lines.points, "POINTS");
    if (area && *area != header.points) {
      fail("POINTS is " + std::to_string(header.points) + ", but WIDTH times HEIGHT is " +
           std::to_string(*area));
    }
  } else if (area) {
    header.points = *area;
  } else {
    fail("the header has neither POINTS nor WIDTH");
  }
  if (header.points > std::numeric_limits<std::size_t>::max() / header.point_bytes) {
    fail("POINTS is too large: " + std::to_string(header.points));
  }
}

PcdEncoding encoding_of(const Lines::Words& words)
{
  if (words.size() == 1 && words.front() == "ascii") return PcdEncoding::ascii;
  if (words.size() == 1 && words.front() == "binary") return PcdEncoding::binary;
  if (words.size() == 1 && words.front() == "binary_compressed") {
    return PcdEncoding::binary_compressed;
  }
  fail("DATA is " + quoted(words.front()) + "; known are ascii, binary and binary_compressed");
}

}  // namespace

const PcdField* PcdHeader::find(std::string_view name) const noexcept
{
  for (const PcdField& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

PcdHeader parse_pcd_header(std::string_view file)
{
  const Lines lines = split(file);
  PcdHeader header;
  read_fields(lines, header);
  read_points(lines, header);
  header.encoding = encoding_of(*lines.data);
  header.body_offset = lines.body_offset;
  return header;
}

}  // namespace lidar

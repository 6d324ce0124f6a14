// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace cli {

bool print(const std::string& text)
{
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

std::string number_text(double value, int digits)
{
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), static_cast<std::size_t>(length)};
}

namespace {

struct Unit
{
  double size;
  const char* name;
};

template <std::size_t N>
std::string with_unit(double value, const std::array<Unit, N>& units)
{
  for (const Unit& unit : units) {
    if (std::abs(value) >= unit.size) return number_text(value / unit.size, 2) + " " + unit.name;
  }
  return number_text(value, 0) + " " + units.back().name;
}

}  // namespace

std::string bytes_text(double bytes)
{
  return with_unit(bytes,
                   std::array{Unit{1e9, "GB"}, Unit{1e6, "MB"}, Unit{1e3, "kB"}, Unit{1, "B"}});
}

std::string duration_text(double nanoseconds)
{
  return with_unit(nanoseconds,
                   std::array{Unit{1e9, "s"}, Unit{1e6, "ms"}, Unit{1e3, "us"}, Unit{1, "ns"}});
}

std::string json_text(const std::string& text)
{
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      quoted += code.data();
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

agnocast::Value number(double value, int digits)
{
  return agnocast::Value::of_number(number_text(value, digits));
}

agnocast::Value number(std::uint64_t value)
{
  return agnocast::Value::of_number(std::to_string(value));
}

namespace {

using agnocast::Value;

std::string json_of(const Value& value)
{
  switch (value.kind) {
    case Value::Kind::null:
      return "null";
    case Value::Kind::boolean:
      return value.boolean ? "true" : "false";
    case Value::Kind::number:
      return value.text;
    case Value::Kind::string:
      return json_text(value.text);
    case Value::Kind::sequence: {
      std::string text = "[";
      for (const Value& element : value.elements) {
        text += (text.size() > 1 ? ", " : "") + json_of(element);
      }
      return text + "]";
    }
    default: {
      std::string text = "{";
      for (const auto& [name, entry] : value.entries) {
        text += (text.size() > 1 ? ", " : "") + json_text(name) + ": " + json_of(entry);
      }
      return text + "}";
    }
  }
}

bool is_nested(const Value& value)
{
  return (value.kind == Value::Kind::sequence && !value.elements.empty()) ||
         (value.kind == Value::Kind::mapping && !value.entries.empty());
}

/// What is not nested stands as in JSON, which is YAML too.
void add_yaml(std::string& text, const Value& value, const std::string& indent)
{
  if (value.kind == Value::Kind::sequence) {
    for (const Value& element : value.elements) {
      if (!is_nested(element)) {
        text += indent + "- " + json_of(element) + "\n";
        continue;
      }
      // The first line of the element follows the dash.
      std::string inner;
      add_yaml(inner, element, indent + "  ");
      inner.replace(indent.size(), 2, "- ");
      text += inner;
    }
  } else {
    for (const auto& [name, entry] : value.entries) {
      text += indent + name + ":";
      if (is_nested(entry)) {
        text += "\n";
        add_yaml(text, entry, indent + "  ");
      } else {
        text += " " + json_of(entry) + "\n";
      }
    }
  }
}

bool is_number(const std::string& text)
{
  return !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
}

}  // namespace

std::string document_text(const Value& document, Format format)
{
  if (format == Format::json || !is_nested(document)) return json_of(document) + "\n";
  std::string text;
  add_yaml(text, document, "");
  return text;
}

std::string Table::text() const
{
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    widths.resize(std::max(widths.size(), rows_[r].size()));
    right.resize(widths.size(), rows_.size() > 1);
    for (std::size_t c = 0; c < rows_[r].size(); ++c) {
      widths[c] = std::max(widths[c], rows_[r][c].size());
      if (r > 0 && !is_number(rows_[r][c])) right[c] = false;
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - row[c].size(), ' ');
      line += (c == 0 ? "" : "  ") + (right[c] ? gap + row[c] : row[c] + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace cli

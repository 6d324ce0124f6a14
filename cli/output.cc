// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

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

}  // namespace cli

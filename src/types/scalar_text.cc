// Scalars as text.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "types/scalar.hpp"
#include "types/text_output.hpp"

namespace agnocast {
namespace internal {
namespace {

__extension__ typedef unsigned __int128 Wide;  // NOLINT: the extension needs a typedef

template <class T>
T value_of(const ScalarValue& value)
{
  T read;
  static_assert(sizeof read <= sizeof value.data);
  std::memcpy(&read, value.data, sizeof read);
  return read;
}

/// All bits above those of the value are its sign, or 0.
Wide extended(const ScalarValue& value)
{
  Wide number = value_of<Wide>(value);
  const unsigned bits = value.bytes * 8;
  if (value.kind == TypeKind::signed_integer && bits < 128 && (number >> (bits - 1) & 1) != 0) {
    number |= ~Wide{0} << bits;
  }
  return number;
}

std::string integer_text(const ScalarValue& value)
{
  Wide number = extended(value);
  const bool is_negative = value.kind == TypeKind::signed_integer && (number >> 127) != 0;
  if (is_negative) number = ~number + 1;
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(number % 10));
    number /= 10;
  } while (number != 0);
  if (is_negative) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

/// As Python writes it: digits without an exponent from 1e-4 to below 1e16.
template <class Float>
std::string floating_text(Float number)
{
  if (std::isnan(number)) return ".nan";
  if (std::isinf(number)) return number < 0 ? "-.inf" : ".inf";
  constexpr Float shortest_fixed = static_cast<Float>(1e-4);
  constexpr Float longest_fixed = static_cast<Float>(1e16);
  const Float size = std::abs(number);
  const bool is_fixed = size == 0 || (size >= shortest_fixed && size < longest_fixed);
  char digits[64];
  const auto end =
    std::to_chars(digits, digits + sizeof digits, number,
                  is_fixed ? std::chars_format::fixed : std::chars_format::scientific)
      .ptr;
  std::string text(digits, end);
  const std::size_t exponent = std::min(text.find('e'), text.size());
  if (text.find('.') == std::string::npos) text.insert(exponent, ".0");
  return text;
}

float half(std::uint16_t bits)
{
  const int exponent = bits >> 10 & 0x1f;
  const auto fraction = static_cast<float>(bits & 0x3ff);
  float size =
    exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  if (exponent == 0x1f) size = fraction == 0 ? HUGE_VALF : NAN;
  return (bits & 0x8000) != 0 ? -size : size;
}

std::string character_text(const ScalarValue& value)
{
  if (value.bytes == 1) return std::string(1, value_of<char>(value));
  std::string text;
  append_utf8(text, value_of<std::uint32_t>(value));
  return text;
}

}  // namespace

void append_utf8(std::string& text, std::uint32_t character)
{
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) character = 0xfffd;
  if (character < 0x80) {
    add(character);
  } else if (character < 0x800) {
    add(0xc0 | character >> 6);
    add(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    add(0xe0 | character >> 12);
    add(0x80 | (character >> 6 & 0x3f));
    add(0x80 | (character & 0x3f));
  } else {
    add(0xf0 | character >> 18);
    add(0x80 | (character >> 12 & 0x3f));
    add(0x80 | (character >> 6 & 0x3f));
    add(0x80 | (character & 0x3f));
  }
}

std::size_t utf8_bytes(std::string_view text) noexcept
{
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = at(1);
  const bool is_wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return is_wrong ? 0 : bytes;
}

std::uint32_t decode_utf8(std::string_view text) noexcept
{
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = utf8_bytes(text);
  std::uint32_t character = bytes == 1 ? first : first & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    character = character << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  return character;
}

bool from_utf8(std::string_view text, std::uint64_t width, std::string& units)
{
  units.clear();
  const auto add = [&](std::uint32_t unit) {
    units.append(reinterpret_cast<const char*>(&unit), width);
  };
  while (!text.empty()) {
    const std::size_t bytes = utf8_bytes(text);
    if (bytes == 0) return false;
    const std::uint32_t character = decode_utf8(text);
    if (width == 2 && character >= 0x10000) {
      add(0xd800 + ((character - 0x10000) >> 10));
      add(0xdc00 + ((character - 0x10000) & 0x3ff));
    } else {
      add(character);
    }
    text.remove_prefix(bytes);
  }
  return true;
}

ScalarText scalar_text(const ScalarValue& value)
{
  if (value.type.kind == TypeKind::enumeration) {
    const auto number = static_cast<std::uint64_t>(extended(value));
    for (const DescribedField& enumerator : value.type.fields) {
      if (enumerator.value == number) return {enumerator.name, true};
    }
  }
  switch (value.kind) {
    case TypeKind::boolean:
      return {value.data[0] != std::byte{0} ? "true" : "false", false};
    case TypeKind::character:
      if (value.type.kind == TypeKind::enumeration) break;
      return {character_text(value), true};
    case TypeKind::floating:
      switch (value.bytes) {
        case 2:
          return {floating_text(half(value_of<std::uint16_t>(value))), false};
        case 4:
          return {floating_text(value_of<float>(value)), false};
        case 8:
          return {floating_text(value_of<double>(value)), false};
        default:
          return {floating_text(value_of<long double>(value)), false};
      }
    default:
      break;
  }
  return {integer_text(value), false};
}

}  // namespace internal

std::string TextValue::copy(std::uint64_t count_max) const
{
  const std::uint64_t count = std::min(count_, count_max);
  std::string text;
  if (width_ == 1) {
    text.resize(count);
    std::memcpy(text.data(), address_, count);
    return text;
  }
  const auto* const bytes = static_cast<const std::byte*>(address_);
  std::uint32_t high = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint32_t character = 0;
    std::memcpy(&character, bytes + i * width_, width_);
    const bool is_low = width_ == 2 && (character & 0xfc00) == 0xdc00;
    if (high != 0) {
      internal::append_utf8(text,
                            is_low ? 0x10000 + ((high & 0x3ff) << 10) + (character & 0x3ff) : high);
      high = 0;
      if (is_low) continue;
    }
    if (width_ == 2 && (character & 0xfc00) == 0xd800) {
      high = character;
    } else {
      internal::append_utf8(text, character);
    }
  }
  if (high != 0) internal::append_utf8(text, high);
  return text;
}

}  // namespace agnocast

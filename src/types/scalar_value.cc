// Numbers, truth values, characters and enumerators out of text.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "types/filler.hpp"
#include "types/text_output.hpp"

namespace agnocast::internal {
namespace {

__extension__ typedef unsigned __int128 Wide;  // NOLINT: the extension needs a typedef

constexpr const char* no_integer = "is not an integer";
constexpr const char* out_of_range = "is out of range";

const char* write_integer(std::string_view text, bool is_signed, std::uint64_t bytes, std::byte* at)
{
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty()) return no_integer;
  const unsigned bits = static_cast<unsigned>(bytes * 8);
  // The greatest magnitude that fits.
  const Wide all = bits == 128 ? ~Wide{0} : (Wide{1} << bits) - 1;
  const Wide most = is_signed ? (all >> 1) + (is_negative ? 1 : 0) : is_negative ? 0 : all;
  Wide number = 0;
  bool fits = true;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : 16;
    if (digit >= static_cast<int>(base)) return no_integer;
    const auto next = static_cast<Wide>(static_cast<unsigned>(digit));
    fits = fits && next <= most && number <= (most - next) / base;
    if (fits) number = number * base + next;
  }
  if (!fits) return out_of_range;
  if (is_negative) number = ~number + 1;
  std::memcpy(at, &number, bytes);
  return nullptr;
}

template <class Float>
const char* write_float(std::string_view text, std::byte* at)
{
  const bool is_negative = text.starts_with('-');
  std::string_view size = text;
  if (is_negative || text.starts_with('+')) size.remove_prefix(1);
  Float number{};
  if (size == ".inf" || size == ".Inf" || size == "inf") {
    number = std::numeric_limits<Float>::infinity();
  } else if (size == ".nan" || size == ".NaN" || size == "nan") {
    number = std::numeric_limits<Float>::quiet_NaN();
  } else {
    const char* const end = size.data() + size.size();
    const auto [last, error] = std::from_chars(size.data(), end, number);
    if (error == std::errc::result_out_of_range) return out_of_range;
    if (error != std::errc{} || last != end || size.starts_with('-')) return "is not a number";
  }
  store(at, is_negative ? -number : number);
  return nullptr;
}

/// The only character of the text; false if there is another number of them.
bool only_character(std::string_view text, std::uint64_t bytes, std::uint32_t& character)
{
  if (text.empty()) return false;
  if (bytes == 1) {
    character = static_cast<unsigned char>(text[0]);
    return text.size() == 1;
  }
  if (utf8_bytes(text) != text.size()) return false;
  character = decode_utf8(text);
  return bytes == 4 || character < 0x10000;
}

}  // namespace

const char* write_scalar(const Types& types, const DescribedType& type, std::byte* at,
                         const Value& value)
{
  if (type.kind == TypeKind::enumeration) {
    if (value.kind == Value::Kind::string) {
      for (const DescribedField& enumerator : type.fields) {
        if (enumerator.name != value.text) continue;
        std::memcpy(at, &enumerator.value, std::min<std::uint64_t>(8, type.bytes));
        return nullptr;
      }
      return "is none of the enumerators";
    }
    return write_scalar(types, types[type.element], at, value);
  }
  const bool is_number = value.kind == Value::Kind::number;
  switch (type.kind) {
    case TypeKind::boolean:
      if (value.kind != Value::Kind::boolean) return "is not true or false";
      store(at, static_cast<std::uint8_t>(value.boolean ? 1 : 0));
      return nullptr;
    case TypeKind::signed_integer:
      return is_number ? write_integer(value.text, true, type.bytes, at) : no_integer;
    case TypeKind::unsigned_integer:
      return is_number ? write_integer(value.text, false, type.bytes, at) : no_integer;
    case TypeKind::character: {
      if (is_number) return write_integer(value.text, false, type.bytes, at);
      std::uint32_t character = 0;
      if (value.kind != Value::Kind::string || !only_character(value.text, type.bytes, character)) {
        return "is not one character";
      }
      std::memcpy(at, &character, type.bytes);
      return nullptr;
    }
    case TypeKind::floating:
      if (!is_number) return "is not a number";
      switch (type.bytes) {
        case 4:
          return write_float<float>(value.text, at);
        case 8:
          return write_float<double>(value.text, at);
        case 16:
          return write_float<long double>(value.text, at);
        default:
          return "is of a type that cannot be written";
      }
    default:
      return "cannot be given a value: it is not known what it consists of";
  }
}

}  // namespace agnocast::internal

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "types/key.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include "types/scalar.hpp"

namespace agnocast::internal {
namespace {

const DescribedType& scalar_type(const Types& types, std::uint32_t index)
{
  const DescribedType& type = types[index];
  return type.kind == TypeKind::enumeration ? types[type.element] : type;
}

template <class Char>
std::basic_string_view<Char> text_at(const std::byte* at)
{
  return {reinterpret_cast<const Char*>(load_pointer(at)), load<std::uint64_t>(at + 8)};
}

/// Calls visit with the key as its C++ type, or one of the same size, order and hash.
template <class Visit>
auto with_text(const DescribedType& character, Visit visit)
{
  if (character.name == "wchar_t") return visit(wchar_t{});
  if (character.bytes == 4) return visit(char32_t{});
  if (character.bytes == 2) return visit(char16_t{});
  return visit(char{});
}
template <class Visit>
auto with_scalar(const DescribedType& type, Visit visit)
{
  switch (type.kind) {
    case TypeKind::boolean:
      return visit(bool{});
    case TypeKind::floating:
      return type.bytes == 4 ? visit(float{}) : visit(double{});
    case TypeKind::character:
      if (type.name == "char") return visit(char{});
      if (type.name == "wchar_t") return visit(wchar_t{});
      [[fallthrough]];
    case TypeKind::unsigned_integer:
      if (type.bytes == 1) return visit(std::uint8_t{});
      if (type.bytes == 2) return visit(std::uint16_t{});
      return type.bytes == 4 ? visit(std::uint32_t{}) : visit(std::uint64_t{});
    default:
      if (type.bytes == 1) return visit(std::int8_t{});
      if (type.bytes == 2) return visit(std::int16_t{});
      return type.bytes == 4 ? visit(std::int32_t{}) : visit(std::int64_t{});
  }
}

}  // namespace

bool has_known_keys(const Types& types, const DescribedType& container)
{
  const std::string own = container.name.substr(0, container.name.find('<'));
  std::string usual = own + "<" + types[container.element].name;
  if (has_mapped(container.kind)) usual += ", " + types[container.mapped].name;
  if (container.name != usual + ">" && container.name != usual + ", std::less<void>>") return false;
  const DescribedType& key = types[container.element];
  if (key.kind == TypeKind::string) return true;
  const DescribedType& scalar = scalar_type(types, container.element);
  if (!is_scalar(scalar.kind)) return false;
  return scalar.kind == TypeKind::floating ? scalar.bytes == 4 || scalar.bytes == 8
                                           : scalar.bytes <= 8;
}

bool is_less_key(const Types& types, std::uint32_t type, const std::byte* a, const std::byte* b)
{
  if (types[type].kind == TypeKind::string) {
    return with_text(types[types[type].element],
                     [&]<class Char>(Char) { return text_at<Char>(a) < text_at<Char>(b); });
  }
  return with_scalar(scalar_type(types, type), [&]<class T>(T) { return load<T>(a) < load<T>(b); });
}

bool is_equal_key(const Types& types, std::uint32_t type, const std::byte* a, const std::byte* b)
{
  return !is_less_key(types, type, a, b) && !is_less_key(types, type, b, a);
}

std::size_t hash_of_key(const Types& types, std::uint32_t type, const std::byte* key)
{
  if (types[type].kind == TypeKind::string) {
    return with_text(types[types[type].element], [&]<class Char>(Char) {
      return std::hash<std::basic_string_view<Char>>()(text_at<Char>(key));
    });
  }
  return with_scalar(scalar_type(types, type),
                     [&]<class T>(T) { return std::hash<T>()(load<T>(key)); });
}

}  // namespace agnocast::internal

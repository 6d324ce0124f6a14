// From a C++ type to its TypeDescription.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

#include "agnocast/export.hpp"
#include "agnocast/internal/enumerators.hpp"
#include "agnocast/internal/fields.hpp"
#include "agnocast/shared_heap.hpp"
#include "agnocast/type_description.hpp"

namespace agnocast {

template <class Class, class Member>
struct NamedField
{
  std::string_view name;
  Member Class::*pointer;
};

/// The fields of T, for types into which the compiler cannot see: those with constructors or
/// private fields of their own, with base classes or more than 63 fields. AGNOCAST_FIELDS
/// specializes it. A class with private fields befriends it:
/// `friend struct agnocast::type_fields<Type>;`.
template <class T>
struct type_fields
{
  using is_primary = void;
};

/// Says what a type looks like that is no aggregate and no standard type: specialize it with
/// `static void describe(TypeDescriber& describer, DescribedType& type)`, which fills `type`. The
/// audit then looks at what has fields in C++ only.
template <class T>
struct type_layout;

namespace internal {

/// As the compiler's ABI names it, in the words of C++; the mangled name if that fails.
AGNOCAST_PUBLIC std::string readable_type_name(const std::type_info& type);

}  // namespace internal

/// Builds a description, part by part. One thread at a time.
class TypeDescriber
{
 public:
  /// The index of T, which is described now if it was not before. A type may contain itself.
  template <class T>
  std::uint32_t add()
  {
    using U = std::remove_cv_t<T>;
    const std::type_index key(typeid(Tag<U>));
    for (std::uint32_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i] == key) return i;
    }
    const auto index = static_cast<std::uint32_t>(keys_.size());
    keys_.push_back(key);
    DescribedType type;
    type.name = internal::readable_type_name(typeid(U));
    type.bytes = sizeof(U);
    type.alignment = alignof(U);
    types_.push_back(type);
    type_layout<U>::describe(*this, type);
    types_[index] = std::move(type);
    return index;
  }
  [[nodiscard]] const std::string& name(std::uint32_t index) const { return types_[index].name; }
  [[nodiscard]] TypeDescription finish() && { return TypeDescription(std::move(types_)); }

 private:
  template <class T>
  struct Tag
  {
  };

  std::vector<std::type_index> keys_;
  std::vector<DescribedType> types_;
};

namespace internal {

template <class T>
inline constexpr bool has_named_fields = !requires
{
  typename type_fields<T>::is_primary;
};

template <class T>
inline constexpr bool has_fields = has_named_fields<T> || bound_fields<T>() != no_fields;

/// Calls visit(name, field) for each field, in order.
template <class T, class Visit>
constexpr void for_each_field(T& object, Visit&& visit)
{
  using U = std::remove_const_t<T>;
  if constexpr (has_named_fields<U>) {
    std::apply([&](const auto&... field) { (visit(field.name, object.*(field.pointer)), ...); },
               type_fields<U>::value);
  } else {
    constexpr std::size_t count = bound_fields<U>();
    [&]<std::size_t... Index>(std::index_sequence<Index...>)
    {
      auto fields = tie_fields<T, count>(object);
      static_cast<void>(fields);
      (visit(FieldName<U, count, Index>::value, std::get<Index>(fields)), ...);
    }
    (std::make_index_sequence<count>{});
  }
}

/// Where an object could be, for its fields' addresses. Nothing is there: no object is made or
/// read, and a type of any size takes no memory.
template <class T>
class Place
{
 public:
  [[nodiscard]] T& object() const noexcept
  {
    return *reinterpret_cast<T*>(std::uintptr_t{address_});
  }
  [[nodiscard]] std::uint64_t offset_of(const volatile void* part) const noexcept
  {
    return reinterpret_cast<std::uintptr_t>(part) - address_;
  }

 private:
  // Volatile: compilers warn of objects at addresses that they know.
  const volatile std::uintptr_t address_ = std::max<std::uintptr_t>(alignof(T), 1 << 16);
};

template <class T>
void describe_fields(TypeDescriber& describer, DescribedType& type)
{
  type.kind = TypeKind::structure;
  const Place<T> place;
  for_each_field(place.object(), [&](std::string_view name, auto& field) {
    using Field = std::remove_cvref_t<decltype(field)>;
    type.fields.push_back({std::string(name), describer.add<Field>(),
                           place.offset_of(reinterpret_cast<const volatile std::byte*>(&field))});
  });
}

}  // namespace internal

/// What is not specialized: scalars, enumerations, aggregates, types with AGNOCAST_FIELDS; of the
/// rest, what consists of bytes only is TypeKind::opaque, and what might not is unknown.
template <class T>
struct type_layout
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    if constexpr (std::is_same_v<T, bool>) {
      type.kind = TypeKind::boolean;
    } else if constexpr (std::is_same_v<T, char> || std::is_same_v<T, char8_t> ||
                         std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t> ||
                         std::is_same_v<T, wchar_t>) {
      type.kind = TypeKind::character;
    } else if constexpr (std::is_integral_v<T>) {
      type.kind = std::is_signed_v<T> ? TypeKind::signed_integer : TypeKind::unsigned_integer;
    } else if constexpr (std::is_floating_point_v<T>) {
      type.kind = TypeKind::floating;
    } else if constexpr (std::is_enum_v<T>) {
      type.kind = TypeKind::enumeration;
      type.element = describer.add<std::underlying_type_t<T>>();
      for (const auto& [name, value] : internal::enumerators<T>()) {
        type.fields.push_back({std::string(name), TypeDescription::none,
                               static_cast<std::uint64_t>(static_cast<std::int64_t>(value))});
      }
    } else if constexpr (std::is_array_v<T>) {
      using Element = std::remove_extent_t<T>;
      type.kind = TypeKind::array;
      type.element = describer.add<Element>();
      type.count = std::extent_v<T>;
    } else if constexpr (std::is_pointer_v<T>) {
      type.kind = TypeKind::raw_pointer;
    } else if constexpr (internal::has_fields<T>) {
      internal::describe_fields<T>(describer, type);
    } else {
      type.kind = std::is_trivially_copyable_v<T> ? TypeKind::opaque : TypeKind::unknown;
    }
  }
};

/// Describes T anew; costs allocations and time in proportion to what T consists of. See
/// type_description() for one that is kept.
template <class T>
TypeDescription describe()
{
  TypeDescriber describer;
  describer.add<T>();
  return std::move(describer).finish();
}

/// The description of T, made when it is first asked for and kept for good. Thread-safe.
template <class T>
const TypeDescription& type_description()
{
  static const TypeDescription* const description = [] {
    const PrivateHeapScope in_private;  // a loan may be open
    return new TypeDescription(describe<T>());
  }();
  return *description;
}

}  // namespace agnocast

#include "agnocast/internal/standard_types.hpp"

#define AGNOCAST_INTERNAL_PARENS ()
#define AGNOCAST_INTERNAL_EXPAND(...) \
  AGNOCAST_INTERNAL_EXPAND3(          \
    AGNOCAST_INTERNAL_EXPAND3(AGNOCAST_INTERNAL_EXPAND3(AGNOCAST_INTERNAL_EXPAND3(__VA_ARGS__))))
#define AGNOCAST_INTERNAL_EXPAND3(...) \
  AGNOCAST_INTERNAL_EXPAND2(           \
    AGNOCAST_INTERNAL_EXPAND2(AGNOCAST_INTERNAL_EXPAND2(AGNOCAST_INTERNAL_EXPAND2(__VA_ARGS__))))
#define AGNOCAST_INTERNAL_EXPAND2(...) \
  AGNOCAST_INTERNAL_EXPAND1(           \
    AGNOCAST_INTERNAL_EXPAND1(AGNOCAST_INTERNAL_EXPAND1(AGNOCAST_INTERNAL_EXPAND1(__VA_ARGS__))))
#define AGNOCAST_INTERNAL_EXPAND1(...) __VA_ARGS__
#define AGNOCAST_INTERNAL_FIELDS(Type, field, ...)                                      \
  ::agnocast::NamedField<Type, decltype(Type::field)>{#field, &Type::field} __VA_OPT__( \
    , AGNOCAST_INTERNAL_FIELDS_AGAIN AGNOCAST_INTERNAL_PARENS(Type, __VA_ARGS__))
#define AGNOCAST_INTERNAL_FIELDS_AGAIN() AGNOCAST_INTERNAL_FIELDS

/// Names the fields of a type into which the compiler cannot see; at namespace scope, outside of
/// all namespaces: `AGNOCAST_FIELDS(robots::Scan, stamp, ranges)`. Up to 85 fields. Fields that are
/// not named are not shown, checked or audited. A base class's fields are named like its own.
#define AGNOCAST_FIELDS(Type, ...)                                                            \
  template <>                                                                                 \
  struct agnocast::type_fields<Type>                                                          \
  {                                                                                           \
    static constexpr auto value =                                                             \
      std::make_tuple(AGNOCAST_INTERNAL_EXPAND(AGNOCAST_INTERNAL_FIELDS(Type, __VA_ARGS__))); \
  }

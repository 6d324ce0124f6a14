// The fields of an aggregate: how many, where, and what they are called.
//
// A structured binding gives the fields, a pointer to one of them as a template argument makes the
// compiler spell its name. (Boost.PFR does the same; why it is not used: docs/decisions/0016.)
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "agnocast/internal/tie_fields.hpp"
#include "agnocast/message_traits.hpp"

namespace agnocast::internal {

// Takes the place of a base class and of nothing else.
template <class T>
struct AnyBaseOf
{
  template <class U, class = std::enable_if_t<std::is_base_of_v<U, T> && !std::is_same_v<U, T>>>
  operator U() const;
};

// T{any × before, {}, any × after} is well-formed. The braces stay empty, since a list in them
// would make some compilers look into the constructors of containers.
template <class T, std::size_t Before, std::size_t After>
constexpr bool takes_braces() noexcept
{
  return
    []<std::size_t... B, std::size_t... A>(std::index_sequence<B...>, std::index_sequence<A...>)
  {
    return requires
    {
      T{(static_cast<void>(B), AnyValue{})..., {}, (static_cast<void>(A), AnyValue{})...};
    };
  }
  (std::make_index_sequence<Before>{}, std::make_index_sequence<After>{});
}

// How many of `Count` initializers the field takes that begins with the one at `Index`: those of a
// C array come one by one. With braces in their place, all others still fit, and no more do.
template <class T, std::size_t Count, std::size_t Index, std::size_t Length = 1>
constexpr std::size_t initializers_of_field() noexcept
{
  if constexpr (Index + Length > Count) {
    return 1;  // it cannot be empty, so it is no array of anything that can
  } else if constexpr (takes_braces<T, Index, Count - Index - Length>()) {
    return Length;
  } else {
    return initializers_of_field<T, Count, Index, Length + 1>();
  }
}

template <class T, std::size_t Count, std::size_t Index = 0>
constexpr std::size_t fields_from() noexcept
{
  if constexpr (Index >= Count) {
    return 0;
  } else {
    return 1 + fields_from<T, Count, Index + initializers_of_field<T, Count, Index>()>();
  }
}

// What a structured binding of T has to name; none if T is no aggregate, has a base class, or more
// initializers than are tried.
inline constexpr std::size_t no_fields = static_cast<std::size_t>(-1);

template <class T>
constexpr std::size_t bound_fields() noexcept
{
  if constexpr (!std::is_class_v<T> || !std::is_aggregate_v<T>) {
    return no_fields;
  } else if constexpr (std::is_empty_v<T>) {
    return 0;
  } else {
    constexpr std::size_t count = field_count<T>();
    if constexpr (count == 0 || count >= fields_max) {
      return no_fields;
    } else if constexpr (field_takes<T, AnyBaseOf<T>, 0, count>()) {
      return no_fields;
    } else {
      return fields_from<T, count>();
    }
  }
}

// An object that exists nowhere, whose fields have addresses that the compiler knows by name.
template <class T>
struct Nowhere
{
  T object;
  Nowhere();
  ~Nowhere();
};
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
extern const Nowhere<T> nowhere;

template <class Pointer>
struct Named
{
  Pointer pointer;
};
template <class Pointer>
Named(Pointer) -> Named<Pointer>;

// GCC takes the address of a part as a template argument, Clang 14 only inside of an object.
#ifdef __clang__
template <Named pointer>
consteval std::string_view spelled() noexcept
{
  return __PRETTY_FUNCTION__;
}
#define AGNOCAST_SPELLED(address) \
  ::agnocast::internal::spelled<::agnocast::internal::Named{address}>()
#else
template <auto pointer>
consteval std::string_view spelled() noexcept
{
  return __PRETTY_FUNCTION__;
}
#define AGNOCAST_SPELLED(address) ::agnocast::internal::spelled<address>()
#endif

// "... nowhere<T>.Nowhere<T>::object.T::name)]" by GCC, "... &nowhere.object.name}]" by Clang.
consteval std::string_view last_name(std::string_view spelled) noexcept
{
  std::size_t end = spelled.size();
#ifndef __clang__
  end = spelled.rfind(");", end);  // before what GCC says of std::string_view
  if (end == std::string_view::npos) end = spelled.size();
#endif
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  while (end > 0 && !is_letter(spelled[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_letter(spelled[begin - 1])) --begin;
  return spelled.substr(begin, end - begin);
}

template <class T, std::size_t Count, std::size_t Index>
consteval auto field_nowhere() noexcept
{
  return &std::get<Index>(tie_fields<const T, Count>(nowhere<T>.object));
}

template <class T, std::size_t Count, std::size_t Index>
struct FieldName
{
  static constexpr std::string_view value =
    last_name(AGNOCAST_SPELLED((field_nowhere<T, Count, Index>())));
};
#ifdef __clang__
#pragma clang diagnostic pop
#endif
#undef AGNOCAST_SPELLED

}  // namespace agnocast::internal

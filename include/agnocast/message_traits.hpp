// Which types can be messages, as far as the compiler can tell.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace agnocast {

/// Says that T must not, or may, be part of a message. Open to users: specialize it as
/// `template <> struct agnocast::message_part<MyType> : std::false_type {};` for a type that points
/// into its own process, or with std::true_type for one that the rules refuse although it works.
template <class T>
struct message_part;

namespace internal {

template <class T>
inline constexpr bool always_refused = std::is_reference_v<T> || std::is_polymorphic_v<T> ||
                                       std::is_function_v<T> || std::is_member_pointer_v<T> ||
                                       (std::is_pointer_v<T> &&
                                        std::is_function_v<std::remove_pointer_t<T>>);

template <class T>
struct is_process_bound : std::false_type
{
};
template <class R, class... A>
struct is_process_bound<std::function<R(A...)>> : std::true_type
{
};
template <class T>
struct is_process_bound<std::shared_ptr<T>> : std::true_type
{
};
template <class T>
struct is_process_bound<std::weak_ptr<T>> : std::true_type
{
};
template <class T>
struct is_process_bound<std::reference_wrapper<T>> : std::true_type
{
};
template <>
struct is_process_bound<std::any> : std::true_type
{
};
template <class C, class Tr>
struct is_process_bound<std::basic_string_view<C, Tr>> : std::true_type
{
};

// `Path` is the chain of aggregates that the walk is inside of; it ends the walk of a type that
// contains itself, such as struct Tree { std::vector<Tree> children; }.
template <class T, class... Path>
constexpr bool part_allowed() noexcept;

// Type arguments of a class template are parts of it: std::vector<std::function<void()>> is caught
// through its element. Allocators, hashes and comparators pass.
template <class T, class... Path>
struct arguments_allowed : std::true_type
{
};
template <template <class...> class Template, class... Args, class... Path>
struct arguments_allowed<Template<Args...>, Path...>
  : std::bool_constant<(part_allowed<Args, Path...>() && ...)>
{
};
template <template <class, std::size_t> class Template, class T, std::size_t N, class... Path>
struct arguments_allowed<Template<T, N>, Path...> : std::bool_constant<part_allowed<T, Path...>()>
{
};

// Probes to initialize a field with, without naming its type.
struct AnyValue
{
  template <class U>
  operator U() const;
};
struct AnyReference
{
  template <class U>
  operator U&() const;
};
struct AnyConstReference
{
  template <class U, class = std::enable_if_t<std::is_const_v<U>>>
  operator U&() const;
};
template <class... Path>
struct RefusedValue
{
  template <class U, class = std::enable_if_t<!part_allowed<U, Path...>()>>
  operator U() const;
};

// T{any × before, probe, any × after} is well-formed if and only if that field takes the probe.
template <class T, class Probe, std::size_t... Before, std::size_t... After>
constexpr bool field_takes(std::index_sequence<Before...>, std::index_sequence<After...>) noexcept
{
  return requires
  {
    T{(static_cast<void>(Before), AnyValue{})..., Probe{},
      (static_cast<void>(After), AnyValue{})...};
  };
}
template <class T, class Probe, std::size_t Index, std::size_t Count>
constexpr bool field_takes() noexcept
{
  return field_takes<T, Probe>(std::make_index_sequence<Index>{},
                               std::make_index_sequence<Count - 1 - Index>{});
}

inline constexpr std::size_t fields_max = 64;

// The number of fields of an aggregate (arrays count by elements); 0 if it cannot be told.
template <class T, std::size_t Count = sizeof(T) < fields_max ? sizeof(T) : fields_max>
constexpr std::size_t field_count() noexcept
{
  if constexpr (Count == 0) {
    return 0;
  } else if constexpr (field_takes<T, AnyValue, Count - 1, Count>()) {
    return Count;
  } else {
    return field_count<T, Count - 1>();
  }
}

template <class T, std::size_t Count, class... Path, std::size_t... Index>
constexpr bool fields_allowed(std::index_sequence<Index...>) noexcept
{
  return ((!field_takes<T, AnyConstReference, Index, Count>() &&
           !field_takes<T, RefusedValue<Path...>, Index, Count>()) &&
          ...);
}

// One field of `Count` is a reference, which takes no temporary value.
template <class T, std::size_t Count, std::size_t... Index>
constexpr bool has_reference(std::index_sequence<Index...>) noexcept
{
  return (field_takes<T, AnyReference, Index, Count>() || ...);
}
template <class T, std::size_t Count = 1>
constexpr bool has_reference() noexcept
{
  if constexpr (Count > 16 || Count > sizeof(T)) {
    return false;
  } else {
    return has_reference<T, Count>(std::make_index_sequence<Count>{}) ||
           has_reference<T, Count + 1>();
  }
}

template <class T, class... Path>
constexpr bool default_part_allowed() noexcept
{
  using U = std::remove_cv_t<T>;
  if constexpr ((std::is_same_v<U, Path> || ...)) {
    return true;
  } else if constexpr (always_refused<U> || is_process_bound<U>::value ||
                       !arguments_allowed<U, Path...>::value) {
    return false;
  } else if constexpr (std::is_array_v<U>) {
    return part_allowed<std::remove_all_extents_t<U>, Path...>();
  } else if constexpr (std::is_class_v<U> && std::is_aggregate_v<U>) {
    constexpr std::size_t count = field_count<U>();
    if constexpr (count == 0) {
      return std::is_empty_v<U> || !has_reference<U>();
    } else {
      return fields_allowed<U, count, U, Path...>(std::make_index_sequence<count>{});
    }
  } else {
    return true;
  }
}

}  // namespace internal

template <class T>
struct message_part
{
  using follows_the_rules = void;  ///< absent in a specialization, which then decides by `value`
};

namespace internal {

template <class T, class... Path>
constexpr bool part_allowed() noexcept
{
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_void_v<U>) {
    return true;
  } else if constexpr (requires { typename message_part<U>::follows_the_rules; }) {
    return default_part_allowed<U, Path...>();
  } else {
    return message_part<U>::value;
  }
}

}  // namespace internal

/// True unless the compiler can tell that T cannot be a message: virtual functions,
/// std::function, std::shared_ptr, std::weak_ptr, std::any, std::string_view, references and
/// function pointers, in T itself, in a field of an aggregate, or as an element of a container.
/// Fields behind user-written constructors cannot be seen; there it is the author's duty.
template <class T>
inline constexpr bool is_message_v =
  std::is_object_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T> && !std::is_array_v<T> &&
  std::is_destructible_v<T> && internal::part_allowed<T>();

}  // namespace agnocast

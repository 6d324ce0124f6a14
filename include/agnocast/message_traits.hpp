// Which types can be messages, as far as the compiler can tell, and how a type is named.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace agnocast {

/// Says that T must not, or may, be part of a message. Open to users: specialize it as
/// `template <> struct agnocast::message_part<MyType> : std::false_type {};` for a type that points
/// into its own process, or with std::true_type for one that the rules refuse although it works.
template <class T>
struct message_part;

namespace internal {

template <class T>
inline constexpr bool always_refused =
  std::is_reference_v<T> || std::is_polymorphic_v<T> || std::is_function_v<T> ||
  std::is_member_pointer_v<T> ||
  (std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>);

template <class T>
struct is_process_bound : std::false_type {};
template <class R, class... A>
struct is_process_bound<std::function<R(A...)>> : std::true_type {};
template <class T>
struct is_process_bound<std::shared_ptr<T>> : std::true_type {};
template <class T>
struct is_process_bound<std::weak_ptr<T>> : std::true_type {};
template <class T>
struct is_process_bound<std::reference_wrapper<T>> : std::true_type {};
template <>
struct is_process_bound<std::any> : std::true_type {};
template <class C, class Tr>
struct is_process_bound<std::basic_string_view<C, Tr>> : std::true_type {};

// `Path` is the chain of aggregates that the walk is inside of; it ends the walk of a type that
// contains itself, such as struct Tree { std::vector<Tree> children; }.
template <class T, class... Path>
constexpr bool part_allowed() noexcept;

// Type arguments of a class template are parts of it: std::vector<std::function<void()>> is caught
// through its element. Allocators, hashes and comparators pass.
template <class T, class... Path>
struct arguments_allowed : std::true_type {};
template <template <class...> class Template, class... Args, class... Path>
struct arguments_allowed<Template<Args...>, Path...>
    : std::bool_constant<(part_allowed<Args, Path...>() && ...)> {};
template <template <class, std::size_t> class Template, class T, std::size_t N, class... Path>
struct arguments_allowed<Template<T, N>, Path...> : std::bool_constant<part_allowed<T, Path...>()> {
};

struct AnyField
{
  template <class U>
  operator U() const;
};
struct AnyReferenced
{
  template <class U>
  operator U&() const;
};
template <class... Path>
struct RefusedField
{
  template <class U, class = std::enable_if_t<!part_allowed<U, Path...>()>>
  operator U&() const;
  template <class U, class = std::enable_if_t<!part_allowed<U, Path...>()>>
  operator U&&() const;
};

template <class T, class Probe, std::size_t... Before>
constexpr bool initializable(std::index_sequence<Before...>) noexcept
{
  return requires { T{(static_cast<void>(Before), AnyField{})..., Probe{}}; };
}

// Walks the fields of an aggregate: T{any × i, probe} is well-formed if and only if field i can be
// initialized from the probe, and the refusing probe converts to nothing but refused types.
template <class T, std::size_t Index, class... Path>
constexpr bool fields_allowed() noexcept
{
  using Before = std::make_index_sequence<Index>;
  if constexpr (Index >= 64) {
    return true;
  } else if constexpr (!initializable<T, AnyField>(Before{})) {
    return !initializable<T, AnyReferenced>(Before{});  // a reference binds to no temporary
  } else if constexpr (initializable<T, RefusedField<Path...>>(Before{})) {
    return false;
  } else {
    return fields_allowed<T, Index + 1, Path...>();
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
    return fields_allowed<U, 0, U, Path...>();
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

/// What publisher and subscription of a topic must agree on.
struct TypeIdentity
{
  std::string_view name;  ///< as mangled by the Itanium C++ ABI, so GCC and Clang agree
  std::uint64_t size;
  std::uint64_t alignment;
};

template <class T>
TypeIdentity type_identity() noexcept
{
  return {typeid(T).name(), sizeof(T), alignof(T)};
}

}  // namespace agnocast

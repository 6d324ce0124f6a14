// The standard library's types as descriptions: which offsets they have inside. For libstdc++; with
// another library they are unknown, which is safe.
//
// What stands here of the insides of containers is part of libstdc++'s ABI, and held against the
// running library by type_description_test.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "agnocast/describe.hpp"

namespace agnocast {
namespace internal {

constexpr std::uint64_t aligned_to(std::uint64_t offset, std::uint64_t alignment) noexcept
{
  return (offset + alignment - 1) / alignment * alignment;
}

// Where a value lies in a node that begins with so many bytes of links.
template <class Value>
constexpr std::uint64_t in_node(std::uint64_t links) noexcept
{
  return aligned_to(links, alignof(Value));
}

inline void describe_sequence(TypeDescriber& describer, DescribedType& type, TypeKind kind,
                              std::string_view name, std::uint32_t element)
{
  type.kind = kind;
  type.element = element;
  type.name = std::string(name) + "<" + describer.name(element) + ">";
}

inline void describe_pair(TypeDescriber& describer, DescribedType& type, TypeKind kind,
                          std::string_view name, std::uint32_t key, std::uint32_t mapped)
{
  type.kind = kind;
  type.element = key;
  type.mapped = mapped;
  type.name = std::string(name) + "<" + describer.name(key) + ", " + describer.name(mapped) + ">";
}

// Says in the name that a container is ordered or hashed by something of its own: it is another
// type then, although it looks the same.
template <class Usual, class Own>
void add_own(DescribedType& type)
{
  if constexpr (!std::is_same_v<Usual, Own>) {
    type.name.back() = ',';
    type.name += " " + readable_type_name(typeid(Own)) + ">";
  }
}

#ifdef __GLIBCXX__

// A tree begins with its comparator, of at least one byte, and the header of 40 bytes.
template <class Tree, class Compare>
inline constexpr std::uint32_t tree_header =
  static_cast<std::uint32_t>(aligned_to(std::max<std::size_t>(sizeof(Compare), 1), 8));
template <class Tree, class Compare>
inline constexpr bool is_plain_tree = sizeof(Tree) == tree_header<Tree, Compare> + 40 &&
                                      alignof(Tree) == 8;

// Only with a hash and an equality that take no room is everything at its usual place.
template <class Table>
inline constexpr bool is_plain_table = sizeof(Table) == 56;

#endif

}  // namespace internal

template <class T, std::size_t N>
struct type_layout<std::array<T, N>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    if constexpr (N == 0) {
      type.kind = TypeKind::opaque;
    } else {
      type.kind = TypeKind::array;
      type.element = describer.add<T>();
      type.count = N;
      type.name = "std::array<" + describer.name(type.element) + ", " + std::to_string(N) + ">";
    }
  }
};

template <class A, class B>
struct type_layout<std::pair<A, B>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.kind = TypeKind::structure;
    const internal::Place<std::pair<A, B>> place;
    auto& pair = place.object();
    type.fields.push_back({"first", describer.add<A>(), place.offset_of(&pair.first)});
    type.fields.push_back({"second", describer.add<B>(), place.offset_of(&pair.second)});
    type.name = "std::pair<" + describer.name(type.fields[0].type) + ", " +
                describer.name(type.fields[1].type) + ">";
  }
};

template <class... Parts>
struct type_layout<std::tuple<Parts...>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.kind = TypeKind::structure;
    const internal::Place<std::tuple<Parts...>> place;
    [&]<std::size_t... Index>(std::index_sequence<Index...>)
    {
      (type.fields.push_back({std::to_string(Index), describer.add<Parts>(),
                              place.offset_of(&std::get<Index>(place.object()))}),
       ...);
    }
    (std::index_sequence_for<Parts...>{});
    type.name = "std::tuple<";
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
      type.name += (i == 0 ? "" : ", ") + describer.name(type.fields[i].type);
    }
    type.name += ">";
  }
};

template <class T>
struct type_layout<std::complex<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.kind = TypeKind::structure;
    type.fields.push_back({"real", describer.add<T>(), 0});
    type.fields.push_back({"imag", type.fields[0].type, sizeof(T)});
    type.name = "std::complex<" + describer.name(type.fields[0].type) + ">";
  }
};

template <class Count, class Period>
struct type_layout<std::chrono::duration<Count, Period>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.kind = TypeKind::structure;
    type.fields.push_back({"count", describer.add<Count>(), 0});
  }
};
template <class Clock, class Duration>
struct type_layout<std::chrono::time_point<Clock, Duration>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.kind = TypeKind::structure;
    type.fields.push_back({"time_since_epoch", describer.add<Duration>(), 0});
  }
};

template <std::size_t N>
struct type_layout<std::bitset<N>>
{
  static void describe(TypeDescriber&, DescribedType& type) { type.kind = TypeKind::opaque; }
};

#ifdef __GLIBCXX__

template <class Char>
struct type_layout<std::basic_string<Char>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.element = describer.add<Char>();
    // The older ABI's string is one pointer, behind which the counts stand.
    type.kind = sizeof(std::basic_string<Char>) == 32 ? TypeKind::string : TypeKind::unknown;
    type.name = std::is_same_v<Char, char>
                  ? "std::string"
                  : "std::basic_string<" + describer.name(type.element) + ">";
  }
};

template <class T>
struct type_layout<std::vector<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::vector, "std::vector",
                                describer.add<T>());
  }
};
template <>
struct type_layout<std::vector<bool>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::bit_vector, "std::vector",
                                describer.add<bool>());
  }
};
template <class T>
struct type_layout<std::deque<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::deque, "std::deque", describer.add<T>());
  }
};
template <class T>
struct type_layout<std::list<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::list, "std::list", describer.add<T>());
    type.inner_offset = internal::in_node<T>(16);
  }
};
template <class T>
struct type_layout<std::forward_list<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::forward_list, "std::forward_list",
                                describer.add<T>());
    type.inner_offset = internal::in_node<T>(8);
  }
};

namespace internal {

template <class Tree, class Compare, class Value>
void describe_tree(DescribedType& type)
{
  if constexpr (is_plain_tree<Tree, Compare>) {
    type.header_offset = tree_header<Tree, Compare>;
    type.inner_offset = in_node<Value>(32);
  } else {
    type.kind = TypeKind::unknown;
  }
}

template <class Table, class Key, class Hash, class Value>
void describe_table(DescribedType& type)
{
  if constexpr (is_plain_table<Table>) {
    type.header_offset = std::__cache_default<Key, Hash>::value ? 1 : 0;
    type.inner_offset = in_node<Value>(8);
  } else {
    type.kind = TypeKind::unknown;
  }
}

template <class Map, class K, class V, class Compare>
void describe_map(TypeDescriber& describer, DescribedType& type, std::string_view name)
{
  const std::uint32_t key = describer.add<K>();
  describe_pair(describer, type, TypeKind::map, name, key, describer.add<V>());
  add_own<std::less<K>, Compare>(type);
  describe_tree<Map, Compare, std::pair<const K, V>>(type);
}
template <class Set, class K, class Compare>
void describe_set(TypeDescriber& describer, DescribedType& type, std::string_view name)
{
  describe_sequence(describer, type, TypeKind::set, name, describer.add<K>());
  add_own<std::less<K>, Compare>(type);
  describe_tree<Set, Compare, K>(type);
}
template <class Map, class K, class V, class Hash, class Equal>
void describe_hash_map(TypeDescriber& describer, DescribedType& type, std::string_view name)
{
  const std::uint32_t key = describer.add<K>();
  describe_pair(describer, type, TypeKind::hash_map, name, key, describer.add<V>());
  add_own<std::hash<K>, Hash>(type);
  add_own<std::equal_to<K>, Equal>(type);
  describe_table<Map, K, Hash, std::pair<const K, V>>(type);
}
template <class Set, class K, class Hash, class Equal>
void describe_hash_set(TypeDescriber& describer, DescribedType& type, std::string_view name)
{
  describe_sequence(describer, type, TypeKind::hash_set, name, describer.add<K>());
  add_own<std::hash<K>, Hash>(type);
  add_own<std::equal_to<K>, Equal>(type);
  describe_table<Set, K, Hash, K>(type);
}

}  // namespace internal

template <class K, class V, class C>
struct type_layout<std::map<K, V, C>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_map<std::map<K, V, C>, K, V, C>(describer, type, "std::map");
  }
};
template <class K, class V, class C>
struct type_layout<std::multimap<K, V, C>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_map<std::multimap<K, V, C>, K, V, C>(describer, type, "std::multimap");
  }
};
template <class K, class C>
struct type_layout<std::set<K, C>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_set<std::set<K, C>, K, C>(describer, type, "std::set");
  }
};
template <class K, class C>
struct type_layout<std::multiset<K, C>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_set<std::multiset<K, C>, K, C>(describer, type, "std::multiset");
  }
};
template <class K, class V, class H, class E>
struct type_layout<std::unordered_map<K, V, H, E>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_hash_map<std::unordered_map<K, V, H, E>, K, V, H, E>(describer, type,
                                                                            "std::unordered_map");
  }
};
template <class K, class V, class H, class E>
struct type_layout<std::unordered_multimap<K, V, H, E>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_hash_map<std::unordered_multimap<K, V, H, E>, K, V, H, E>(
      describer, type, "std::unordered_multimap");
  }
};
template <class K, class H, class E>
struct type_layout<std::unordered_set<K, H, E>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_hash_set<std::unordered_set<K, H, E>, K, H, E>(describer, type,
                                                                      "std::unordered_set");
  }
};
template <class K, class H, class E>
struct type_layout<std::unordered_multiset<K, H, E>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_hash_set<std::unordered_multiset<K, H, E>, K, H, E>(
      describer, type, "std::unordered_multiset");
  }
};

template <class T>
struct type_layout<std::optional<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::optional, "std::optional",
                                describer.add<T>());
    type.inner_offset = sizeof(T);
  }
};

template <class... Alternatives>
struct type_layout<std::variant<Alternatives...>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    type.kind = TypeKind::variant;
    type.name = "std::variant<";
    std::uint64_t bytes = 1;
    std::uint64_t alignment = 1;
    const auto add = [&](std::uint32_t index, std::uint64_t size, std::uint64_t align) {
      type.name += (type.fields.empty() ? "" : ", ") + describer.name(index);
      type.fields.push_back({std::to_string(type.fields.size()), index, 0});
      bytes = std::max(bytes, size);
      alignment = std::max(alignment, align);
    };
    (add(describer.add<Alternatives>(), sizeof(Alternatives), alignof(Alternatives)), ...);
    type.name += ">";
    type.inner_offset = internal::aligned_to(bytes, alignment);
  }
};
template <>
struct type_layout<std::monostate>
{
  static void describe(TypeDescriber&, DescribedType& type) { type.kind = TypeKind::structure; }
};

template <class T>
struct type_layout<std::unique_ptr<T>>
{
  static void describe(TypeDescriber& describer, DescribedType& type)
  {
    internal::describe_sequence(describer, type, TypeKind::unique_ptr, "std::unique_ptr",
                                describer.add<T>());
  }
};
// How many elements there are, only the program knows.
template <class T>
struct type_layout<std::unique_ptr<T[]>>
{
  static void describe(TypeDescriber&, DescribedType& type) { type.kind = TypeKind::unknown; }
};

#endif

}  // namespace agnocast

// The audit of a message before it is published: every pointer in it that the compiler can see must
// lead into the shared heap. Parts in private memory are moved there.
//
// It follows the C++ types and not their descriptions, since moving a part takes its type. Cost:
// one comparison for each container and each node of a list, map or set, and none for what cannot
// point anywhere; no locks and no system calls, unless something has to be moved. The stack that it
// needs does not grow with the message: what lies in more than 16 other parts is looked at later.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "agnocast/describe.hpp"
#include "agnocast/export.hpp"
#include "agnocast/qos.hpp"
#include "agnocast/shared_heap.hpp"

namespace agnocast::internal {

/// Where in a message the audit is; the frames lie on the stack.
struct AuditPath
{
  static constexpr std::size_t no_index = static_cast<std::size_t>(-1);
  const AuditPath* parent = nullptr;
  std::string_view name = {};
  std::size_t index = no_index;
};

/// One audit of one message. Not thread-safe.
class AGNOCAST_PUBLIC Auditor
{
 public:
  Auditor(Audit mode, const void* heap, std::size_t heap_bytes) noexcept
    : heap_(reinterpret_cast<std::uintptr_t>(heap)), heap_bytes_(heap_bytes), mode_(mode)
  {
  }

  [[nodiscard]] bool is_shared(const volatile void* p) const noexcept
  {
    return reinterpret_cast<std::uintptr_t>(p) - heap_ < heap_bytes_;
  }
  /// Runs `move`, which makes a new part in the shared heap and puts it in the old one's place. If
  /// the audit only refuses, or the part is not shared afterwards, the message is refused.
  template <class Move, class IsShared>
  void move_in(const AuditPath* path, Move&& move, IsShared&& is_shared_now)
  {
    if (mode_ == Audit::move) {
      const SharedHeapScope scope;
      move();
    }
    if (is_shared_now()) {
      note_moved(path);
    } else {
      refuse(path);
    }
  }
  void refuse(const AuditPath* path);
  /// Looks into what `part` owns: now, or in look_deeper().
  template <class Part, void (*look)(Part&, Auditor&, const AuditPath*)>
  void look_into(Part& part, const AuditPath* path)
  {
    if (depth_ == depth_max) {
      put_off(const_cast<std::remove_cv_t<Part>*>(&part),
              [](void* later, Auditor& auditor, const AuditPath* below) {
                look(*static_cast<Part*>(later), auditor, below);
              });
      return;
    }
    ++depth_;
    look(part, *this, path);
    --depth_;
  }
  /// All that was put off.
  void look_deeper();
  /// What a container owns, for those who measure bandwidth.
  void count(std::size_t elements, std::size_t element_bytes) noexcept
  {
    bytes_ += elements * element_bytes;
  }

  [[nodiscard]] bool is_refused() const noexcept { return is_refused_; }
  [[nodiscard]] std::uint64_t moved() const noexcept { return moved_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// "points[3].name": the first part that was moved or refused.
  [[nodiscard]] const std::string& first_path() const noexcept { return first_path_; }

 private:
  static constexpr std::uint32_t depth_max = 16;
  using Look = void (*)(void* part, Auditor& auditor, const AuditPath* path);
  struct PutOff
  {
    void* part;
    Look look;
  };

  void put_off(void* part, Look look);
  void note_moved(const AuditPath* path);
  void note_path(const AuditPath* path);

  const std::uintptr_t heap_;
  const std::size_t heap_bytes_;
  const Audit mode_;
  bool is_refused_ = false;
  std::uint32_t depth_ = 0;
  std::vector<PutOff> put_off_;  ///< private memory
  std::uint64_t moved_ = 0;
  std::uint64_t bytes_ = 0;
  std::string first_path_;
};

// How one kind of type is audited; what is not specialized has fields, is a pointer, or cannot be
// seen into.
template <class T>
struct AuditOf;

template <class T>
constexpr bool may_point() noexcept
{
  return AuditOf<std::remove_cv_t<T>>::may_point;
}

template <class T>
void audit_part(T& part, Auditor& auditor, const AuditPath* path)
{
  // Const parts too (the keys of a map): their value stays, only the memory that holds it changes.
  using U = std::remove_cv_t<T>;
  if constexpr (may_point<U>()) AuditOf<U>::run(const_cast<U&>(part), auditor, path);
}

template <class Range>
void audit_elements(Range& range, Auditor& auditor, const AuditPath* path)
{
  if constexpr (may_point<
                  typename std::iterator_traits<decltype(std::begin(range))>::value_type>()) {
    AuditPath here{path, {}, 0};
    for (auto& element : range) {
      audit_part(element, auditor, &here);
      ++here.index;
    }
  }
}

/// The same for elements that lie in memory of the container's own.
template <class Container>
void audit_owned(Container& container, Auditor& auditor, const AuditPath* path)
{
  if constexpr (may_point<typename Container::value_type>()) {
    auditor.template look_into<Container, audit_elements<Container>>(container, path);
  }
}

template <class T>
constexpr bool fields_may_point() noexcept
{
  if constexpr (has_named_fields<T>) {
    return std::apply(
      [](const auto&... field) {
        return (may_point<std::remove_cvref_t<decltype(std::declval<T&>().*(field.pointer))>>() ||
                ...);
      },
      type_fields<T>::value);
  } else {
    constexpr std::size_t count = bound_fields<T>();
    return []<std::size_t... Index>(std::index_sequence<Index...>)
    {
      using Fields = decltype(tie_fields<T, count>(std::declval<T&>()));
      return (may_point<std::remove_cvref_t<std::tuple_element_t<Index, Fields>>>() || ...);
    }
    (std::make_index_sequence<count>{});
  }
}

template <class T>
constexpr bool plain_may_point() noexcept
{
  if constexpr (std::is_array_v<T>) {
    return may_point<std::remove_all_extents_t<T>>();
  } else if constexpr (std::is_class_v<T> && has_fields<T>) {
    return fields_may_point<T>();
  } else {
    return std::is_pointer_v<T>;
  }
}

template <class T>
struct AuditOf
{
  static constexpr bool may_point = plain_may_point<T>();

  static void run(T& value, Auditor& auditor, const AuditPath* path)
  {
    if constexpr (std::is_array_v<T>) {
      audit_elements(value, auditor, path);
    } else if constexpr (std::is_pointer_v<T>) {
      if (value != nullptr && !auditor.is_shared(value)) auditor.refuse(path);
    } else {
      for_each_field(value, [&](std::string_view name, auto& field) {
        if constexpr (internal::may_point<std::remove_cvref_t<decltype(field)>>()) {
          const AuditPath here{path, name, AuditPath::no_index};
          audit_part(field, auditor, &here);
        }
      });
    }
  }
};

template <class... Parts>
struct AuditOfParts
{
  static constexpr bool may_point = (internal::may_point<Parts>() || ...);
};

template <class A, class B>
struct AuditOf<std::pair<A, B>> : AuditOfParts<A, B>
{
  static void run(std::pair<A, B>& value, Auditor& auditor, const AuditPath* path)
  {
    const AuditPath first{path, "first", AuditPath::no_index};
    audit_part(value.first, auditor, &first);
    const AuditPath second{path, "second", AuditPath::no_index};
    audit_part(value.second, auditor, &second);
  }
};
template <class... Parts>
struct AuditOf<std::tuple<Parts...>> : AuditOfParts<Parts...>
{
  static void run(std::tuple<Parts...>& value, Auditor& auditor, const AuditPath* path)
  {
    AuditPath here{path, {}, 0};
    std::apply([&](auto&... part) { ((audit_part(part, auditor, &here), ++here.index), ...); },
               value);
  }
};
template <class T, std::size_t N>
struct AuditOf<std::array<T, N>> : AuditOfParts<T>
{
  static void run(std::array<T, N>& value, Auditor& auditor, const AuditPath* path)
  {
    audit_elements(value, auditor, path);
  }
};
template <class T>
struct AuditOf<std::optional<T>> : AuditOfParts<T>
{
  static void run(std::optional<T>& value, Auditor& auditor, const AuditPath* path)
  {
    if (value) audit_part(*value, auditor, path);
  }
};
template <class... Parts>
struct AuditOf<std::variant<Parts...>> : AuditOfParts<Parts...>
{
  static void run(std::variant<Parts...>& value, Auditor& auditor, const AuditPath* path)
  {
    if (value.valueless_by_exception()) return;
    std::visit([&](auto& part) { audit_part(part, auditor, path); }, value);
  }
};

struct AlwaysPoints
{
  static constexpr bool may_point = true;
};

// A container with one block: its elements move to a new one.
template <class Container>
void audit_block(Container& value, const void* block, Auditor& auditor, const AuditPath* path)
{
  if (block == nullptr || auditor.is_shared(block)) return;
  auditor.move_in(
    path,
    [&] {
      Container fresh(std::make_move_iterator(value.begin()), std::make_move_iterator(value.end()));
      value.swap(fresh);
    },
    [&] { return value.capacity() == 0 || auditor.is_shared(value.data()); });
}

template <class Char>
struct AuditOf<std::basic_string<Char>> : AlwaysPoints
{
  static void run(std::basic_string<Char>& value, Auditor& auditor, const AuditPath* path)
  {
    auditor.count(value.size(), sizeof(Char));
    if (auditor.is_shared(value.data())) return;
    auditor.move_in(
      path,
      [&] {
        std::basic_string<Char> fresh(value.data(), value.size());
        value.swap(fresh);
      },
      [&] { return auditor.is_shared(value.data()); });
  }
};
template <class T>
struct AuditOf<std::vector<T>> : AlwaysPoints
{
  static void run(std::vector<T>& value, Auditor& auditor, const AuditPath* path)
  {
    auditor.count(value.size(), sizeof(T));
    audit_block(value, value.data(), auditor, path);
    audit_owned(value, auditor, path);
  }
};

#ifdef __GLIBCXX__
// Words of a container's own: where it keeps what no function tells. See standard_types.hpp.
template <class T, class Container>
T word_of(const Container& value, std::size_t index) noexcept
{
  T word;
  std::memcpy(&word, reinterpret_cast<const std::byte*>(&value) + index * sizeof(void*),
              sizeof word);
  return word;
}

template <>
struct AuditOf<std::vector<bool>> : AlwaysPoints
{
  static void run(std::vector<bool>& value, Auditor& auditor, const AuditPath* path)
  {
    auditor.count((value.size() + 7) / 8, 1);
    const auto is_shared = [&] {
      const void* const words = word_of<const void*>(value, 0);
      return words == nullptr || auditor.is_shared(words);
    };
    if (is_shared()) return;
    const auto move = [&] {
      std::vector<bool> fresh(value.begin(), value.end());
      value.swap(fresh);
    };
    auditor.move_in(path, move, is_shared);
  }
};

template <class T>
struct AuditOf<std::deque<T>> : AlwaysPoints
{
  static bool is_shared(const std::deque<T>& value, const Auditor& auditor) noexcept
  {
    // The map of blocks; the block where it begins; the one where it ends.
    void* const* block = word_of<void* const*>(value, 5);
    void* const* const last = word_of<void* const*>(value, 9);
    if (!auditor.is_shared(word_of<const void*>(value, 0))) return false;
    for (; block <= last; ++block) {
      if (!auditor.is_shared(*block)) return false;
    }
    return true;
  }
  static void run(std::deque<T>& value, Auditor& auditor, const AuditPath* path)
  {
    const auto move = [&] {
      std::deque<T> fresh(std::make_move_iterator(value.begin()),
                          std::make_move_iterator(value.end()));
      value.swap(fresh);
    };
    if (!is_shared(value, auditor)) {
      auditor.move_in(path, move, [&] { return is_shared(value, auditor); });
    }
    auditor.count(value.size(), sizeof(T));
    audit_owned(value, auditor, path);
  }
};
#endif

// A container of nodes: all of it moves if one of them has to.
template <class Container, class Rebuild>
void audit_nodes(Container& value, Auditor& auditor, const AuditPath* path, Rebuild&& rebuild)
{
  const auto is_shared = [&] {
    for (const auto& element : value) {
      if (!auditor.is_shared(&element)) return false;
    }
    return true;
  };
  if (!is_shared()) auditor.move_in(path, rebuild, is_shared);
  if constexpr (requires { value.size(); }) {
    auditor.count(value.size(), sizeof(typename Container::value_type));
  } else {
    const auto count = std::distance(value.begin(), value.end());
    auditor.count(static_cast<std::size_t>(count), sizeof(typename Container::value_type));
  }
  audit_owned(value, auditor, path);
}

// Node by node into `fresh`, an empty container of the same rules. If memory runs out, everything
// is in `value` again.
template <bool is_map, class Container>
void move_nodes(Container& value, Container& fresh)
{
  while (!value.empty()) {
    auto node = value.extract(value.begin());
    try {
      if constexpr (is_map) {
        fresh.emplace_hint(fresh.end(), std::move(node.key()), std::move(node.mapped()));
      } else {
        fresh.emplace_hint(fresh.end(), std::move(node.value()));
      }
    } catch (...) {
      value.insert(std::move(node));
      value.merge(fresh);
      throw;
    }
  }
  value.swap(fresh);
}
// The same for lists, whose nodes give up their values in place.
template <class List, class Append>
void move_values(List& value, Append&& append)
{
  List fresh;
  try {
    for (auto& element : value) append(fresh, std::move(element));
  } catch (...) {
    std::move(fresh.begin(), fresh.end(), value.begin());
    throw;
  }
  value.swap(fresh);
}

template <class T>
struct AuditOf<std::list<T>> : AlwaysPoints
{
  static void run(std::list<T>& value, Auditor& auditor, const AuditPath* path)
  {
    audit_nodes(value, auditor, path, [&] {
      move_values(value, [](std::list<T>& to, T&& element) { to.push_back(std::move(element)); });
    });
  }
};
template <class T>
struct AuditOf<std::forward_list<T>> : AlwaysPoints
{
  static void run(std::forward_list<T>& value, Auditor& auditor, const AuditPath* path)
  {
    audit_nodes(value, auditor, path, [&] {
      auto last = typename std::forward_list<T>::iterator();
      move_values(value, [&](std::forward_list<T>& to, T&& element) {
        last = to.insert_after(to.empty() ? to.before_begin() : last, std::move(element));
      });
    });
  }
};

template <class Tree, bool is_map>
struct AuditOfTree : AlwaysPoints
{
  static void run(Tree& value, Auditor& auditor, const AuditPath* path)
  {
    audit_nodes(value, auditor, path, [&] {
      Tree fresh(value.key_comp());
      move_nodes<is_map>(value, fresh);
    });
  }
};
template <class K, class V, class C>
struct AuditOf<std::map<K, V, C>> : AuditOfTree<std::map<K, V, C>, true>
{
};
template <class K, class V, class C>
struct AuditOf<std::multimap<K, V, C>> : AuditOfTree<std::multimap<K, V, C>, true>
{
};
template <class K, class C>
struct AuditOf<std::set<K, C>> : AuditOfTree<std::set<K, C>, false>
{
};
template <class K, class C>
struct AuditOf<std::multiset<K, C>> : AuditOfTree<std::multiset<K, C>, false>
{
};

template <class Table, bool is_map>
struct AuditOfTable : AlwaysPoints
{
  static void run(Table& value, Auditor& auditor, const AuditPath* path)
  {
    const auto is_shared = [&] {
#ifdef __GLIBCXX__
      if (!auditor.is_shared(word_of<const void*>(value, 0))) return false;  // its buckets
#endif
      for (const auto& element : value) {
        if (!auditor.is_shared(&element)) return false;
      }
      return true;
    };
    const auto rebuild = [&] {
      Table fresh(value.bucket_count(), value.hash_function(), value.key_eq());
      fresh.max_load_factor(value.max_load_factor());
      move_nodes<is_map>(value, fresh);
    };
    if (!is_shared()) auditor.move_in(path, rebuild, is_shared);
    auditor.count(value.size(), sizeof(typename Table::value_type));
    audit_owned(value, auditor, path);
  }
};
template <class K, class V, class H, class E>
struct AuditOf<std::unordered_map<K, V, H, E>> : AuditOfTable<std::unordered_map<K, V, H, E>, true>
{
};
template <class K, class V, class H, class E>
struct AuditOf<std::unordered_multimap<K, V, H, E>>
  : AuditOfTable<std::unordered_multimap<K, V, H, E>, true>
{
};
template <class K, class H, class E>
struct AuditOf<std::unordered_set<K, H, E>> : AuditOfTable<std::unordered_set<K, H, E>, false>
{
};
template <class K, class H, class E>
struct AuditOf<std::unordered_multiset<K, H, E>>
  : AuditOfTable<std::unordered_multiset<K, H, E>, false>
{
};

template <class T>
struct AuditOf<std::unique_ptr<T>> : AlwaysPoints
{
  static void run(std::unique_ptr<T>& value, Auditor& auditor, const AuditPath* path)
  {
    if (!value) return;
    if (!auditor.is_shared(value.get())) {
      const auto move = [&] {
        if constexpr (std::is_move_constructible_v<T>) {
          value = std::make_unique<T>(std::move(*value));
        }
      };
      auditor.move_in(path, move, [&] { return auditor.is_shared(value.get()); });
      if (auditor.is_refused()) return;
    }
    auditor.count(1, sizeof(T));
    if constexpr (internal::may_point<T>()) {
      auditor.look_into<T, audit_part<T>>(*value, path);
    }
  }
};
// How many elements there are, only the program knows.
template <class T>
struct AuditOf<std::unique_ptr<T[]>> : AlwaysPoints
{
  static void run(std::unique_ptr<T[]>& value, Auditor& auditor, const AuditPath* path)
  {
    if (value && !auditor.is_shared(value.get())) auditor.refuse(path);
  }
};

using AuditMessage = void (*)(void* message, Auditor& auditor);

/// nullptr if nothing in T can point anywhere.
template <class T>
constexpr AuditMessage audit_of() noexcept
{
  if constexpr (may_point<T>()) {
    return [](void* message, Auditor& auditor) {
      audit_part(*static_cast<T*>(message), auditor, nullptr);
      auditor.look_deeper();
    };
  } else {
    return nullptr;
  }
}

}  // namespace agnocast::internal

// What must hold of every described type, whoever described it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agnocast/type_description.hpp"

namespace agnocast::internal {

/// Kinds whose value lies in a node of its own.
constexpr bool has_nodes(TypeKind kind) noexcept
{
  return kind == TypeKind::list || kind == TypeKind::forward_list || kind == TypeKind::map ||
         kind == TypeKind::set || kind == TypeKind::hash_map || kind == TypeKind::hash_set;
}
constexpr bool has_mapped(TypeKind kind) noexcept
{
  return kind == TypeKind::map || kind == TypeKind::hash_map;
}
constexpr bool has_element(TypeKind kind) noexcept
{
  return kind == TypeKind::enumeration || kind == TypeKind::array || kind == TypeKind::string ||
         kind == TypeKind::vector || kind == TypeKind::bit_vector || kind == TypeKind::deque ||
         kind == TypeKind::optional || kind == TypeKind::unique_ptr || has_nodes(kind);
}
/// Whether keys may be in it more than once; the layout is the same.
inline bool is_multiple(const DescribedType& type) noexcept
{
  return type.name.starts_with("std::multi") || type.name.starts_with("std::unordered_multi");
}
/// Where the mapped value of a map begins, behind its key.
inline std::uint64_t mapped_offset(const DescribedType& key, const DescribedType& mapped) noexcept
{
  return (key.bytes + mapped.alignment - 1) / mapped.alignment * mapped.alignment;
}
/// Bytes of what a node of a container holds: an element, or a key and the mapped value.
std::uint64_t value_bytes(const std::vector<DescribedType>& types, const DescribedType& container);

/// The standard library of this program, and which of its ABIs.
const std::string& own_library();

/// The first rule that is broken, in words; empty if none is.
std::string broken_rule(const std::vector<DescribedType>& types);

}  // namespace agnocast::internal

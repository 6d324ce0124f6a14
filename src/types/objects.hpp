// Objects of described types in memory of our own: made empty and destroyed, as libstdc++ would.
//
// Objects that are all zeros can be destroyed too, so whatever was begun can be undone.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "agnocast/type_description.hpp"
#include "types/layout_rules.hpp"

namespace agnocast::internal {

using Types = std::vector<DescribedType>;

template <class T>
T load(const std::byte* at)
{
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void store(std::byte* at, const T& value)
{
  std::memcpy(at, &value, sizeof value);
}
inline std::byte* load_pointer(const std::byte* at)
{
  return load<std::byte*>(at);
}

/// By operator new, as std::allocator does; zeroed.
std::byte* allocate_block(std::uint64_t bytes, std::uint64_t alignment);
void free_block(std::byte* block, std::uint64_t alignment) noexcept;

/// Bytes and alignment of a node of the container.
struct NodeLayout
{
  std::uint64_t bytes;
  std::uint64_t alignment;
  std::uint64_t hash_offset;  ///< 0 if the hash is not kept
};
NodeLayout node_layout(const Types& types, const DescribedType& container);

/// `at` has room for the object; what stood there is overwritten.
void construct_object(const Types& types, std::uint32_t type, std::byte* at);
void destroy_object(const Types& types, std::uint32_t type, std::byte* at) noexcept;

/// A node with its values constructed, and the way back.
std::byte* construct_node(const Types& types, const DescribedType& container);
void destroy_node(const Types& types, const DescribedType& container, std::byte* node) noexcept;

/// The deque, which holds nothing, gets room for so many elements and says that it has them; they
/// are zeros.
void resize_deque(const Types& types, const DescribedType& type, std::byte* at,
                  std::uint64_t count);
/// The address of an element of a deque that begins at the front of its first block.
std::byte* deque_element(const DescribedType& element, const std::byte* at, std::uint64_t index);

}  // namespace agnocast::internal

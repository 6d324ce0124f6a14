// Containers whose elements lie in nodes of their own. A node is claimed before it is read, so a
// chain that leads in a circle ends when the budget does.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "types/containers.hpp"

namespace agnocast::internal {

void Containers::claim_node(const DescribedType& type, Address node)
{
  // With room for the hash behind the value, where nodes keep it.
  std::uint64_t bytes = type.inner_offset + value_bytes(types_, type);
  const bool is_hashed = type.kind == TypeKind::hash_map || type.kind == TypeKind::hash_set;
  if (is_hashed && type.header_offset != 0) bytes = (bytes + 7) / 8 * 8 + 8;
  std::uint64_t alignment = std::max<std::uint64_t>(8, element(type).alignment);
  if (has_mapped(type.kind)) {
    alignment = std::max<std::uint64_t>(alignment, types_[type.mapped].alignment);
  }
  memory_.claim(node, bytes, alignment);
}

void Containers::each_in_list(const DescribedType& type, Address object, Begin begin, Visit visit)
{
  const Address first = memory_.pointer(object);
  const Address last = memory_.pointer(object + 8);
  const auto count = memory_.read<std::uint64_t>(object + 16);
  const std::uint64_t wanted = std::min(begin(count, 0), count);
  Address before = object;
  Address node = first;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (extent_ == Extent::wanted && i >= wanted) return;
    if (node == object) lie("has fewer elements than it says");
    claim_node(type, node);
    const Address next = memory_.pointer(node);
    if (memory_.pointer(node + 8) != before) lie("has links that do not fit together");
    if (i < wanted) visit(i, node + type.inner_offset);
    before = node;
    node = next;
  }
  if (node != object || last != before) lie("has links that do not fit together");
}

void Containers::each_in_forward_list(const DescribedType& type, Address object, Begin begin,
                                      Visit visit)
{
  // The count is not kept: who shows the elements must know it before.
  std::vector<Address> nodes;
  for (Address node = memory_.pointer(object); node != 0; node = memory_.pointer(node)) {
    claim_node(type, node);
    nodes.push_back(node);
  }
  const std::uint64_t wanted = std::min<std::uint64_t>(begin(nodes.size(), 0), nodes.size());
  for (std::uint64_t i = 0; i < wanted; ++i) visit(i, nodes[i] + type.inner_offset);
}

// In order, by a stack instead of the parents, which are only compared.
void Containers::each_in_tree(const DescribedType& type, Address object, Begin begin, Visit visit)
{
  const Address header = object + type.header_offset;
  const Address root = memory_.pointer(header + 8);
  const Address leftmost = memory_.pointer(header + 16);
  const Address rightmost = memory_.pointer(header + 24);
  const auto count = memory_.read<std::uint64_t>(header + 32);
  if ((root == 0) != (count == 0)) lie("has not as many elements as it says");
  const std::uint64_t wanted = std::min(begin(count, 0), count);

  struct Open
  {
    Address node, right;
  };
  // A red-black tree of 2^48 nodes is at most 96 deep.
  std::array<Open, 100> open;  // NOLINT: filled as it grows
  std::size_t depth = 0;
  Address node = root;
  Address parent = header;
  Address last = header;
  std::uint64_t index = 0;
  while (node != 0 || depth != 0) {
    for (; node != 0; ++depth) {
      if (depth == open.size()) lie("has a tree that is too deep");
      claim_node(type, node);
      if (memory_.read<std::uint32_t>(node) > 1) lie("has a node that is neither red nor black");
      if (memory_.pointer(node + 8) != parent) lie("has links that do not fit together");
      open[depth] = {node, memory_.pointer(node + 24)};
      parent = node;
      node = memory_.pointer(node + 16);
    }
    const Open current = open[--depth];
    if (index == 0 && leftmost != current.node) lie("has links that do not fit together");
    if (extent_ == Extent::wanted && index >= wanted) return;
    if (index >= count) lie("has not as many elements as it says");
    if (index < wanted) visit(index, current.node + type.inner_offset);
    ++index;
    last = current.node;
    parent = current.node;
    node = current.right;
  }
  if (index != count) lie("has not as many elements as it says");
  if (rightmost != last || (count == 0 && leftmost != header)) {
    lie("has links that do not fit together");
  }
}

void Containers::each_in_table(const DescribedType& type, Address object, Begin begin, Visit visit)
{
  const Address first = memory_.pointer(object + 16);
  const auto count = memory_.read<std::uint64_t>(object + 24);
  const std::uint64_t wanted = std::min(begin(count, 0), count);
  std::vector<Address> nodes;
  Address node = first;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (extent_ == Extent::wanted && i >= wanted) return;
    if (node == 0) lie("has fewer elements than it says");
    claim_node(type, node);
    const Address next = memory_.pointer(node);
    if (extent_ == Extent::whole) nodes.push_back(node);
    if (i < wanted) visit(i, node + type.inner_offset);
    node = next;
  }
  if (node != 0) lie("has more elements than it says");
  if (extent_ == Extent::whole) check_buckets(type, object, std::move(nodes));
}

// A bucket points to the node before its first one: who looks a key up follows it.
void Containers::check_buckets(const DescribedType& type, Address object,
                               std::vector<Address> nodes)
{
  static_cast<void>(type);
  const Address buckets = memory_.pointer(object);
  const auto count = memory_.read<std::uint64_t>(object + 8);
  const Address before_begin = object + 16;
  const Address single = object + 48;
  if (count == 0 || count >= std::uint64_t{1} << 48) lie("has an impossible number of buckets");
  if (buckets != single) {
    memory_.claim(buckets, count * 8, 8);
  } else if (count != 1) {
    lie("has an impossible number of buckets");
  }
  const Address last = nodes.empty() ? 0 : nodes.back();
  std::sort(nodes.begin(), nodes.end());
  for (std::uint64_t i = 0; i < count; ++i) {
    const Address bucket = memory_.pointer(buckets + i * 8);
    if (bucket == 0) continue;
    const bool is_known =
      bucket == before_begin
        ? last != 0
        : bucket != last && std::binary_search(nodes.begin(), nodes.end(), bucket);
    if (!is_known) lie("has a bucket that does not point to its nodes");
  }
}

}  // namespace agnocast::internal

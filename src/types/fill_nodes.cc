// Containers with nodes, built by the functions that libstdc++ itself uses and exports.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <list>
#include <map>
#include <unordered_map>

#include "types/filler.hpp"
#include "types/key.hpp"
#include "types/scalar.hpp"

namespace agnocast::internal {
namespace {

using ListNode = std::__detail::_List_node_base;
using TreeNode = std::_Rb_tree_node_base;
using Policy = std::__detail::_Prime_rehash_policy;

static_assert(sizeof(ListNode) == 16 && sizeof(TreeNode) == 32 && sizeof(Policy) == 16);

// What a hash table is in libstdc++; see docs/type-descriptions.md.
struct Table
{
  std::byte** buckets;
  std::size_t bucket_count;
  std::byte* before_begin;
  std::size_t count;
  Policy policy;
  std::byte* single_bucket;
};
static_assert(sizeof(Table) == 56);

std::byte*& next_of(std::byte* node)
{
  return *reinterpret_cast<std::byte**>(node);
}

}  // namespace

void Filler::list(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::sequence, type);
  for (std::size_t i = 0; i < value.elements.size(); ++i) {
    std::byte* const node = construct_node(types_, type);
    reinterpret_cast<ListNode*>(node)->_M_hook(reinterpret_cast<ListNode*>(at));
    store(at + 16, std::uint64_t{i + 1});
    part("[" + std::to_string(i) + "]", type.element, node + type.inner_offset, value.elements[i]);
  }
}

void Filler::forward_list(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::sequence, type);
  std::byte* last = at;
  for (std::size_t i = 0; i < value.elements.size(); ++i) {
    std::byte* const node = construct_node(types_, type);
    next_of(last) = node;
    last = node;
    part("[" + std::to_string(i) + "]", type.element, node + type.inner_offset, value.elements[i]);
  }
}

// A key is complete before its node goes in.
void Filler::associative(const DescribedType& type, std::byte* at, const Value& value)
{
  if (!has_known_keys(types_, type)) {
    refuse(type.name + " can only be filled by a program that knows its order or hash");
  }
  const bool is_mapping = value.kind == Value::Kind::mapping && has_mapped(type.kind);
  if (!is_mapping) expect(value, Value::Kind::sequence, type);
  const std::size_t count = is_mapping ? value.entries.size() : value.elements.size();
  const bool is_tree = type.kind == TypeKind::map || type.kind == TypeKind::set;
  for (std::size_t i = 0; i < count; ++i) {
    std::byte* const node = construct_node(types_, type);
    try {
      fill_node(type, node, value, i);
      if (is_tree) {
        insert_in_tree(type, at, node);
      } else {
        insert_in_table(type, at, node);
      }
    } catch (...) {
      destroy_node(types_, type, node);
      throw;
    }
  }
}

void Filler::fill_node(const DescribedType& type, std::byte* node, const Value& value,
                       std::size_t index)
{
  const std::string step = "[" + std::to_string(index) + "]";
  std::byte* const key_at = node + type.inner_offset;
  if (!has_mapped(type.kind)) return part(step, type.element, key_at, value.elements[index]);
  std::byte* const mapped_at = key_at + mapped_offset(types_[type.element], types_[type.mapped]);
  if (value.kind == Value::Kind::mapping) {
    const auto& [name, mapped] = value.entries[index];
    key(type.element, key_at, name);
    return part("[" + name + "]", type.mapped, mapped_at, mapped);
  }
  const Value& pair = value.elements[index];
  const bool is_pair = pair.kind == Value::Kind::mapping && pair.entries.size() == 2 &&
                       pair.entries[0].key == "key" && pair.entries[1].key == "value";
  if (!is_pair) refuse("entry " + std::to_string(index) + " is not {key: ..., value: ...}");
  part(step + ".key", type.element, key_at, pair.entries[0].value);
  part(step + ".value", type.mapped, mapped_at, pair.entries[1].value);
}

// Keys of a mapping are text.
void Filler::key(std::uint32_t type, std::byte* at, const std::string& text)
{
  const TypeKind kind = types_[type].kind;
  Value value = Value::of_string(text);
  if (kind == TypeKind::boolean && (text == "true" || text == "false")) {
    value = Value::of_boolean(text == "true");
  } else if (kind == TypeKind::enumeration) {
    const bool is_number = text.find_first_not_of("0123456789+-") == std::string::npos;
    if (is_number) value = Value::of_number(text);
  } else if (is_scalar(kind) && kind != TypeKind::character) {
    value = Value::of_number(text);
  }
  part("[" + text + "]", type, at, value);
}

void Filler::insert_in_tree(const DescribedType& type, std::byte* at, std::byte* node)
{
  auto* const header = reinterpret_cast<TreeNode*>(at + type.header_offset);
  const auto key_of = [&](const TreeNode* of) {
    return reinterpret_cast<const std::byte*>(of) + type.inner_offset;
  };
  const std::byte* const new_key = node + type.inner_offset;
  TreeNode* parent = header;
  bool is_left = true;
  for (TreeNode* other = header->_M_parent; other != nullptr;) {
    parent = other;
    is_left = is_less_key(types_, type.element, new_key, key_of(other));
    if (!is_left && !is_multiple(type) &&
        !is_less_key(types_, type.element, key_of(other), new_key)) {
      refuse("a key is there more than once");
    }
    other = is_left ? other->_M_left : other->_M_right;
  }
  std::_Rb_tree_insert_and_rebalance(is_left, reinterpret_cast<TreeNode*>(node), parent, *header);
  std::byte* const count = at + type.header_offset + 32;
  store(count, load<std::uint64_t>(count) + 1);
}

// As std::_Hashtable: a bucket points to the node before its first one, equal keys stand together.
void Filler::insert_in_table(const DescribedType& type, std::byte* at, std::byte* node)
{
  auto& table = *reinterpret_cast<Table*>(at);
  const std::uint64_t hash_offset = node_layout(types_, type).hash_offset;
  const auto hash_of = [&](const std::byte* of) {
    return hash_offset != 0 ? load<std::size_t>(of + hash_offset)
                            : hash_of_key(types_, type.element, of + type.inner_offset);
  };
  const std::size_t hash = hash_of_key(types_, type.element, node + type.inner_offset);
  if (hash_offset != 0) store(node + hash_offset, hash);
  const auto head = [&] { return reinterpret_cast<std::byte*>(&table.before_begin); };

  // In a bucket, or at the front of all if the bucket is empty.
  const auto link = [&](std::byte* added, std::byte* before, std::size_t bucket) {
    if (before == nullptr) before = table.buckets[bucket];
    if (before != nullptr) {
      next_of(added) = next_of(before);
      next_of(before) = added;
      return;
    }
    next_of(added) = table.before_begin;
    table.before_begin = added;
    if (next_of(added) != nullptr) {
      table.buckets[hash_of(next_of(added)) % table.bucket_count] = added;
    }
    table.buckets[bucket] = head();
  };
  // The node before one with an equal key, or null.
  const auto find = [&](const std::byte* key, std::size_t bucket) -> std::byte* {
    for (std::byte* before = table.buckets[bucket]; before != nullptr && next_of(before) != nullptr;
         before = next_of(before)) {
      std::byte* const other = next_of(before);
      if (hash_of(other) % table.bucket_count != bucket) return nullptr;
      if (is_equal_key(types_, type.element, key, other + type.inner_offset)) return before;
    }
    return nullptr;
  };

  if (!is_multiple(type) && find(node + type.inner_offset, hash % table.bucket_count) != nullptr) {
    refuse("a key is there more than once");
  }
  if (const auto grow = table.policy._M_need_rehash(table.bucket_count, table.count, 1);
      grow.first) {
    auto** const buckets = reinterpret_cast<std::byte**>(allocate_block(grow.second * 8, 8));
    if (table.buckets != &table.single_bucket) {
      free_block(reinterpret_cast<std::byte*>(table.buckets), 8);
    }
    table.buckets = buckets;
    table.bucket_count = grow.second;
    std::byte* moved = table.before_begin;
    table.before_begin = nullptr;
    while (moved != nullptr) {
      std::byte* const next = next_of(moved);
      const std::size_t bucket = hash_of(moved) % table.bucket_count;
      link(moved, is_multiple(type) ? find(moved + type.inner_offset, bucket) : nullptr, bucket);
      moved = next;
    }
  }
  const std::size_t bucket = hash % table.bucket_count;
  link(node, is_multiple(type) ? find(node + type.inner_offset, bucket) : nullptr, bucket);
  ++table.count;
}

}  // namespace agnocast::internal

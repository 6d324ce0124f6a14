// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/error.hpp"
#include "agnocast/message_value.hpp"
#include "types/containers.hpp"
#include "types/objects.hpp"

namespace agnocast {
namespace internal {
namespace {

constexpr std::uint64_t deque_map_min = 8;

void construct_table(std::byte* at)
{
  store(at, at + 48);               // the bucket that is part of the table
  store<std::uint64_t>(at + 8, 1);  // buckets
  store<float>(at + 32, 1.0F);      // the greatest load
}

void construct_parts(const Types& types, std::uint32_t index, std::byte* at)
{
  const DescribedType& type = types[index];
  switch (type.kind) {
    case TypeKind::structure:
      for (const DescribedField& field : type.fields) {
        construct_parts(types, field.type, at + field.value);
      }
      return;
    case TypeKind::array:
      for (std::uint64_t i = 0; i < type.count; ++i) {
        construct_parts(types, type.element, at + i * types[type.element].bytes);
      }
      return;
    case TypeKind::variant:
      return construct_parts(types, type.fields[0].type, at);
    case TypeKind::string:
      return store(at, at + 16);
    case TypeKind::deque:
      return resize_deque(types, type, at, 0);
    case TypeKind::list:
      store(at, at);
      return store(at + 8, at);
    case TypeKind::map:
    case TypeKind::set:
      store(at + type.header_offset + 16, at + type.header_offset);
      return store(at + type.header_offset + 24, at + type.header_offset);
    case TypeKind::hash_map:
    case TypeKind::hash_set:
      return construct_table(at);
    default:
      return;  // zeros
  }
}

void destroy_tree(const Types& types, const DescribedType& type, std::byte* node) noexcept
{
  while (node != nullptr) {
    destroy_tree(types, type, load_pointer(node + 24));
    std::byte* const left = load_pointer(node + 16);
    destroy_node(types, type, node);
    node = left;
  }
}

void destroy_chain(const Types& types, const DescribedType& type, std::byte* node,
                   const std::byte* end) noexcept
{
  while (node != end && node != nullptr) {
    std::byte* const next = load_pointer(node);
    destroy_node(types, type, node);
    node = next;
  }
}

void destroy_deque(const Types& types, const DescribedType& type, std::byte* at) noexcept
{
  std::byte* const map = load_pointer(at);
  if (map == nullptr) return;
  const DescribedType& element = types[type.element];
  const std::uint64_t block_bytes = deque_block_bytes(element.bytes);
  std::byte* const last_entry = load_pointer(at + 72);
  std::byte* const finish = load_pointer(at + 48);
  std::byte* const first_entry = load_pointer(at + 40);
  for (std::byte* entry = first_entry; entry <= last_entry; entry += 8) {
    std::byte* const block = load_pointer(entry);
    std::byte* const end = entry == last_entry ? finish : block + block_bytes;
    std::byte* current = entry == first_entry ? load_pointer(at + 16) : block;
    for (; current < end; current += element.bytes) destroy_object(types, type.element, current);
    free_block(block, element.alignment);
  }
  free_block(map, 8);
}

void destroy_vector(const Types& types, const DescribedType& type, std::byte* at) noexcept
{
  std::byte* const begin = load_pointer(at);
  if (begin == nullptr) return;
  const DescribedType& element = types[type.element];
  const std::byte* const end = load_pointer(at + 8);
  for (std::byte* e = begin; e < end; e += element.bytes) destroy_object(types, type.element, e);
  free_block(begin, element.alignment);
}

void destroy_text(const DescribedType& character, std::byte* at) noexcept
{
  std::byte* const text = load_pointer(at);
  if (text == nullptr || text == at + 16) return;
  free_block(text, character.alignment);
}

void destroy_table(const Types& types, const DescribedType& type, std::byte* at) noexcept
{
  destroy_chain(types, type, load_pointer(at + 16), nullptr);
  std::byte* const buckets = load_pointer(at);
  if (buckets != nullptr && buckets != at + 48) {
    free_block(buckets, 8);
  }
}

}  // namespace

std::byte* allocate_block(std::uint64_t bytes, std::uint64_t alignment)
{
  void* const block = alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__
                        ? ::operator new(bytes, std::align_val_t(alignment))
                        : ::operator new(bytes);
  std::memset(block, 0, bytes);
  return static_cast<std::byte*>(block);
}

void free_block(std::byte* block, std::uint64_t alignment) noexcept
{
  if (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(block, std::align_val_t(alignment));
  } else {
    ::operator delete(block);
  }
}

NodeLayout node_layout(const Types& types, const DescribedType& container)
{
  std::uint64_t alignment = std::max<std::uint64_t>(8, types[container.element].alignment);
  std::uint64_t value_alignment = types[container.element].alignment;
  if (has_mapped(container.kind)) {
    value_alignment = std::max<std::uint64_t>(value_alignment, types[container.mapped].alignment);
    alignment = std::max(alignment, value_alignment);
  }
  const auto up = [](std::uint64_t bytes, std::uint64_t to) { return (bytes + to - 1) / to * to; };
  std::uint64_t bytes = container.inner_offset + up(value_bytes(types, container), value_alignment);
  std::uint64_t hash_offset = 0;
  const bool is_hashed =
    container.kind == TypeKind::hash_map || container.kind == TypeKind::hash_set;
  if (is_hashed && container.header_offset != 0) {
    hash_offset = up(bytes, 8);
    bytes = hash_offset + 8;
  }
  return {up(bytes, alignment), alignment, hash_offset};
}

std::byte* construct_node(const Types& types, const DescribedType& container)
{
  const NodeLayout layout = node_layout(types, container);
  std::byte* const node = allocate_block(layout.bytes, layout.alignment);
  try {
    std::byte* const value = node + container.inner_offset;
    construct_parts(types, container.element, value);
    if (has_mapped(container.kind)) {
      construct_parts(types, container.mapped,
                      value + mapped_offset(types[container.element], types[container.mapped]));
    }
  } catch (...) {
    destroy_node(types, container, node);
    throw;
  }
  return node;
}

void destroy_node(const Types& types, const DescribedType& container, std::byte* node) noexcept
{
  std::byte* const value = node + container.inner_offset;
  destroy_object(types, container.element, value);
  if (has_mapped(container.kind)) {
    destroy_object(types, container.mapped,
                   value + mapped_offset(types[container.element], types[container.mapped]));
  }
  const NodeLayout layout = node_layout(types, container);
  free_block(node, layout.alignment);
}

// As std::_Deque_base::_M_initialize_map.
void resize_deque(const Types& types, const DescribedType& type, std::byte* at, std::uint64_t count)
{
  const DescribedType& element = types[type.element];
  const std::uint64_t block_bytes = deque_block_bytes(element.bytes);
  const std::uint64_t per_block = block_bytes / element.bytes;
  const std::uint64_t blocks = count / per_block + 1;
  const std::uint64_t entries = std::max(deque_map_min, blocks + 2);
  std::byte* const map = allocate_block(entries * 8, 8);
  std::byte* const first_entry = map + (entries - blocks) / 2 * 8;
  std::byte* const last_entry = first_entry + (blocks - 1) * 8;
  try {
    for (std::byte* entry = first_entry; entry <= last_entry; entry += 8) {
      store(entry, allocate_block(block_bytes, element.alignment));
    }
  } catch (...) {
    for (std::byte* entry = first_entry; entry <= last_entry; entry += 8) {
      if (load_pointer(entry) != nullptr) free_block(load_pointer(entry), element.alignment);
    }
    free_block(map, 8);
    throw;
  }
  store(at, map);
  store(at + 8, entries);
  const auto set = [&](std::byte* iterator, std::byte* entry, std::uint64_t index) {
    std::byte* const block = load_pointer(entry);
    store(iterator, block + index * element.bytes);
    store(iterator + 8, block);
    store(iterator + 16, block + block_bytes);
    store(iterator + 24, entry);
  };
  set(at + 16, first_entry, 0);
  set(at + 48, last_entry, count % per_block);
}

std::byte* deque_element(const DescribedType& element, const std::byte* at, std::uint64_t index)
{
  const std::uint64_t per_block = deque_block_bytes(element.bytes) / element.bytes;
  return load_pointer(load_pointer(at + 40) + index / per_block * 8) +
         index % per_block * element.bytes;
}

void construct_object(const Types& types, std::uint32_t type, std::byte* at)
{
  std::memset(at, 0, types[type].bytes);
  try {
    construct_parts(types, type, at);
  } catch (...) {
    destroy_object(types, type, at);
    std::memset(at, 0, types[type].bytes);
    throw;
  }
}

void destroy_object(const Types& types, std::uint32_t index, std::byte* at) noexcept
{
  const DescribedType& type = types[index];
  switch (type.kind) {
    case TypeKind::structure:
      for (const DescribedField& field : type.fields) {
        destroy_object(types, field.type, at + field.value);
      }
      return;
    case TypeKind::array:
      for (std::uint64_t i = 0; i < type.count; ++i) {
        destroy_object(types, type.element, at + i * types[type.element].bytes);
      }
      return;
    case TypeKind::string:
      return destroy_text(types[type.element], at);
    case TypeKind::vector:
      return destroy_vector(types, type, at);
    case TypeKind::bit_vector:
      if (std::byte* const bits = load_pointer(at)) {
        free_block(bits, 8);
      }
      return;
    case TypeKind::deque:
      return destroy_deque(types, type, at);
    case TypeKind::list:
      return destroy_chain(types, type, load_pointer(at), at);
    case TypeKind::forward_list:
      return destroy_chain(types, type, load_pointer(at), nullptr);
    case TypeKind::map:
    case TypeKind::set:
      return destroy_tree(types, type, load_pointer(at + type.header_offset + 8));
    case TypeKind::hash_map:
    case TypeKind::hash_set:
      return destroy_table(types, type, at);
    case TypeKind::optional:
      if (load<std::uint8_t>(at + type.inner_offset) != 0) destroy_object(types, type.element, at);
      return;
    case TypeKind::variant: {
      const auto alternative = load<std::uint8_t>(at + type.inner_offset);
      if (alternative < type.fields.size()) {
        destroy_object(types, type.fields[alternative].type, at);
      }
      return;
    }
    case TypeKind::unique_ptr:
      if (std::byte* const owned = load_pointer(at)) {
        destroy_object(types, type.element, owned);
        free_block(owned, types[type.element].alignment);
      }
      return;
    default:
      return;
  }
}

}  // namespace internal

void construct(const TypeDescription& description, void* address)
{
  if (description.empty()) throw Error("an empty description cannot be made an object of");
  if (description.library() != internal::own_library()) {
    throw Error("objects laid out by " + description.library() + " cannot be made by " +
                internal::own_library());
  }
  internal::construct_object(description.types(), 0, static_cast<std::byte*>(address));
}

void destroy(const TypeDescription& description, void* address) noexcept
{
  internal::destroy_object(description.types(), 0, static_cast<std::byte*>(address));
}

}  // namespace agnocast

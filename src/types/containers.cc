// Strings and containers whose elements lie in blocks. Those with nodes: containers_nodes.cc.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "types/containers.hpp"

namespace agnocast::internal {
namespace {

constexpr std::uint64_t local_text_bytes = 16;
constexpr std::uint64_t without_alternative = 0xff;

// Where the block that an iterator of a deque is in begins and ends, and which entry of the map
// points to it.
struct DequeIterator
{
  Address current, first, last, entry;
};

DequeIterator read_iterator(const PeerMemory& memory, Address at)
{
  return {memory.pointer(at), memory.pointer(at + 8), memory.pointer(at + 16),
          memory.pointer(at + 24)};
}

void check_iterator(const DequeIterator& it, std::uint64_t block, std::uint64_t element)
{
  if (it.last - it.first != block || it.current < it.first || it.current - it.first >= block ||
      (it.current - it.first) % element != 0) {
    lie("has an iterator outside of its block");
  }
}

}  // namespace

FoundText Containers::text(const DescribedType& type, Address object)
{
  const std::uint64_t width = element(type).bytes;
  const Address begin = memory_.pointer(object);
  const auto count = memory_.read<std::uint64_t>(object + 8);
  std::uint64_t capacity = local_text_bytes / width - 1;
  if (begin != object + 16) {
    capacity = memory_.read<std::uint64_t>(object + 16);
    if (capacity >= std::uint64_t{1} << 48) lie("has an impossible capacity");
    memory_.claim(begin, (capacity + 1) * width, width);
  }
  if (count > capacity) lie("is longer than its capacity");
  if (extent_ == Extent::whole) {
    const Address end = begin + count * width;
    const std::uint32_t last = width == 1   ? memory_.read<std::uint8_t>(end)
                               : width == 2 ? memory_.read<std::uint16_t>(end)
                                            : memory_.read<std::uint32_t>(end);
    if (last != 0) lie("does not end with 0");
  }
  return {begin, count};
}

Address Containers::owned(const DescribedType& type, Address object)
{
  const Address value = memory_.pointer(object);
  if (value != 0) memory_.claim(value, element(type).bytes, element(type).alignment);
  return value;
}

bool Containers::has_value(const DescribedType& optional, Address object) const
{
  // As compiled code reads it: whatever is not 0.
  return memory_.read<std::uint8_t>(object + optional.inner_offset) != 0;
}

std::uint32_t Containers::alternative(const DescribedType& variant, Address object) const
{
  const auto index = memory_.read<std::uint8_t>(object + variant.inner_offset);
  if (index == without_alternative) return TypeDescription::none;
  if (index >= variant.fields.size()) lie("holds an alternative that it does not have");
  return index;
}

void Containers::each(const DescribedType& type, Address object, Begin begin, Visit visit)
{
  switch (type.kind) {
    case TypeKind::array:
      return each_in_array(type, object, begin, visit);
    case TypeKind::vector:
      return each_in_vector(type, object, begin, visit);
    case TypeKind::bit_vector:
      return each_bit(object, begin, visit);
    case TypeKind::deque:
      return each_in_deque(type, object, begin, visit);
    case TypeKind::list:
      return each_in_list(type, object, begin, visit);
    case TypeKind::forward_list:
      return each_in_forward_list(type, object, begin, visit);
    case TypeKind::map:
    case TypeKind::set:
      return each_in_tree(type, object, begin, visit);
    case TypeKind::hash_map:
    case TypeKind::hash_set:
      return each_in_table(type, object, begin, visit);
    default:
      lie("is no container");
  }
}

void Containers::each_in_array(const DescribedType& type, Address object, Begin begin,
                               Visit visit) const
{
  const std::uint64_t wanted = std::min(begin(type.count, object), type.count);
  const std::uint64_t bytes = element(type).bytes;
  for (std::uint64_t i = 0; i < wanted; ++i) visit(i, object + i * bytes);
}

void Containers::each_in_vector(const DescribedType& type, Address object, Begin begin, Visit visit)
{
  const Address first = memory_.pointer(object);
  const Address last = memory_.pointer(object + 8);
  const Address end = memory_.pointer(object + 16);
  if (last < first || end < last) lie("ends before it begins");
  const std::uint64_t bytes = element(type).bytes;
  if ((last - first) % bytes != 0 || (end - first) % bytes != 0) lie("ends within an element");
  if (first != 0 || end != 0) memory_.claim(first, end - first, element(type).alignment);
  const std::uint64_t count = (last - first) / bytes;
  const std::uint64_t wanted = std::min(begin(count, first), count);
  for (std::uint64_t i = 0; i < wanted; ++i) visit(i, first + i * bytes);
}

void Containers::each_bit(Address object, Begin begin, Visit visit)
{
  const Address first = memory_.pointer(object);
  const auto first_bit = memory_.read<std::uint32_t>(object + 8);
  const Address last = memory_.pointer(object + 16);
  const auto last_bit = memory_.read<std::uint32_t>(object + 24);
  const Address end = memory_.pointer(object + 32);
  if (last < first || end < last || first_bit != 0 || last_bit >= bits_per_word ||
      (end == last && last_bit != 0)) {
    lie("ends before it begins");
  }
  if ((last - first) % 8 != 0 || (end - first) % 8 != 0) lie("ends within a word");
  if (first != 0 || end != 0) memory_.claim(first, end - first, 8);
  const std::uint64_t count = (last - first) * 8 + last_bit;
  const std::uint64_t wanted = std::min(begin(count, 0), count);
  Address word = 0;
  for (std::uint64_t i = 0; i < wanted; ++i) {
    if (i % bits_per_word == 0) word = memory_.read<Address>(first + i / 8);
    visit(i, word >> (i % bits_per_word) & 1);
  }
}

void Containers::each_in_deque(const DescribedType& type, Address object, Begin begin, Visit visit)
{
  const std::uint64_t bytes = element(type).bytes;
  const std::uint64_t block_bytes = deque_block_bytes(bytes);
  const Address map = memory_.pointer(object);
  const auto map_size = memory_.read<std::uint64_t>(object + 8);
  const DequeIterator start = read_iterator(memory_, object + 16);
  const DequeIterator finish = read_iterator(memory_, object + 48);
  if (map_size == 0 || map_size >= std::uint64_t{1} << 48) lie("has an impossible capacity");
  memory_.claim(map, map_size * 8, 8);
  const Address map_end = map + map_size * 8;
  if (start.entry < map || finish.entry < start.entry || finish.entry >= map_end ||
      (start.entry - map) % 8 != 0 || (finish.entry - map) % 8 != 0) {
    lie("ends before it begins");
  }
  check_iterator(start, block_bytes, bytes);
  check_iterator(finish, block_bytes, bytes);
  const std::uint64_t per_block = block_bytes / bytes;
  const std::uint64_t blocks = (finish.entry - start.entry) / 8;
  const std::uint64_t skipped = (start.current - start.first) / bytes;
  const std::uint64_t until = blocks * per_block + (finish.current - finish.first) / bytes;
  if (until < skipped) lie("ends before it begins");
  const std::uint64_t count = until - skipped;
  const std::uint64_t wanted = std::min(begin(count, 0), count);
  std::uint64_t index = 0;
  for (std::uint64_t b = 0; b <= blocks; ++b) {
    if (extent_ == Extent::wanted && index >= wanted) return;
    const Address block = memory_.pointer(start.entry + b * 8);
    memory_.claim(block, block_bytes, element(type).alignment);
    if ((b == 0 && block != start.first) || (b == blocks && block != finish.first)) {
      lie("has an iterator outside of its block");
    }
    for (std::uint64_t i = b == 0 ? skipped : 0; i < per_block && index < wanted; ++i, ++index) {
      visit(index, block + i * bytes);
    }
  }
}

}  // namespace agnocast::internal

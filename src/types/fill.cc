// What lies behind each other: structures, arrays, strings, vectors, deques; and what holds one
// value.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/error.hpp"
#include "types/containers.hpp"
#include "types/filler.hpp"
#include "types/text_output.hpp"

namespace agnocast {
namespace internal {
namespace {

const char* kind_text(Value::Kind kind)
{
  constexpr const char* texts[] = {"null",     "a truth value", "a number",
                                   "a string", "a sequence",    "a mapping"};
  return texts[static_cast<std::size_t>(kind)];
}

bool is_empty_structure(const DescribedType& type)
{
  return type.kind == TypeKind::structure && type.fields.empty();
}

}  // namespace

void Filler::refuse(const std::string& what) const
{
  throw Error((path_.empty() ? "the message" : path_ + ":") + " " + what);
}

void Filler::expect(const Value& value, Value::Kind kind, const DescribedType& type) const
{
  if (value.kind != kind) {
    refuse(type.name + " takes " + kind_text(kind) + ", not " + kind_text(value.kind));
  }
}

void Filler::part(const std::string& step, std::uint32_t type, std::byte* at, const Value& value)
{
  const std::size_t before = path_.size();
  path_ += step;
  fill(type, at, value);
  path_.resize(before);
}

void Filler::fill(std::uint32_t index, std::byte* at, const Value& value)
{
  const DescribedType& type = types_[index];
  switch (type.kind) {
    case TypeKind::structure:
      return structure(type, at, value);
    case TypeKind::array:
      return array(type, at, value);
    case TypeKind::string:
      return text(type, at, value);
    case TypeKind::vector:
      return vector(type, at, value);
    case TypeKind::bit_vector:
      return bits(type, at, value);
    case TypeKind::deque:
      return deque(type, at, value);
    case TypeKind::list:
      return list(type, at, value);
    case TypeKind::forward_list:
      return forward_list(type, at, value);
    case TypeKind::map:
    case TypeKind::set:
    case TypeKind::hash_map:
    case TypeKind::hash_set:
      return associative(type, at, value);
    case TypeKind::optional:
      return optional(type, at, value);
    case TypeKind::unique_ptr:
      return unique(type, at, value);
    case TypeKind::variant:
      return variant(type, at, value);
    default:
      if (const char* const wrong = write_scalar(types_, type, at, value)) {
        refuse((value.text.empty() ? std::string(kind_text(value.kind)) : "'" + value.text + "'") +
               " " + wrong + " (" + type.name + ")");
      }
  }
}

void Filler::structure(const DescribedType& type, std::byte* at, const Value& value)
{
  if (is_empty_structure(type) && value.kind == Value::Kind::null) return;
  expect(value, Value::Kind::mapping, type);
  for (const auto& entry : value.entries) {
    const std::string& name = entry.key;
    const auto field = std::find_if(type.fields.begin(), type.fields.end(),
                                    [&](const DescribedField& f) { return f.name == name; });
    if (field == type.fields.end()) refuse(type.name + " has no field '" + name + "'");
    part((path_.empty() ? "" : ".") + name, field->type, at + field->value, entry.value);
  }
}

void Filler::array(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::sequence, type);
  if (value.elements.size() != type.count) {
    refuse(type.name + " takes " + std::to_string(type.count) + " elements, not " +
           std::to_string(value.elements.size()));
  }
  for (std::uint64_t i = 0; i < type.count; ++i) {
    part("[" + std::to_string(i) + "]", type.element, at + i * types_[type.element].bytes,
         value.elements[i]);
  }
}

void Filler::text(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::string, type);
  const std::uint64_t width = types_[type.element].bytes;
  std::string units = value.text;
  if (width != 1 && !from_utf8(value.text, width, units)) refuse("the string is not UTF-8");
  const std::uint64_t count = units.size() / width;
  std::byte* begin = at + 16;
  if (count > 16 / width - 1) {
    begin = allocate_block((count + 1) * width, types_[type.element].alignment);
    store(at, begin);
    store(at + 16, count);
  }
  std::memcpy(begin, units.data(), units.size());
  store(at + 8, count);
}

void Filler::vector(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::sequence, type);
  const std::uint64_t count = value.elements.size();
  if (count == 0) return;
  const DescribedType& element = types_[type.element];
  std::byte* const begin = allocate_block(count * element.bytes, element.alignment);
  store(at, begin);
  store(at + 8, begin);
  store(at + 16, begin + count * element.bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::byte* const place = begin + i * element.bytes;
    construct_object(types_, type.element, place);
    store(at + 8, place + element.bytes);
    part("[" + std::to_string(i) + "]", type.element, place, value.elements[i]);
  }
}

void Filler::bits(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::sequence, type);
  const std::uint64_t count = value.elements.size();
  if (count == 0) return;
  const std::uint64_t words = (count + 63) / 64;
  std::byte* const begin = allocate_block(words * 8, 8);
  store(at, begin);
  store(at + 16, begin + count / 64 * 8);
  store(at + 24, static_cast<std::uint32_t>(count % 64));
  store(at + 32, begin + words * 8);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Value& bit = value.elements[i];
    if (bit.kind != Value::Kind::boolean) {
      refuse("element " + std::to_string(i) + " is not true or false");
    }
    std::byte* const word = begin + i / 64 * 8;
    store(word, load<std::uint64_t>(word) | std::uint64_t{bit.boolean ? 1U : 0U} << i % 64);
  }
}

void Filler::deque(const DescribedType& type, std::byte* at, const Value& value)
{
  expect(value, Value::Kind::sequence, type);
  const std::uint64_t count = value.elements.size();
  if (count == 0) return;
  // Instead of the one that is empty; its blocks are of the same sizes.
  std::byte* const map = load_pointer(at);
  free_block(load_pointer(load_pointer(at + 40)), types_[type.element].alignment);
  free_block(map, 8);
  std::memset(at, 0, type.bytes);
  resize_deque(types_, type, at, count);
  for (std::uint64_t i = 0; i < count; ++i) {
    construct_object(types_, type.element, deque_element(types_[type.element], at, i));
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    part("[" + std::to_string(i) + "]", type.element, deque_element(types_[type.element], at, i),
         value.elements[i]);
  }
}

void Filler::optional(const DescribedType& type, std::byte* at, const Value& value)
{
  if (value.kind == Value::Kind::null) return;
  construct_object(types_, type.element, at);
  store(at + type.inner_offset, std::uint8_t{1});
  fill(type.element, at, value);
}

void Filler::unique(const DescribedType& type, std::byte* at, const Value& value)
{
  if (value.kind == Value::Kind::null) return;
  const DescribedType& element = types_[type.element];
  std::byte* const owned = allocate_block(element.bytes, element.alignment);
  store(at, owned);
  construct_object(types_, type.element, owned);
  fill(type.element, owned, value);
}

// The first alternative that takes the value.
void Filler::variant(const DescribedType& type, std::byte* at, const Value& value)
{
  const std::size_t path_bytes = path_.size();
  const auto hold = [&](std::size_t index) {
    construct_object(types_, type.fields[index].type, at);
    store(at + type.inner_offset, static_cast<std::uint8_t>(index));
  };
  std::string wrong;
  for (std::size_t i = 0; i < type.fields.size(); ++i) {
    destroy_object(types_, type.fields[i == 0 ? 0 : i - 1].type, at);
    std::memset(at, 0, type.bytes);
    hold(i);
    try {
      return fill(type.fields[i].type, at, value);
    } catch (const Error& error) {
      path_.resize(path_bytes);
      wrong += std::string("\n  ") + error.what();
    }
  }
  refuse("no alternative of " + type.name + " takes the value:" + wrong);
}

}  // namespace internal

void fill(const TypeDescription& description, void* address, const Value& value)
{
  auto* const at = static_cast<std::byte*>(address);
  destroy(description, address);
  construct(description, address);
  try {
    internal::Filler(description.types()).fill(0, at, value);
  } catch (const Error&) {
    throw;
  } catch (...) {
    destroy(description, address);
    throw;
  }
}

}  // namespace agnocast

// Makes messages by their description alone: what a typed subscriber reads as its C++ objects.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agnocast/export.hpp"
#include "agnocast/type_description.hpp"

namespace agnocast {

/// What a YAML or JSON document says. Numbers are text until the type is known.
struct Value
{
  enum class Kind : std::uint8_t { null, boolean, number, string, sequence, mapping };
  struct Entry;

  Kind kind = Kind::null;
  bool boolean = false;
  std::string text;             ///< of a number or string
  std::vector<Value> elements;  ///< of a sequence
  std::vector<Entry> entries;   ///< of a mapping, in order

  static Value of_boolean(bool value);
  static Value of_number(std::string text);
  static Value of_string(std::string text);
  static Value of_sequence(std::vector<Value> elements);
  static Value of_mapping(std::vector<Entry> entries);
};
struct Value::Entry
{
  std::string key;
  Value value;
};

inline Value Value::of_boolean(bool value)
{
  return {Kind::boolean, value, {}, {}, {}};
}
inline Value Value::of_number(std::string text)
{
  return {Kind::number, false, std::move(text), {}, {}};
}
inline Value Value::of_string(std::string text)
{
  return {Kind::string, false, std::move(text), {}, {}};
}
inline Value Value::of_sequence(std::vector<Value> elements)
{
  return {Kind::sequence, false, {}, std::move(elements), {}};
}
inline Value Value::of_mapping(std::vector<Entry> entries)
{
  return {Kind::mapping, false, {}, {}, std::move(entries)};
}

/// Makes the object in `root().bytes` bytes at the address, which is aligned for it: numbers are 0,
/// containers empty, a variant holds its first alternative; what is opaque or unknown is zeros.
/// Throws Error if the description is of another standard library.
AGNOCAST_PUBLIC void construct(const TypeDescription& description, void* address);

/// Frees all that the constructed object owns. What its destructor in C++ does, and instead of it.
AGNOCAST_PUBLIC void destroy(const TypeDescription& description, void* address) noexcept;

/// Writes the value into the constructed object, over what it held. Allocates by operator new: for
/// messages, within a SharedHeapScope. What the value does not name is empty or 0. Throws Error,
/// with the path, for a field that does not exist, a value of the wrong kind, a number out of
/// range, or a container that only its program can fill (ordered or hashed by something of its
/// own); the object is then constructed still, with part of the values.
/// Throws std::bad_alloc if there is no memory; the object is then destroyed.
///
/// The containers are those of the C++ type: it may read, change and destroy them.
AGNOCAST_PUBLIC void fill(const TypeDescription& description, void* address, const Value& value);

}  // namespace agnocast

// Writes a Value into a constructed object.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "agnocast/message_value.hpp"
#include "types/objects.hpp"

namespace agnocast::internal {

/// The text as a number, a character or an enumerator of the type. Returns what is wrong, or null.
const char* write_scalar(const Types& types, const DescribedType& type, std::byte* at,
                         const Value& value);

/// Every part that it is given is constructed and empty. Throws Error with the path.
class Filler
{
 public:
  explicit Filler(const Types& types) : types_(types) {}

  void fill(std::uint32_t type, std::byte* at, const Value& value);

 private:
  void structure(const DescribedType& type, std::byte* at, const Value& value);
  void array(const DescribedType& type, std::byte* at, const Value& value);
  void text(const DescribedType& type, std::byte* at, const Value& value);
  void vector(const DescribedType& type, std::byte* at, const Value& value);
  void bits(const DescribedType& type, std::byte* at, const Value& value);
  void deque(const DescribedType& type, std::byte* at, const Value& value);
  void list(const DescribedType& type, std::byte* at, const Value& value);
  void forward_list(const DescribedType& type, std::byte* at, const Value& value);
  void associative(const DescribedType& type, std::byte* at, const Value& value);
  void insert_in_tree(const DescribedType& type, std::byte* at, std::byte* node);
  void insert_in_table(const DescribedType& type, std::byte* at, std::byte* node);
  void fill_node(const DescribedType& type, std::byte* node, const Value& value, std::size_t index);
  void optional(const DescribedType& type, std::byte* at, const Value& value);
  void unique(const DescribedType& type, std::byte* at, const Value& value);
  void variant(const DescribedType& type, std::byte* at, const Value& value);
  void key(std::uint32_t type, std::byte* at, const std::string& text);

  void expect(const Value& value, Value::Kind kind, const DescribedType& type) const;
  [[noreturn]] void refuse(const std::string& what) const;
  /// Fills the part under a longer path.
  void part(const std::string& step, std::uint32_t type, std::byte* at, const Value& value);

  const Types& types_;
  std::string path_;
};

}  // namespace agnocast::internal

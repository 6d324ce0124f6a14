// What a message type looks like in memory, as data: read by the audit, by checks and by tools.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "agnocast/export.hpp"

namespace agnocast {

/// The numbers are part of the shared layout: they are never given another meaning.
enum class TypeKind : std::uint32_t {
  unknown = 0,  ///< cannot be seen into, and may point anywhere
  opaque,       ///< cannot be seen into, but consists of bytes that may be copied
  boolean,
  signed_integer,
  unsigned_integer,
  floating,
  character,    ///< char, char8_t, char16_t, char32_t, wchar_t
  enumeration,  ///< element: the underlying type; fields: enumerators
  structure,    ///< fields; std::pair and std::tuple too
  array,        ///< element, count; C arrays and std::array
  string,       ///< element: the character type
  vector,
  bit_vector,  ///< std::vector<bool>
  deque,
  list,
  forward_list,
  map,  ///< element: the key, mapped; std::multimap too
  set,
  hash_map,  ///< element: the key, mapped; std::unordered_multimap too
  hash_set,
  optional,
  variant,      ///< fields: alternatives, in their order
  unique_ptr,   ///< element, with the default deleter
  raw_pointer,  ///< element unknown; not followed
};
inline constexpr std::uint32_t type_kinds = static_cast<std::uint32_t>(TypeKind::raw_pointer) + 1;

/// A field of a structure, an alternative of a variant, or an enumerator.
struct DescribedField
{
  std::string name;
  std::uint32_t type;   ///< index; TypeDescription::none for an enumerator
  std::uint64_t value;  ///< offset in bytes; of an enumerator its value, sign-extended
};

struct DescribedType
{
  TypeKind kind = TypeKind::unknown;
  std::string name;
  std::uint64_t bytes = 0;
  std::uint32_t alignment = 1;
  std::uint32_t element = std::numeric_limits<std::uint32_t>::max();  ///< index
  std::uint32_t mapped = std::numeric_limits<std::uint32_t>::max();   ///< index
  std::uint64_t count = 0;                                            ///< array: elements
  std::uint64_t inner_offset = 0;   ///< of the value in a node; of an optional's flag; of a
                                    ///< variant's index
  std::uint32_t header_offset = 0;  ///< map and set: of the tree's header; hashed: 1 if the nodes
                                    ///< keep their hash
  std::vector<DescribedField> fields;
};

/// The description of one type and of all that it consists of. A plain value; thread-safe as such.
class AGNOCAST_PUBLIC TypeDescription
{
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  TypeDescription() = default;
  /// `types[0]` is the type that is described, the others are its parts.
  explicit TypeDescription(std::vector<DescribedType> types);

  [[nodiscard]] bool empty() const noexcept { return types_.empty(); }
  [[nodiscard]] const std::vector<DescribedType>& types() const noexcept { return types_; }
  [[nodiscard]] const DescribedType& type(std::uint32_t index) const { return types_.at(index); }
  [[nodiscard]] const DescribedType& root() const { return types_.at(0); }
  [[nodiscard]] const std::string& name() const { return root().name; }
  /// The standard library whose containers are meant, and which of its ABIs.
  [[nodiscard]] const std::string& library() const noexcept { return library_; }

  /// Of everything but enumerators: types, names of fields, offsets, sizes, the standard library.
  /// Two processes that agree on it read the same bytes in the same way.
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  /// False if some part is TypeKind::unknown: then the audit cannot vouch for all of a message.
  [[nodiscard]] bool is_complete() const noexcept;

  /// The description in words: the type, then each structure and enumeration it is made of. Stable;
  /// see docs/type-descriptions.md.
  [[nodiscard]] std::string schema() const;

  /// The bytes that another process can decode().
  [[nodiscard]] std::vector<std::byte> encode() const;
  /// From bytes of any origin. Throws Error, with what is wrong, if they are no description;
  /// nothing that it returns leads out of its own vectors, contains itself by value, or claims a
  /// layout that its sizes do not allow.
  [[nodiscard]] static TypeDescription decode(const std::byte* bytes, std::size_t count);

 private:
  std::vector<DescribedType> types_;
  std::string library_;
  std::uint64_t hash_ = 0;
};

}  // namespace agnocast

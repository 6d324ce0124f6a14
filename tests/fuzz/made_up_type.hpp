// Descriptions of types that no compiler would make.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agnocast/type_description.hpp"
#include "input.hpp"

namespace agnocast::fuzz {

/// Types whose sizes are mostly those of their kinds, with parts among each other.
inline std::vector<std::byte> made_up_type(Input& input)
{
  constexpr std::uint8_t sizes[type_kinds] = {8,  8,  1,  4, 4,  8,  1,  1,  32, 32, 32, 24,
                                              40, 80, 24, 8, 48, 48, 56, 56, 16, 16, 8,  8};
  std::vector<DescribedType> types(1U + input.get<std::uint8_t>() % 8U);
  for (DescribedType& type : types) {
    const auto index = [&] {
      return static_cast<std::uint32_t>(input.get<std::uint8_t>() % types.size());
    };
    const std::uint32_t kind = input.get<std::uint8_t>() % type_kinds;
    type.kind = static_cast<TypeKind>(kind);
    type.name = "T" + std::to_string(kind);
    type.bytes = sizes[kind];
    const auto other = input.get<std::uint8_t>();
    if (other != 0 && other < 0x80) type.bytes = other;
    type.alignment = type.bytes % 8 == 0 ? 8U : type.bytes % 4 == 0 ? 4U : 1U;
    const bool is_by_itself = kind < 7 || type.kind == TypeKind::structure ||
                              type.kind == TypeKind::variant || type.kind == TypeKind::raw_pointer;
    if (!is_by_itself) type.element = index();
    if (type.kind == TypeKind::map || type.kind == TypeKind::hash_map) type.mapped = index();
    type.count = input.get<std::uint8_t>();
    type.inner_offset = input.get<std::uint8_t>();
    type.header_offset = type.kind == TypeKind::map || type.kind == TypeKind::set
                           ? 8
                           : static_cast<std::uint32_t>(type.count % 2);
    const bool has_fields = type.kind == TypeKind::structure || type.kind == TypeKind::variant;
    for (std::uint64_t i = 0; has_fields && i < type.count % 5; ++i) {
      const std::uint32_t part = index();
      const std::uint64_t offset = type.kind == TypeKind::variant ? 0 : input.get<std::uint8_t>();
      type.fields.push_back({"f", part, offset});
    }
  }
  return TypeDescription(std::move(types)).encode();
}

}  // namespace agnocast::fuzz

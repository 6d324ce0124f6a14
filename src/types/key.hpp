// Keys of containers: their order by std::less and their hash by std::hash, by description.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>

#include "types/objects.hpp"

namespace agnocast::internal {

/// Whether the container is ordered or hashed by the standard's own functions, and its keys are of
/// a kind for which they are known here: integers, numbers, characters, enumerations and strings.
bool has_known_keys(const Types& types, const DescribedType& container);

/// By std::less; numbers that are not ordered count as equal.
bool is_less_key(const Types& types, std::uint32_t type, const std::byte* a, const std::byte* b);
bool is_equal_key(const Types& types, std::uint32_t type, const std::byte* a, const std::byte* b);
std::size_t hash_of_key(const Types& types, std::uint32_t type, const std::byte* key);

}  // namespace agnocast::internal

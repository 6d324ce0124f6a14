// Numbers, truth values and characters: out of a message, and as text.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "agnocast/message_view.hpp"
#include "types/peer_memory.hpp"

namespace agnocast::internal {

constexpr bool is_scalar(TypeKind kind) noexcept
{
  return kind == TypeKind::boolean || kind == TypeKind::signed_integer ||
         kind == TypeKind::unsigned_integer || kind == TypeKind::floating ||
         kind == TypeKind::character;
}

/// A scalar or an enumeration that stands there now.
ScalarValue load_scalar(const std::vector<DescribedType>& types, const DescribedType& type,
                        const PeerMemory& memory, Address at);
ScalarValue scalar_of_bit(const DescribedType& boolean, std::uint64_t bit);

}  // namespace agnocast::internal

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "types/scalar.hpp"

namespace agnocast::internal {

ScalarValue load_scalar(const std::vector<DescribedType>& types, const DescribedType& type,
                        const PeerMemory& memory, Address at)
{
  const TypeKind kind = type.kind == TypeKind::enumeration ? types[type.element].kind : type.kind;
  ScalarValue value{type, kind, static_cast<std::uint32_t>(type.bytes), {}};
  const auto take = [&]<class T>(T part, std::size_t offset) {
    std::memcpy(value.data + offset, &part, sizeof part);
  };
  switch (value.bytes) {
    case 1:
      take(memory.read<std::uint8_t>(at), 0);
      break;
    case 2:
      take(memory.read<std::uint16_t>(at), 0);
      break;
    case 4:
      take(memory.read<std::uint32_t>(at), 0);
      break;
    case 8:
      take(memory.read<std::uint64_t>(at), 0);
      break;
    default:
      take(memory.read<std::uint64_t>(at), 0);
      take(memory.read<std::uint64_t>(at + 8), 8);
      break;
  }
  return value;
}

ScalarValue scalar_of_bit(const DescribedType& boolean, std::uint64_t bit)
{
  ScalarValue value{boolean, TypeKind::boolean, 1, {}};
  value.data[0] = static_cast<std::byte>(bit);
  return value;
}

}  // namespace agnocast::internal

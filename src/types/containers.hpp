// Finds the elements of each standard container in memory that may hold anything, as libstdc++ lays
// them out.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "agnocast/message_view.hpp"
#include "types/function_ref.hpp"
#include "types/layout_rules.hpp"
#include "types/peer_memory.hpp"

namespace agnocast::internal {

/// Bytes of one block of a deque.
constexpr std::uint64_t deque_block_bytes(std::uint64_t element_bytes) noexcept
{
  return element_bytes < 512 ? 512 / element_bytes * element_bytes : element_bytes;
}
constexpr std::uint64_t bits_per_word = 64;

/// Characters in the sender's memory.
struct FoundText
{
  Address address;
  std::uint64_t count;
};

/// How much of a container is looked at.
enum class Extent : std::uint8_t {
  wanted,  ///< elements up to the last wanted one
  whole    ///< each node and link that code of the C++ type could follow
};

/// Told first how many elements there are, and where if they lie behind each other, else 0. Returns
/// how many it wants to see.
using Begin = FunctionRef<std::uint64_t(std::uint64_t count, Address contiguous)>;
/// Told of each wanted element; of a map, it is the key. Of a bit vector, the bit, as an address.
using Visit = FunctionRef<void(std::uint64_t index, Address element)>;

/// Looks into containers of one message. Throws Lie.
class Containers
{
 public:
  Containers(const std::vector<DescribedType>& types, PeerMemory& memory, Extent extent) noexcept
    : types_(types), memory_(memory), extent_(extent)
  {
  }

  /// The characters and the 0 behind them lie where they may.
  [[nodiscard]] FoundText text(const DescribedType& type, Address object);
  /// The address of the value of a unique_ptr, or 0.
  [[nodiscard]] Address owned(const DescribedType& type, Address object);
  [[nodiscard]] bool has_value(const DescribedType& optional, Address object) const;
  /// Which alternative a variant holds; TypeDescription::none if none.
  [[nodiscard]] std::uint32_t alternative(const DescribedType& variant, Address object) const;
  /// Every kind with several elements.
  void each(const DescribedType& type, Address object, Begin begin, Visit visit);

 private:
  struct Node
  {
    Address parent, left, right;
  };

  void each_in_array(const DescribedType& type, Address object, Begin begin, Visit visit) const;
  void each_in_vector(const DescribedType& type, Address object, Begin begin, Visit visit);
  void each_bit(Address object, Begin begin, Visit visit);
  void each_in_deque(const DescribedType& type, Address object, Begin begin, Visit visit);
  void each_in_list(const DescribedType& type, Address object, Begin begin, Visit visit);
  void each_in_forward_list(const DescribedType& type, Address object, Begin begin, Visit visit);
  void each_in_tree(const DescribedType& type, Address object, Begin begin, Visit visit);
  void each_in_table(const DescribedType& type, Address object, Begin begin, Visit visit);
  void check_buckets(const DescribedType& type, Address object, std::vector<Address> nodes);
  void claim_node(const DescribedType& type, Address node);
  [[nodiscard]] const DescribedType& element(const DescribedType& type) const
  {
    return types_[type.element];
  }

  const std::vector<DescribedType>& types_;
  PeerMemory& memory_;
  Extent extent_;
};

}  // namespace agnocast::internal

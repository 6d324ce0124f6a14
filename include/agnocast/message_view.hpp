// Reads a message by its description alone, from memory that its sender may fill with anything.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agnocast/export.hpp"
#include "agnocast/type_description.hpp"

namespace agnocast {

/// Where a message and all that it owns may lie; mapped and readable.
struct MemoryRange
{
  const std::byte* begin = nullptr;
  std::size_t bytes = 0;

  /// For objects of one's own: any address. A pointer that leads nowhere is then not noticed.
  static constexpr MemoryRange anywhere() noexcept
  {
    return {nullptr, std::numeric_limits<std::size_t>::max()};
  }
};

/// A message, or a part of one, by its description. Refers to all three.
struct MessageView
{
  const TypeDescription& description;
  const void* address;
  MemoryRange allowed;
  std::uint32_t type = 0;  ///< of the description's types
};

/// A number, a truth value or a character, read already.
struct ScalarValue
{
  const DescribedType& type;       ///< possibly an enumeration
  TypeKind kind;                   ///< boolean, …integer, floating or character
  std::uint32_t bytes;             ///< 1, 2, 4, 8 or 16
  alignas(16) std::byte data[16];  ///< as in the message, zeros behind it
};

/// The characters of a string. They lie in the sender's memory; `copy` reads them.
class AGNOCAST_PUBLIC TextValue
{
 public:
  TextValue(const void* address, std::uint64_t count, std::uint32_t width) noexcept
    : address_(address), count_(count), width_(width)
  {
  }
  /// Characters of `width()` bytes.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint32_t width() const noexcept { return width_; }
  /// At most so many characters. Those of one byte as they are, wider ones as UTF-8.
  [[nodiscard]] std::string copy(
    std::uint64_t count_max = std::numeric_limits<std::uint64_t>::max()) const;

 private:
  const void* address_;
  std::uint64_t count_;
  std::uint32_t width_;
};

/// The elements of a vector, array, deque, list, set or of bits; or the entries of a map.
struct SequenceValue
{
  const DescribedType& type;
  const DescribedType& element;  ///< of a map: the key
  const DescribedType* mapped;   ///< of a map, else null
  std::uint64_t count;
  /// The elements, if they lie behind each other; in the sender's memory, checked for range.
  const void* contiguous;
};

/// Is told what a message consists of, from front to back. What is not overridden is ignored.
class AGNOCAST_PUBLIC MessageVisitor
{
 public:
  MessageVisitor() = default;
  MessageVisitor(const MessageVisitor&) = delete;
  MessageVisitor& operator=(const MessageVisitor&) = delete;
  virtual ~MessageVisitor();

  /// Then for each field field() and its value, then end_structure().
  virtual void begin_structure(const DescribedType& type);
  virtual void field(std::string_view name);
  virtual void end_structure();

  /// Returns how many of the elements it wants to see. They follow, then end_sequence().
  virtual std::uint64_t begin_sequence(const SequenceValue& sequence);
  virtual void end_sequence();

  /// The same for entries: key(), a value, mapped(), a value.
  virtual std::uint64_t begin_map(const SequenceValue& map);
  virtual void key();
  virtual void mapped();
  virtual void end_map();

  virtual void scalar(const ScalarValue& value);
  virtual void string(const TextValue& text);
  /// An optional or a unique_ptr without a value, a variant without an alternative.
  virtual void null(const DescribedType& type);
  /// The value of that alternative follows.
  virtual void alternative(const DescribedType& variant, std::uint32_t index);
  /// Opaque, unknown, or a raw pointer: bytes that are not looked into.
  virtual void opaque(const DescribedType& type);
};

struct WalkLimits
{
  std::uint32_t depth_max = 200;  ///< values inside each other
};

/// Shows the message to the visitor. Returns what is wrong with it, after the path of the part:
/// `points[3].name: points outside of the sender's memory`; nothing if nothing is. Until then the
/// visitor has seen what was right.
///
/// Whatever lies in the allowed range, also if it changes meanwhile, the walk reads only there and
/// ends: each word is read once, checked, and only then followed; all that the message owns
/// together may not be larger than the range.
AGNOCAST_PUBLIC std::optional<std::string> walk(const MessageView& view, MessageVisitor& visitor,
                                                const WalkLimits& limits = {});

/// Checks messages of one type without showing them. Costs time in proportion to the number of
/// containers and nodes, not of bytes: plain elements of a vector are one check. A message that
/// passes can be read as its C++ type, as long as its sender does not change it. Thread-safe.
class AGNOCAST_PUBLIC MessageVerifier
{
 public:
  explicit MessageVerifier(const TypeDescription& description);
  MessageVerifier(MessageVerifier&&) noexcept;
  MessageVerifier& operator=(MessageVerifier&&) noexcept;
  ~MessageVerifier();

  /// Nothing if the message is fine, else what is wrong, as by walk().
  [[nodiscard]] std::optional<std::string> verify(const void* address, MemoryRange allowed,
                                                  const WalkLimits& limits = {}) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

AGNOCAST_PUBLIC std::optional<std::string> verify(const MessageView& view,
                                                  const WalkLimits& limits = {});

/// The part at a path such as `points[3].name` or `channels[front]`, where what stands in brackets
/// is an index or the text of a map's key; through optionals and unique_ptrs that have a value, and
/// the alternative that a variant holds. The empty path is the message. Throws Error, with the
/// path, if there is none or the message is not as it should be.
AGNOCAST_PUBLIC MessageView select(const MessageView& view, std::string_view path);

}  // namespace agnocast

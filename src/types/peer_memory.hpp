// Memory that another process fills: each word is read once and lies in the allowed range, and what
// is followed is paid for from a budget, so that no lie leads in a circle.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "agnocast/message_view.hpp"

namespace agnocast::internal {

using Address = std::uintptr_t;

/// Thrown where a message is not what its description says.
struct Lie
{
  std::string what;
};

[[noreturn]] inline void lie(std::string what)
{
  throw Lie{std::move(what)};
}

/// One walk over one message.
class PeerMemory
{
 public:
  explicit PeerMemory(MemoryRange allowed) noexcept
    : begin_(reinterpret_cast<Address>(allowed.begin)), bytes_(allowed.bytes), unpaid_(bytes_)
  {
  }

  /// A value that stands there now. Volatile: the compiler may not read it a second time.
  template <class T>
  [[nodiscard]] T read(Address address) const
  {
    if (!contains(address, sizeof(T))) lie("points outside of the sender's memory");
    if (address % alignof(T) != 0) lie("is not aligned");
    return *reinterpret_cast<const volatile T*>(address);
  }
  [[nodiscard]] Address pointer(Address address) const { return read<Address>(address); }

  [[nodiscard]] bool contains(Address address, std::uint64_t bytes) const noexcept
  {
    return address != 0 && address >= begin_ && address - begin_ <= bytes_ &&
           bytes <= bytes_ - (address - begin_) &&
           bytes <= std::numeric_limits<Address>::max() - address;
  }

  /// Takes what the message owns there off the budget. A block belongs to one owner, so honest
  /// messages never own more than there is.
  void claim(Address address, std::uint64_t bytes, std::uint64_t alignment)
  {
    if (!contains(address, bytes)) lie("points outside of the sender's memory");
    if (address % alignment != 0) lie("points to what is not aligned");
    if (bytes > unpaid_) lie("leads in a circle, or to the same memory more than once");
    unpaid_ -= bytes;
    steps_ += std::min(bytes, steps_for_bytes_max) * steps_per_byte;
  }

  /// One value was looked at. Values by value are as many as their bytes allow, unless the
  /// description lets fields overlap without end.
  void step(std::uint64_t count = 1)
  {
    if (count > steps_) lie("has more values than bytes");
    steps_ -= count;
  }

 private:
  static constexpr std::uint64_t steps_per_byte = 64;
  static constexpr std::uint64_t steps_for_bytes_max = std::uint64_t{1} << 40;

  Address begin_;
  std::uint64_t bytes_;
  std::uint64_t unpaid_;
  std::uint64_t steps_ = 0;
};

}  // namespace agnocast::internal

// The area of another process, read through a descriptor.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "abi/area_layout.h"
#include "os/file.hpp"

namespace agnocast::internal {

class AreaFile
{
 public:
  /// Of the process with that name and id. Not open if it is gone, closed to us, or another's.
  AreaFile(const std::string& process, std::uint64_t process_id);

  explicit operator bool() const noexcept { return static_cast<bool>(file_); }
  [[nodiscard]] const agnocast_area_header& header() const noexcept { return header_; }

  /// A structure in the control part; nothing if it would not lie there whole and aligned.
  template <class T>
  [[nodiscard]] std::optional<T> read(std::uint64_t offset) const
  {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (offset % alignof(T) != 0 || !read_bytes(offset, &value, sizeof value)) return std::nullopt;
    return value;
  }
  [[nodiscard]] bool read_bytes(std::uint64_t offset, void* target, std::size_t bytes) const;
  [[nodiscard]] std::optional<agnocast_waiter> waiter(std::uint32_t index) const;

 private:
  os::Descriptor file_;
  agnocast_area_header header_{};
};

}  // namespace agnocast::internal

// The window: the range of addresses that every process of a domain sets aside, cut into slots.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.hpp"
#include "base/settings.hpp"

namespace agnocast::internal {

/// Invariant: while reserved, every page of the window is a slot's area, or inaccessible.
/// Not thread-safe: reserved once for a process, before other threads know of it.
class Window
{
 public:
  /// Sets the window aside. The failure names the mapping that is in the way, or the limit.
  static Result<Window> reserve(const WindowSetting& setting);

  [[nodiscard]] std::byte* slot_address(std::uint32_t slot) const noexcept
  {
    return reinterpret_cast<std::byte*>(setting_.base + slot * setting_.slot_bytes);
  }
  [[nodiscard]] std::uint64_t slot_bytes() const noexcept { return setting_.slot_bytes; }
  [[nodiscard]] const WindowSetting& setting() const noexcept { return setting_; }

 private:
  explicit Window(const WindowSetting& setting) : setting_(setting) {}
  WindowSetting setting_;
};

}  // namespace agnocast::internal

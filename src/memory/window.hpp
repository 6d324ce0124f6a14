// The window: the range of addresses that every process of a domain sets aside, cut into slots.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "abi/registry_layout.h"
#include "base/result.hpp"
#include "base/settings.hpp"

namespace agnocast::internal {

/// Invariant: while reserved, every page of the window is a slot's area, or inaccessible.
/// Not thread-safe: reserved once for a process, before other threads know of it.
class Window
{
 public:
  /// Whether it can be a window at all: whole pages, at least one slot that is large enough, no
  /// address that a process cannot have.
  static bool is_possible(const WindowSetting& setting) noexcept;
  /// Sets the window aside. The failure names the mapping that is in the way, or the limit.
  static Result<Window> reserve(const WindowSetting& setting);

  [[nodiscard]] std::byte* slot_address(std::uint32_t slot) const noexcept
  {
    return reinterpret_cast<std::byte*>(setting_.base + slot * setting_.slot_bytes);
  }
  [[nodiscard]] std::uint64_t slot_bytes() const noexcept { return setting_.slot_bytes; }
  /// How many processes fit.
  [[nodiscard]] std::uint32_t slots() const noexcept
  {
    const std::uint64_t whole = setting_.bytes / setting_.slot_bytes;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(whole, AGNOCAST_PROCESS_CAPACITY));
  }
  [[nodiscard]] const WindowSetting& setting() const noexcept { return setting_; }

 private:
  explicit Window(const WindowSetting& setting) : setting_(setting) {}
  WindowSetting setting_;
};

}  // namespace agnocast::internal

// For tests: one range of memory that all objects of a message lie in, as in a sender's area.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "agnocast/message_view.hpp"

namespace agnocast::internal {

/// While one is open, this thread's operator new takes from it, and frees nothing in it.
class TestArena
{
 public:
  explicit TestArena(std::size_t bytes);
  ~TestArena();
  TestArena(const TestArena&) = delete;
  TestArena& operator=(const TestArena&) = delete;

  void* allocate(std::size_t bytes, std::size_t alignment = 16);
  [[nodiscard]] bool holds(const void* address) const noexcept;
  [[nodiscard]] std::byte* begin() noexcept { return begin_; }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  /// What is used.
  [[nodiscard]] MemoryRange range() const noexcept { return {begin_, used_}; }

 private:
  std::byte* begin_;
  std::size_t bytes_;
  std::size_t used_ = 0;
};

/// Lets operator new take from the arena.
class ArenaScope
{
 public:
  explicit ArenaScope(TestArena& arena) noexcept;
  ~ArenaScope();
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;
};

}  // namespace agnocast::internal

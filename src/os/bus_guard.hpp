// Mappings of files that others can shorten. A page beyond the new end raises SIGBUS in whoever
// touches it; a handler puts zero pages in its place and marks the mapping broken, so that one
// process that cuts its own file does not end all who read it (decision 0013).
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

namespace agnocast::internal::os {

/// Puts the handler for SIGBUS in front of the one that is there, once for the process. What does
/// not lie in a guarded mapping goes on to the earlier one.
void install_bus_guard();

/// One mapping that the handler watches, from its construction to its destruction or release(),
/// which must come before the addresses are given back. Movable; not thread-safe but for
/// is_broken(). Beyond 4096 mappings a new one goes unwatched.
class BusGuard
{
 public:
  BusGuard() noexcept = default;
  BusGuard(const void* address, std::size_t bytes, bool writable) noexcept;
  BusGuard(BusGuard&& other) noexcept : place_(std::exchange(other.place_, -1)) {}
  BusGuard& operator=(BusGuard&& other) noexcept
  {
    std::swap(place_, other.place_);
    return *this;
  }
  ~BusGuard() { release(); }
  void release() noexcept;
  /// True once a page of the mapping was not there. It stays so.
  [[nodiscard]] bool is_broken() const noexcept;

 private:
  int place_ = -1;
};

}  // namespace agnocast::internal::os

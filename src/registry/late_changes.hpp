// Changes of the registry that must happen, but perhaps not now: no descriptor is free, another
// process has the lock.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <new>
#include <vector>

#include "base/log.hpp"

namespace agnocast::internal {

/// In the order in which they were asked for. `make` is called with all that are still to be made,
/// removes those it made, and says whether none is left; it may throw bad_alloc.
///
/// Thread safety: all functions from any thread; the lock is held while `make` runs.
template <class Change>
class LateChanges
{
 public:
  template <class Make>
  void add(const Change& change, const Make& make) noexcept
  {
    try {
      {
        const std::lock_guard lock(mutex_);
        changes_.push_back(change);
        has_any_ = true;
      }
      make_now(make);
    } catch (const std::bad_alloc&) {
      log_warning("no memory to change the registry");
    }
  }

  [[nodiscard]] bool is_empty() const noexcept { return !has_any_; }

  /// Tries again what is left; true if nothing is.
  template <class Make>
  bool settle(const Make& make) noexcept
  {
    try {
      return !has_any_ || make_now(make);
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

 private:
  template <class Make>
  bool make_now(const Make& make)
  {
    const std::lock_guard lock(mutex_);
    if (!changes_.empty() && !make(changes_)) return false;
    has_any_ = false;
    return true;
  }

  std::mutex mutex_;  ///< taken before those of the registry
  std::vector<Change> changes_;
  std::atomic<bool> has_any_{false};
};

}  // namespace agnocast::internal

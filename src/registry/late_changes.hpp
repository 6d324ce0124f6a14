// Changes of the registry that must happen, but perhaps not now: no descriptor is free, another
// process has the lock.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

#include "os/futex.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal {

/// In the order in which they were asked for. `make` is called without a lock of the list's but
/// one_at_a_time_; it takes what the registry wants to be changed under, and then calls each().
/// It says whether it could, and may throw bad_alloc.
///
/// Once somebody has waited in vain for another process, those who come after it only join the list
/// until settle() has made them: it waited for all.
///
/// Thread safety: all functions from any thread.
template <class Change>
class LateChanges
{
 public:
  /// Makes room for the changes of another endpoint, so that add() cannot fail. Throws bad_alloc.
  void expect_endpoint()
  {
    const std::lock_guard lock(mutex_);
    changes_.reserve(changes_.size() + changes_of_endpoint * (expected_ + 1));
    ++expected_;
  }
  /// That endpoint has not come, or has asked for its last change.
  void forget_endpoint() noexcept
  {
    const std::lock_guard lock(mutex_);
    --expected_;
  }

  template <class Make>
  void add(const Change& change, const Make& make) noexcept
  {
    {
      const std::lock_guard lock(mutex_);
      changes_.push_back(change);  // there is room
      has_any_ = true;
    }
    if (!is_stuck_) static_cast<void>(make_now(make, false));
  }

  [[nodiscard]] bool is_empty() const noexcept { return !has_any_; }

  /// Tries again what is left; true if nothing is.
  template <class Make>
  bool settle(const Make& make) noexcept
  {
    return !has_any_ || make_now(make, true);
  }

  /// For `make`, and for whoever has what it takes: \p make_one makes a change, or says that it
  /// cannot be made now.
  template <class MakeOne>
  bool each(const MakeOne& make_one) noexcept
  {
    const std::lock_guard lock(mutex_);
    std::size_t made = 0;
    while (made < changes_.size() && make_one(changes_[made])) ++made;
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(made));
    has_any_ = !changes_.empty();
    if (changes_.empty()) is_stuck_ = false;
    return changes_.empty();
  }

 private:
  static constexpr std::size_t changes_of_endpoint = 2;  // closed, removed
  static constexpr std::int64_t long_ns = 100'000'000;

  template <class Make>
  bool make_now(const Make& make, bool even_if_stuck) noexcept
  {
    const std::lock_guard one(one_at_a_time_);
    if (!has_any_) return true;  // who was before us made ours too
    if (is_stuck_ && !even_if_stuck) return false;
    bool could = false;
    const std::int64_t begin = os::monotonic_ns();
    try {
      could = make();
    } catch (const std::bad_alloc&) {
      // There may be memory later.
    }
    is_stuck_ = !could && has_any_ && os::monotonic_ns() - begin > long_ns;
    return could;
  }

  std::mutex one_at_a_time_;           ///< taken before the registry's and mutex_
  std::atomic<bool> is_stuck_{false};  ///< the last attempt waited in vain
  os::ShortLock mutex_;                ///< guards all below; taken after the registry's
  std::vector<Change> changes_;
  std::size_t expected_ = 0;  ///< endpoints that may ask for changes
  std::atomic<bool> has_any_{false};
};

}  // namespace agnocast::internal

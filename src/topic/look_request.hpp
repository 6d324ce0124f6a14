// When an end of a topic that finds its list out of date asks the control thread to look.
//
// Not at once: who came or went has announced it, so the thread is awake already, and to wake it is
// a system call that costs more than a whole publish. Announcements get lost (a full queue, none at
// all), so it is asked after a while, and again and again.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace agnocast::internal {

/// Thread safety: none, its owner has a lock.
class LookRequest
{
 public:
  static constexpr std::int64_t patience_ns = 5'000'000;
  static constexpr std::int64_t period_ns = 1'000'000'000;

  /// For an end whose list is out of date. True if the control thread must be asked now; at once,
  /// but only once, if it is urgent.
  [[nodiscard]] bool is_due(std::int64_t now_ns, bool is_urgent) noexcept
  {
    if (due_at_ns_ == 0) due_at_ns_ = now_ns + patience_ns;
    if (now_ns < due_at_ns_ && (!is_urgent || was_urgent_)) return false;
    was_urgent_ = was_urgent_ || is_urgent;
    due_at_ns_ = now_ns + period_ns;
    return true;
  }

  /// The list was made anew.
  void done() noexcept { *this = {}; }

 private:
  std::int64_t due_at_ns_ = 0;  ///< 0: the list has not been found out of date
  bool was_urgent_ = false;
};

}  // namespace agnocast::internal

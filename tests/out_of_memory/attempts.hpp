// One attempt for each allocation that something makes: in a process of its own, that one fails.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/agnocast.hpp>
#include <functional>
#include <string>

#include "out_of_memory/failing_malloc.hpp"
#include "support/process.hpp"

namespace agnocast::test {

/// Which allocation of a process fails, and what came of it.
class Attempt
{
 public:
  Attempt(int nth, HowMany how_many) noexcept : nth_(nth), how_many_(how_many) {}

  /// Runs \p action with failing allocations of this thread. True if it threw nothing; only errors
  /// of the library and std::bad_alloc may be thrown.
  bool run(const std::function<void()>& action);
  /// True once more allocations were made than the one that was to fail.
  [[nodiscard]] bool is_over() const noexcept { return counted_ < nth_; }
  [[nodiscard]] int nth() const noexcept { return nth_; }

 private:
  const int nth_;
  const HowMany how_many_;
  int counted_ = 0;
};

/// \p body in a new process for each allocation that its Attempt::run() makes, with that one
/// failing, and again with all that follow it.
void try_each_allocation(const std::function<void(Attempt&)>& body);
/// Only one of these.
void try_each_allocation(HowMany how_many, const std::function<void(Attempt&)>& body);

/// All works: a publisher and subscriptions of all kinds find each other on a topic of their own,
/// and each of five messages is received. Throws what is wrong.
void require_that_all_works(const std::shared_ptr<Node>& node);

}  // namespace agnocast::test

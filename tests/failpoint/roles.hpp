// What a victim does until it is ended, stopped, or done: one role for each part of the protocol.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "failpoint/partners.hpp"

namespace agnocast::test {

struct Role
{
  std::string name;
  /// Runs in the victim. It must come to its end if nobody ends it.
  void (*body)(Tally& tally, Channel& channel);
  /// Has a domain of its own, in which it is the first and the last.
  bool alone = false;
  /// Processes that are killed before the victim starts, so that it finds their remains.
  bool finds_remains = false;
  /// A process that the victim knows, and that is killed when it says so.
  bool has_mortal = false;
  /// A failpoint where the victim is stopped first, so that its partners overtake it.
  std::string stopped_first = {};
};

const std::vector<Role>& roles();

/// Joins, publishes on /mortal, says "ready" and stays.
void stay_until_killed(Channel& channel);

}  // namespace agnocast::test

// What is done to a doorbell, one's own or a peer's: to wake a sleeper, and to leave a hint.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "abi/area_layout.h"
#include "base/atomic.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

/// Wakes who sleeps on the word of that waiter, or is about to.
inline void ring_bell(agnocast_doorbell& doorbell, std::uint32_t waiter) noexcept
{
  std::uint32_t& word = doorbell.words[waiter];
  add_seq_cst(word, 1u);  // pairs with the loads in WaitSetCore::wait and wait_for_room()
  os::futex_wake_all(&word);
}

/// Says that what has this hint has something new; does nothing for 0 and what is no hint.
inline void leave_hint(agnocast_doorbell& doorbell, std::uint32_t hint) noexcept
{
  if (hint == 0 || hint > AGNOCAST_HINTS) return;
  std::uint64_t& word = doorbell.hints[(hint - 1) / AGNOCAST_HINTS_IN_WORD];
  const std::uint64_t bit = std::uint64_t{1} << (hint - 1) % AGNOCAST_HINTS_IN_WORD;
  // Pairs with the exchange in HintSet::collect. If the bit is set, that one is still to come, and
  // the look that follows it sees what was stored before this.
  if ((load_seq_cst(word) & bit) == 0) or_seq_cst(word, bit);
}

/// The same for all that have a hint, whoever gave it to them.
inline void leave_all_hints(agnocast_doorbell& doorbell) noexcept
{
  // Pairs with the exchange in HintSet::collect.
  for (std::uint64_t& word : doorbell.hints) store_seq_cst(word, ~std::uint64_t{0});
}

}  // namespace agnocast::internal

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/short_lock.hpp"

#include "os/futex.hpp"

namespace agnocast::internal::os {

void ShortLock::lock_contended() noexcept
{
  constexpr int spins = 2000;
  for (int i = 0;; ++i) {
    if (try_lock()) return;
    if (i < spins) {
      pause_spinning();
    } else {
      sleep_ns(20'000);
    }
  }
}

}  // namespace agnocast::internal::os

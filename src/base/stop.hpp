// The request to stop that shutdown() makes of all that waits in this process.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace agnocast::internal {

/// Set in a signal handler too. Who waits looks at it after it has said that it sleeps, and before
/// it does; who sets it wakes all sleepers afterwards.
inline std::atomic<bool> stop_requested{false};

}  // namespace agnocast::internal

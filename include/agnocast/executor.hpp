// Process start, spinning and shutdown.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "agnocast/export.hpp"
#include "agnocast/node.hpp"

namespace agnocast {

/// Makes SIGINT and SIGTERM call shutdown(), so that spin() returns; a second signal of the same
/// kind has its former effect again. Handlers that the program installed before are left alone
/// (then it is the program that calls shutdown()). Needed only for that; the arguments are there
/// for settings to come and are not changed. May be called again after shutdown().
AGNOCAST_PUBLIC void init(int argc = 0, char** argv = nullptr);

/// False after shutdown(), until init() is called again.
[[nodiscard]] AGNOCAST_PUBLIC bool ok() noexcept;

/// Makes every spin and WaitSet::wait() of the process return. Safe in a signal handler.
AGNOCAST_PUBLIC void shutdown() noexcept;

struct SpinOptions
{
  /// How long to look for messages in a loop before sleeping; costs a core, saves the wake-up.
  std::chrono::nanoseconds spin_for = std::chrono::nanoseconds::zero();
};

/// Runs the callbacks of the node's subscriptions in the calling thread until shutdown(). What a
/// callback throws leaves spin(). Keeps the node meanwhile. If several threads spin one node, its
/// callbacks run side by side, also one with itself.
AGNOCAST_PUBLIC void spin(const std::shared_ptr<Node>& node, const SpinOptions& options = {});

/// Runs the callbacks of all messages that are there now and returns; does not wait.
AGNOCAST_PUBLIC void spin_some(const std::shared_ptr<Node>& node);

/// Waits for a message for at most `timeout` (no value: until shutdown()), runs one callback.
/// False if there was none.
AGNOCAST_PUBLIC bool spin_once(const std::shared_ptr<Node>& node,
                               std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

}  // namespace agnocast

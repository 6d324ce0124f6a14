// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/failpoint.hpp"

#ifdef AGNOCAST_FAILPOINTS

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "base/check.hpp"

extern "C" {
// Set by the linker around the section.
extern const agnocast::internal::os::Failpoint __start_agnocast_failpoints[]
  __attribute__((visibility("hidden")));
extern const agnocast::internal::os::Failpoint __stop_agnocast_failpoints[]
  __attribute__((visibility("hidden")));
}

namespace agnocast::internal::os {

namespace {

std::atomic<FailpointWatch*> watching{nullptr};

}  // namespace

FailpointList failpoints() noexcept
{
  return {__start_agnocast_failpoints,
          static_cast<std::size_t>(__stop_agnocast_failpoints - __start_agnocast_failpoints)};
}

void watch_failpoints(FailpointWatch& watch) noexcept
{
  AGNOCAST_CHECK(failpoints().count <= watch.reached.size());
  watching.store(&watch);
}

void reach(const Failpoint& failpoint) noexcept
{
  FailpointWatch* const watch = watching.load();
  if (watch == nullptr) return;
  const std::size_t index = static_cast<std::size_t>(&failpoint - failpoints().first);
  const std::uint32_t nth = watch->reached[index].fetch_add(1) + 1;
  if (index == watch->armed && nth == watch->nth) ::kill(::getpid(), watch->signal);
}

}  // namespace agnocast::internal::os

#endif

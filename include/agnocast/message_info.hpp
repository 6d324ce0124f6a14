// What is known of a received message beside its content.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace agnocast {

struct MessageInfo
{
  std::uint64_t sequence = 0;  ///< 1 for the first message of its publisher
  std::uint64_t publish_time_ns =
    0;  ///< this process's CLOCK_MONOTONIC at publish, as the publisher says
  std::uint64_t publisher_id = 0;  ///< unique in the domain, never used twice
};

}  // namespace agnocast

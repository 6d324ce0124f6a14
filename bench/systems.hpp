// The systems that can be compared.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harness/pair.hpp"

namespace bench {

/// Those of `wanted` (all if empty) whose programs are there, limits of the machine first. What is
/// missing is said on standard output. Throws Failure for a name that is not known.
std::vector<System> find_systems(const std::vector<std::string>& wanted, std::size_t biggest_bytes);

}  // namespace bench

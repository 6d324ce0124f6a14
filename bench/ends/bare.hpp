// The ends that use nothing but the machine.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "harness/serve.hpp"

namespace bench {

/// Serves as one end of cacheline, memcpy, inplace, futex or eventfd.
int run_bare_end(const std::string& system, const EndArguments& arguments);

}  // namespace bench

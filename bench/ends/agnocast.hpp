// The ends that use agnocast.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/scale_serve.hpp"
#include "harness/serve.hpp"

namespace bench {

int run_agnocast_end(const EndArguments& arguments);
int run_agnocast_scale_end(const ScaleArguments& arguments);

}  // namespace bench

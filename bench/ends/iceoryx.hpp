// The processes of a scale sweep with iceoryx 2.0.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/scale_serve.hpp"

namespace bench {

/// The runtime of this process is there before.
int run_iceoryx_scale_end(const ScaleArguments& arguments);

}  // namespace bench

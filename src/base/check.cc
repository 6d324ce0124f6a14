// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace agnocast::internal {

void check_failed(const char* expression, const char* file, int line) noexcept
{
  std::fprintf(stderr, "agnocast: internal error: %s does not hold (%s:%d)\n", expression, file,
               line);
  std::abort();
}

}  // namespace agnocast::internal

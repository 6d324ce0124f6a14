// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <cstdio>

namespace agnocast::internal {

void log_warning(const std::string& text) noexcept
{
  std::fprintf(stderr, "agnocast: %s\n", text.c_str());
}

}  // namespace agnocast::internal

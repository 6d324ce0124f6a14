// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <cstdio>

namespace agnocast::internal {

void log_warning(std::string_view text) noexcept
{
  std::fprintf(stderr, "agnocast: %.*s\n", static_cast<int>(text.size()), text.data());
}

}  // namespace agnocast::internal

// Checks for bugs and corruption of our own state. They are always on: a violated invariant stops
// the process at once, with the values, rather than letting it hand out memory it does not own.
// Nothing that a user or a peer process can cause may end in a check; see error.hpp for those.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

namespace agnocast::internal {

[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace agnocast::internal

#define AGNOCAST_CHECK(expression)                    \
  (__builtin_expect(static_cast<bool>(expression), 1) \
     ? static_cast<void>(0)                           \
     : ::agnocast::internal::check_failed(#expression, __FILE__, __LINE__))

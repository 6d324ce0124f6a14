// Memory that was used once stays with the process.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <malloc.h>

#include <climits>

namespace bench {

/// For peers that allocate a buffer for each message. By default glibc takes big ones from the
/// kernel and gives them back, and every page of every message is then a fault. To be called before
/// there is a second thread.
inline void keep_freed_memory()
{
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 1 << 26);
  mallopt(M_ARENA_MAX, 1);
}

}  // namespace bench

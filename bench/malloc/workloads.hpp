// What an allocator is made to do, and what was seen meanwhile. Knows nothing of agnocast:
// whichever malloc the process has is the one that is measured. Copyright the Agnocast C++ authors.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace bench {

struct HeapCase
{
  std::string workload;     ///< churn, vector, handover, mixed, calls, no-calls
  unsigned threads = 1;     ///< handover: pairs of threads
  std::size_t live = 0;     ///< blocks alive at any time, of each thread
  std::size_t bytes = 0;    ///< largest block, or the size of a vector
  std::uint64_t count = 0;  ///< operations of each thread
};

/// Figures by name, as they are called in the results.
using HeapFigures = std::map<std::string, double>;

/// Throws Failure if there is no such workload.
HeapFigures run_heap_case(const HeapCase& heap_case);

HeapFigures measure_churn(const HeapCase& heap_case);
HeapFigures measure_vectors(const HeapCase& heap_case);
HeapFigures measure_handover(const HeapCase& heap_case);
HeapFigures measure_mixed(const HeapCase& heap_case);
HeapFigures measure_calls(const HeapCase& heap_case, bool with_calls);

}  // namespace bench

// A malloc that fails when it is told to. It stands behind the library's own, where that looks for
// the next one, so it sees all that is allocated in private memory.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

namespace agnocast::test {

enum class WhoseAllocations { of_this_thread, of_the_librarys_threads };
enum class HowMany { one, all_from_there };

/// From now on the `nth` allocation, counted from 1, fails, and with all_from_there those after it.
void fail_allocations(WhoseAllocations whose, int nth, HowMany how_many) noexcept;
/// Ends that. How many allocations were counted.
int stop_failing() noexcept;

}  // namespace agnocast::test

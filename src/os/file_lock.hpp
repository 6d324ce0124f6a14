// A lock between processes that the kernel drops when its holder dies.
//
// It is a classic record lock on the first byte of a file: the process's, not inherited by fork,
// and dropped when the process closes any descriptor of that file. So the file must be one that
// nothing else opens.
//
// Who waits takes a place: a record lock on a byte further on, behind all places that are taken.
// Who stands behind others leaves them the lock, and who comes back takes a new place: nobody waits
// for more than those who stood before him. Places are a courtesy and guard nothing. So one who is
// stopped in his place holds the others up for a moment only.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <functional>

namespace agnocast::internal::os {

/// failed: errno says why. kept: for 10 s nobody in line has had it, or it took a minute.
enum class LockOutcome { locked, not_needed, kept, failed };

/// Waits for the lock of the file, open for writing, unless `is_needed` (if there is one) says that
/// it is not any more. One thread of a process at a time. Closing the file gives the lock back.
LockOutcome lock_file(int fd, const std::function<bool()>& is_needed = {});
/// Which other process has the lock; 0 if none has it, or that cannot be known.
pid_t lock_holder(int fd);

}  // namespace agnocast::internal::os

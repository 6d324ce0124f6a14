// What a process that hangs waits for, as text.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <vector>

namespace agnocast::test {

/// Writes the state of each thread of the process as the kernel tells it (name, state, system call,
/// where it sleeps, kernel stack), and its stack if there is a gdb. The process is stopped for
/// that, at most for 30 s, and goes on afterwards.
void print_stacks(pid_t process, std::FILE* to);

/// The process, its children, their children, and so on.
std::vector<pid_t> descendants_of(pid_t process);

}  // namespace agnocast::test

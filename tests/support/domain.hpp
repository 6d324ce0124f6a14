// A look at a domain from outside, without joining it: its registry, and its objects in /dev/shm
// and among the message queues.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace agnocast::test {

/// The processes in the registry of \p domain that are live records; none if there is no registry.
std::vector<pid_t> registered_processes(std::uint32_t domain);

/// The first way in which the registry of \p domain is not as registry_layout.h says, or holds what
/// is not of a process in \p live; empty if there is none, also if there is no registry.
std::string registry_fault(std::uint32_t domain, const std::vector<pid_t>& live);

/// Areas that say they are of \p domain, and areas, doorbells and queues of \p processes, but for
/// those of a process in \p live and those that are older than \p since (numbers of processes come
/// again, and others may have left something under them): one name to a line.
std::string remains_in(std::uint32_t domain, const std::vector<pid_t>& processes,
                       const std::vector<pid_t>& live, time_t since);

}  // namespace agnocast::test

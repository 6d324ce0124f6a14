// Which file is the registry of a domain.
//
// Usually the one that has the domain's name. In /dev/shm only its owner, or root, can remove a
// file; so when all processes of another user's domain died, its registry stays, and this user may
// not even look into it. Then it is passed over: this user's first process makes one named
// "<registry>@<user id>", and all who come later find that somebody lives in that one.
//
// What cannot be read is judged by the areas of its owner: their names say which process made
// them. A process in another pid namespace is not seen then; but its domain is closed to this user.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/settings.hpp"

namespace agnocast::internal {

/// The names of the registries of a domain, or of their locks, that are there: the domain's own
/// first.
std::vector<std::string> registry_files(std::uint32_t domain);
/// Of all domains, as names without the slash.
std::vector<std::uint32_t> domains_with_files();
/// Whether a process lives that is in the registry of that name, or perhaps is.
[[nodiscard]] bool is_inhabited(const std::string& registry);
/// The registry that a process with these settings joins or makes.
std::string registry_to_join(const Settings& settings);
/// The registry to look at; empty if there is none, or only those of others in which nobody lives.
std::string registry_to_read(std::uint32_t domain);
/// True if the area is another user's, cannot be read, and there is no process of that number.
[[nodiscard]] bool is_left_by_another_user(const std::string& process);

}  // namespace agnocast::internal

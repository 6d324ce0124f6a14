// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "systems.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "harness/serve.hpp"

namespace bench {
namespace {

std::filesystem::path own_program()
{
  return std::filesystem::read_symlink("/proc/self/exe");
}

/// What is built into this program.
System own(const std::string& name, bool is_limit)
{
  System system;
  system.name = name;
  system.program = own_program();
  system.first_arguments = {"end", "--system", name};
  system.is_limit = is_limit;
  return system;
}

System agnocast(std::size_t biggest_bytes)
{
  constexpr std::size_t spare_bytes = 64UL << 20;
  System system = own("agnocast", false);
  // A domain of its own, and memory enough for what is under way at once.
  system.settings = {
    "AGNOCAST_DOMAIN_ID=" + std::to_string(900 + getpid() % 90),
    "AGNOCAST_MEMPOOL_SIZE=" + std::to_string((batch + 4) * biggest_bytes + spare_bytes)};
  system.scales = true;
  system.first_scale_arguments = {"end", "--system", "agnocast"};
  // Many processes, none of which needs much.
  system.scale_settings = {system.settings[0], "AGNOCAST_MEMPOOL_SIZE=4000000"};
  return system;
}

/// A program of its own beside this one, since it links a library of its own.
System peer(const std::string& name)
{
  System system;
  system.name = name;
  system.program = own_program().parent_path() / ("agnocast-bench-" + name);
  system.scales = name == "zeromq";
  return system;
}

}  // namespace

std::vector<System> find_systems(const std::vector<std::string>& wanted, std::size_t biggest_bytes)
{
  const std::vector<System> all{own("cacheline", true), own("memcpy", true),     own("futex", true),
                                own("eventfd", true),   agnocast(biggest_bytes), peer("iceoryx"),
                                peer("iceoryx2"),       peer("cyclonedds"),      peer("fastdds"),
                                peer("zeromq")};
  for (const std::string& name : wanted) {
    if (std::none_of(all.begin(), all.end(), [&](const System& s) { return s.name == name; })) {
      throw Failure("no such system: " + name);
    }
  }
  std::vector<System> found;
  for (const System& system : all) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), system.name) == wanted.end()) {
      continue;
    }
    if (access(system.program.c_str(), X_OK) != 0) {
      std::printf("%s is left out: there is no %s; scripts/bench builds it where it can\n",
                  system.name.c_str(), system.program.c_str());
      continue;
    }
    found.push_back(system);
  }
  return found;
}

}  // namespace bench

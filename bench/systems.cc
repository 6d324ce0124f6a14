// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "systems.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
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
  system.scales = name == "zeromq" || name == "iceoryx2";
  return system;
}

/// What RouDi reads at its start. A loan is served from the smallest pool that fits: one for each
/// size that is measured by default, with what a cloud needs beside its floats.
std::string roudi_settings(std::size_t biggest_bytes)
{
  constexpr std::size_t spare_bytes = 512;
  constexpr std::size_t usual_bytes[] = {64, 4096, 65'536, 1UL << 20, 16UL << 20};
  // Both directions: loans ahead, the one that is sent, the one in the receiver's hands, and the
  // last one, which iceoryx keeps to use it again. Scale sweeps fill the queues of many topics.
  constexpr std::size_t few = 2 * (batch + 3);
  const auto count = [](std::size_t bytes) -> std::size_t {
    return bytes == 64 ? 10'000 : bytes <= 1UL << 20 ? 64 : few;
  };
  std::string text = "[general]\nversion = 1\n[[segment]]\n";
  const auto add_pool = [&](std::size_t bytes) {
    text += "[[segment.mempool]]\nsize = " + std::to_string((bytes + spare_bytes + 63) / 64 * 64) +
            "\ncount = " + std::to_string(count(bytes)) + "\n";
  };
  for (const std::size_t bytes : usual_bytes) {
    if (bytes < biggest_bytes) add_pool(bytes);
  }
  add_pool(biggest_bytes);
  return text;
}

/// A file without a name, which lives as long as this program; returns a path that leads to it.
std::string nameless_file(const std::string& text)
{
  const int fd = memfd_create("agnocast-bench-settings", 0);
  if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw Failure(std::string("cannot write settings: ") + std::strerror(errno));
  }
  return "/proc/self/fd/" + std::to_string(fd);
}

System iceoryx(std::size_t biggest_bytes)
{
  System system = peer("iceoryx");
  if (access(system.program.c_str(), X_OK) != 0) return system;
  // RouDi is to end, and to remove its shared memory, even if this program is killed. Without
  // monitoring it has nothing to do while messages pass. Only one can run on a machine: if there
  // is one already, this one says so and ends.
  system.daemon = {"setpriv",
                   "--pdeathsig",
                   "TERM",
                   "iox-roudi",
                   "--log-level",
                   "error",
                   "--monitoring-mode",
                   "off",
                   "--config-file",
                   nameless_file(roudi_settings(biggest_bytes))};
  system.daemon_ready_line = "RouDi is ready for clients";
  system.scales = true;
  return system;
}

}  // namespace

std::vector<System> find_systems(const std::vector<std::string>& wanted, std::size_t biggest_bytes)
{
  const std::vector<System> all{
    own("cacheline", true), own("memcpy", true),     own("inplace", true),   own("futex", true),
    own("eventfd", true),   agnocast(biggest_bytes), iceoryx(biggest_bytes), peer("iceoryx2"),
    peer("cyclonedds"),     peer("fastdds"),         peer("zeromq")};
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

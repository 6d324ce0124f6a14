// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "support/domain.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>

#include "abi/area_layout.h"
#include "abi/registry_layout.h"
#include "ledger/ledger.h"

namespace agnocast::test {

namespace {

bool contains(const std::vector<pid_t>& processes, pid_t pid)
{
  return std::find(processes.begin(), processes.end(), pid) != processes.end();
}

// Whose number an unrelated process may have by now.
bool is_gone(pid_t pid)
{
  return ::kill(pid, 0) != 0 && errno == ESRCH;
}

// A copy, so that it does not change while it is looked at. Taken under the registry's lock: the
// test process is in no domain, so it cannot drop one of its own by closing the file.
std::unique_ptr<agnocast_registry> copy_of_registry(std::uint32_t domain)
{
  const std::string path =
    "/dev/shm/agnocast_registry" + (domain == 0 ? "" : "." + std::to_string(domain));
  const int lock_fd = ::open((path + ".lock").c_str(), O_RDWR | O_CLOEXEC);
  if (lock_fd < 0) return nullptr;
  struct flock first_byte = {};
  first_byte.l_type = F_WRLCK;
  first_byte.l_len = 1;
  auto copy = std::make_unique<agnocast_registry>();
  const bool locked = ::fcntl(lock_fd, F_SETLKW, &first_byte) == 0;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool read = locked && fd >= 0 &&
                    ::pread(fd, copy.get(), sizeof *copy, 0) == static_cast<ssize_t>(sizeof *copy);
  if (fd >= 0) ::close(fd);
  ::close(lock_fd);
  return read ? std::move(copy) : nullptr;
}

}  // namespace

std::vector<pid_t> registered_processes(std::uint32_t domain)
{
  std::vector<pid_t> found;
  const auto registry = copy_of_registry(domain);
  if (!registry) return found;
  for (std::uint32_t i = 0; i < registry->header.processes_end; ++i) {
    if (registry->processes[i].state == AGNOCAST_LIVE) found.push_back(registry->processes[i].pid);
  }
  return found;
}

std::string registry_fault(std::uint32_t domain, const std::vector<pid_t>& live)
{
  const auto registry = copy_of_registry(domain);
  if (!registry) return {};
  agnocast_ledger ledger = {};
  ledger.pages = reinterpret_cast<const std::uint8_t*>(registry.get());
  if (const char* fault = agnocast_ledger_audit(&ledger)) return fault;
  for (std::uint32_t i = 0; i < registry->header.processes_end; ++i) {
    const agnocast_process_record& process = registry->processes[i];
    if (process.state != AGNOCAST_FREE && !contains(live, process.pid)) {
      return "process " + std::to_string(process.pid) + " in slot " + std::to_string(i) +
             " is registered and not alive";
    }
  }
  return {};
}

std::string remains_in(std::uint32_t domain, const std::vector<pid_t>& processes,
                       const std::vector<pid_t>& live, time_t since)
{
  std::set<std::string> found;
  const std::set<pid_t> ours(processes.begin(), processes.end());
  for (const char* folder : {"/dev/shm", "/dev/mqueue"}) {
    DIR* entries = ::opendir(folder);
    while (const dirent* entry = entries != nullptr ? ::readdir(entries) : nullptr) {
      const std::string name = entry->d_name;
      const std::size_t at = name.find('@');
      if (at == std::string::npos) continue;
      const auto pid = static_cast<pid_t>(std::strtol(name.c_str() + at + 1, nullptr, 10));
      if (contains(live, pid)) continue;
      const std::string path = std::string(folder) + "/" + name;
      bool is_ours = ours.count(pid) != 0 && is_gone(pid);
      agnocast_area_header header = {};
      if (const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC); !is_ours && fd >= 0) {
        is_ours = name.rfind("agnocast@", 0) == 0 &&
                  ::pread(fd, &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
                  header.magic == AGNOCAST_AREA_MAGIC && header.domain == domain;
        ::close(fd);
      }
      struct stat status = {};
      is_ours = is_ours && ::stat(path.c_str(), &status) == 0 && status.st_ctime >= since;
      if (is_ours) found.insert(path);
    }
    if (entries != nullptr) ::closedir(entries);
  }
  // Where /dev/mqueue is not mounted.
  for (const pid_t pid : ours) {
    const std::string queue = "/new_publisher@" + std::to_string(pid);
    const mqd_t got =
      contains(live, pid) || !is_gone(pid) ? -1 : ::mq_open(queue.c_str(), O_RDONLY);
    if (got < 0) continue;
    struct stat status = {};
    const bool is_new = ::fstat(got, &status) == 0 && status.st_ctime >= since;
    ::mq_close(got);
    if (is_new) found.insert("queue " + queue);
  }
  std::string text;
  for (const std::string& name : found) text += name + "\n";
  return text;
}

}  // namespace agnocast::test

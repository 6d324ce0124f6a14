// What the library needs of the machine and the shell it runs in.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include "abi/area_layout.h"
#include "agnocast/error.hpp"
#include "agnocast/introspection.hpp"
#include "base/settings.hpp"
#include "introspection/logind.hpp"
#include "memory/names.hpp"
#include "memory/peer.hpp"
#include "os/file.hpp"
#include "os/map.hpp"
#include "os/process.hpp"
#include "os/queue.hpp"
#include "registry/host.hpp"
#include "registry/registry_files.hpp"

namespace agnocast {
namespace {

std::string megabytes(std::uint64_t bytes)
{
  return std::to_string(bytes / 1'000'000) + " MB";
}

/// 0 if the file is not there.
std::uint64_t number_in(const char* path)
{
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return number;
}

rlim_t limit_of(int resource)
{
  rlimit limit{};
  return ::getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0 ? limit.rlim_cur
                                                                            : RLIM_INFINITY;
}

class Examination
{
 public:
  std::vector<Finding> run()
  {
    auto settings = internal::read_settings();
    if (!settings) {
      add(Health::failure, "settings", settings.failure().text, "correct the variable");
      return std::move(findings_);
    }
    settings_ = *settings;
    examine_shared_memory();
    examine_addresses();
    examine_limits();
    examine_queues();
    examine_leftovers();
    examine_logind();
    examine_registry();
    examine_kernel();
    return std::move(findings_);
  }

 private:
  void add(Health health, std::string subject, std::string text, std::string remedy = {})
  {
    findings_.push_back({health, std::move(subject), std::move(text), std::move(remedy)});
  }

  void examine_shared_memory()
  {
    const auto space = internal::os::shared_space();
    if (!space) {
      add(Health::failure, "/dev/shm", "there is no shared memory file system",
          "mount -t tmpfs tmpfs /dev/shm");
      return;
    }
    const std::string text =
      megabytes(space->free) + " of " + megabytes(space->total) + " are free";
    const std::uint64_t needed = settings_.mempool_bytes;
    if (space->free < needed) {
      add(
        Health::failure, "/dev/shm",
        text + ", an area begins with " + megabytes(needed) + " (" + settings_.mempool_source + ")",
        "mount -o remount,size=<size> /dev/shm, or set AGNOCAST_MEMPOOL_SIZE");
    } else if (space->free < 4 * needed) {
      add(Health::warning, "/dev/shm",
          text + ": room for " + std::to_string(space->free / needed) + " processes with " +
            megabytes(needed) + " each",
          "mount -o remount,size=<size> /dev/shm");
    } else {
      add(Health::fine, "/dev/shm", text);
    }
  }

  void examine_addresses()
  {
    const auto window = settings_.window.value_or(internal::default_window);
    const auto* const base = reinterpret_cast<const void*>(window.base);
    const std::string in_the_way = internal::os::mapping_in_the_way(base, window.bytes);
    const std::string text = std::to_string(window.bytes >> 30) + " GiB, " +
                             std::to_string(window.bytes / window.slot_bytes) + " slots of " +
                             std::to_string(window.slot_bytes >> 30) + " GiB";
    if (in_the_way.empty()) {
      add(Health::fine, "window", text);
    } else {
      add(Health::failure, "window", text + "; in the way is " + in_the_way,
          "set AGNOCAST_WINDOW=<base>:<size>:<slot size> for all processes of the domain");
    }
    const rlim_t addresses = limit_of(RLIMIT_AS);
    if (addresses != RLIM_INFINITY && addresses < window.bytes) {
      add(Health::failure, "ulimit -v",
          "allows " + megabytes(addresses) + " of addresses, the window takes " +
            megabytes(window.bytes),
          "ulimit -v unlimited, or a smaller AGNOCAST_WINDOW");
    }
  }

  void examine_limits()
  {
    constexpr rlim_t files_usual = 256;
    const rlim_t files = limit_of(RLIMIT_NOFILE);
    if (files < files_usual) {
      add(Health::warning, "ulimit -n",
          std::to_string(files) + " open files; each peer takes one, and a few while it is mapped",
          "ulimit -n 1024");
    } else {
      add(Health::fine, "ulimit -n", std::to_string(files) + " open files");
    }
    if (internal::os::file_size_limit() < settings_.mempool_bytes) {
      add(Health::failure, "ulimit -f", "files, and so areas, may not be as large as needed",
          "ulimit -f unlimited");
    }
  }

  void examine_queues()
  {
    if (::access("/proc/sys/fs/mqueue", F_OK) != 0) {
      add(
        Health::warning, "queues",
        "this kernel has no message queues: who subscribes notices a new publisher a moment later",
        "a kernel with CONFIG_POSIX_MQUEUE");
      return;
    }
    constexpr rlim_t queue_bytes = 16'384;
    const std::uint64_t count = number_in("/proc/sys/fs/mqueue/queues_max");
    const rlim_t bytes = limit_of(RLIMIT_MSGQUEUE);
    const std::string text = std::to_string(count) + " in all, one for each process";
    if (bytes != RLIM_INFINITY && bytes < queue_bytes) {
      add(Health::warning, "queues", "ulimit -q allows " + std::to_string(bytes) + " bytes",
          "ulimit -q 819200");
    } else {
      add(Health::fine, "queues", text);
    }
  }

  void examine_leftovers()
  {
    const std::vector<std::string> leftovers = find_leftovers();
    if (leftovers.empty()) {
      add(Health::fine, "leftovers", "none");
      return;
    }
    std::string text = std::to_string(leftovers.size()) + " objects of dead processes:";
    for (std::size_t i = 0; i < leftovers.size() && i < 5; ++i) text += " " + leftovers[i];
    if (leftovers.size() > 5) text += " …";
    add(
      Health::notice, "leftovers", text,
      "agnocast clean; the next process that joins does it too, but another user's stay until that "
      "user or root does either");
  }

  void examine_logind()
  {
    if (!internal::is_subject_to_logind()) return;
    if (!internal::logind_removes_ipc("")) {
      add(Health::fine, "logind", "leaves files in /dev/shm alone (RemoveIPC=no)");
      return;
    }
    add(Health::warning, "logind",
        "removes all files of this user in /dev/shm at the end of the user's last session, also "
        "those of processes that run on (RemoveIPC=yes)",
        "RemoveIPC=no in /etc/systemd/logind.conf, or 'loginctl enable-linger', or run as a system "
        "user");
  }

  void examine_registry()
  {
    const std::string subject = "domain " + std::to_string(settings_.domain);
    try {
      const DomainSnapshot snapshot = DomainView(settings_.domain).snapshot();
      const auto alive = std::count_if(snapshot.processes.begin(), snapshot.processes.end(),
                                       [](const ProcessInfo& process) { return process.is_alive; });
      add(Health::fine, subject,
          std::to_string(alive) + " processes, " + std::to_string(snapshot.topics.size()) +
            " topics, " + std::to_string(snapshot.endpoints.size()) + " endpoints");
      for (const std::string& problem : snapshot.problems) add(Health::warning, subject, problem);
    } catch (const Error& error) {
      add(Health::failure, subject, error.what());
    }
  }

  void examine_kernel()
  {
    const bool has_pidfd =
      static_cast<bool>(internal::os::watch_process(internal::os::process_id()));
    add(has_pidfd ? Health::fine : Health::notice, "deaths",
        has_pidfd ? "are told by the kernel (pidfd)"
                  : "are looked for every 50 ms: this kernel has no pidfd");
    bool is_there = false;
    const auto obstacle = internal::kernel_obstacle(is_there);
    if (!obstacle) {
      add(Health::fine, "kernel module",
          settings_.registry == internal::Settings::Host::user
            ? "is loaded, and not used because of AGNOCAST_REGISTRY=user"
            : "is loaded and keeps the registry");
    } else if (settings_.registry == internal::Settings::Host::kernel) {
      add(Health::failure, "kernel module", obstacle->text);
    } else if (is_there) {
      add(Health::warning, "kernel module", obstacle->text,
          "processes that may use it are not seen by those that may not: set "
          "AGNOCAST_REGISTRY=user everywhere, or let all use it");
    } else {
      add(Health::fine, "kernel module", "not loaded, and not needed");
    }
    add(Health::fine, "layout", "version " + std::to_string(AGNOCAST_ABI_VERSION));
  }

  internal::Settings settings_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<std::string> find_leftovers()
{
  std::vector<std::string> found;
  for (const std::string& file : internal::os::list_shared(internal::area_prefix)) {
    const std::string process = file.substr(std::strlen(internal::area_prefix));
    if (internal::examine_area(process).state != internal::Remains::dead &&
        !internal::is_left_by_another_user(process)) {
      continue;
    }
    found.push_back("/dev/shm/" + file);
    if (internal::os::shared_exists(internal::doorbell_name(process))) {
      found.push_back("/dev/shm" + internal::doorbell_name(process));
    }
    if (internal::os::queue_exists(internal::queue_name(process))) {
      found.push_back("/dev/mqueue" + internal::queue_name(process));
    }
  }
  for (const std::uint32_t domain : DomainView::domains()) {
    for (const std::string& registry : internal::registry_files(domain)) {
      if (internal::is_inhabited(registry)) continue;
      for (const std::string& name : {registry, internal::registry_lock_name(registry)}) {
        if (internal::os::shared_exists(name)) found.push_back("/dev/shm" + name);
      }
    }
  }
  return found;
}

std::vector<Finding> examine_machine()
{
  return Examination().run();
}

}  // namespace agnocast

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/area_claim.hpp"

#include <fcntl.h>

#include <cerrno>

#include "abi/area_layout.h"
#include "memory/area.hpp"
#include "os/failpoint.hpp"
#include "os/process.hpp"
#include "os/queue.hpp"

namespace agnocast::internal {

namespace {

/// The lock of a file that has a name.
bool own_named(const os::Descriptor& file)
{
  if (!file || !os::mark_as_made(file.get())) return false;
  const auto status = os::status_of(file.get());
  return status && status->links != 0;
}

void unlink_if_same(const os::Descriptor& file, const std::string& name)
{
  const auto status = os::status_of(file.get());
  const auto named = os::status_of_shared(name);
  if (status && named && status->inode == named->inode) os::unlink_shared(name);
}

}  // namespace

Result<AreaClaim> AreaClaim::take(const Permissions& permissions)
{
  const std::string pid = std::to_string(os::process_id());
  for (int suffix = 0; suffix < 1000; ++suffix) {
    const std::string process = suffix == 0 ? pid : pid + "." + std::to_string(suffix);
    const std::string name = area_name(process);
    os::Descriptor file = os::open_shared(name, O_RDWR | O_CREAT | O_EXCL, permissions.area);
    if (!file && errno == EEXIST) continue;
    if (!file) return shared_memory_failure(name, errno);
    AGNOCAST_FAILPOINT("area.created");
    if (!own_named(file)) {
      // Somebody has swept it away before we had its lock, or keeps that lock.
      unlink_if_same(file, name);
      continue;
    }
    AGNOCAST_FAILPOINT("area.claimed");
    AreaClaim claim(process, std::move(file));
    os::unlink_queue(queue_name(process));
    os::unlink_shared(doorbell_name(process));
    // Another user's stay: in a sticky folder only its owner removes a file.
    if (os::shared_exists(doorbell_name(process)) || os::queue_exists(queue_name(process))) {
      continue;
    }
    return claim;
  }
  return Failure{FailureKind::resource,
                 "all names /dev/shm/agnocast@" + pid + "[.n] are taken; remove the stale ones"};
}

AreaClaim::~AreaClaim()
{
  if (file_) os::unlink_shared(area_name(process_));
}

os::Descriptor unlink_objects(const std::string& process, std::uint64_t process_id)
{
  os::Descriptor file = os::open_shared(area_name(process), O_RDONLY);
  if (!own_named(file)) return {};
  agnocast_area_header header = {};
  if (os::read_at(file.get(), &header, sizeof header, 0) == sizeof header &&
      header.magic == AGNOCAST_AREA_MAGIC && header.process_id != 0 &&
      header.process_id != process_id) {
    return {};
  }
  AGNOCAST_FAILPOINT("clean.begin");
  os::unlink_queue(queue_name(process));
  AGNOCAST_FAILPOINT("clean.queue_unlinked");
  os::unlink_shared(doorbell_name(process));
  AGNOCAST_FAILPOINT("clean.doorbell_unlinked");
  os::unlink_shared(area_name(process));  // last: the sweep finds what is left by it
  AGNOCAST_FAILPOINT("clean.area_unlinked");
  return file;
}

}  // namespace agnocast::internal

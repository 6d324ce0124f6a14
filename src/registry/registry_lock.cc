// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/registry_lock.hpp"

#include <fcntl.h>

#include <cerrno>

#include "base/log.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"

namespace agnocast::internal {

bool may_be_half_made(const std::string& name)
{
  const auto status = os::status_of_shared(name);
  // Right by now, gone again, or this user's and therefore to be right soon.
  return status ? status->uid == os::effective_user() : errno == ENOENT;
}

/// False with errno; ENOENT also if it went again meanwhile.
bool RegistryLock::open(const Permissions& permissions, bool create)
{
  is_fresh_ = false;
  file_ = os::open_shared(name_, O_RDWR);
  if (file_) return true;
  if (errno != ENOENT || !create) return false;
  file_ = os::open_shared(name_, O_RDWR | O_CREAT | O_EXCL, permissions.shared);
  if (!file_ && errno == EEXIST) {
    file_ = os::open_shared(name_, O_RDWR);
    return static_cast<bool>(file_);
  }
  if (!file_) return false;
  is_fresh_ = true;
  AGNOCAST_FAILPOINT("registry.lock_created");
  if (!permissions.apply(file_.get(), permissions.shared)) {
    log_warning("the group of " + name_ + " cannot be set: " + os::error_text(errno));
  }
  return true;
}

os::LockOutcome RegistryLock::take(const std::string& registry, const Permissions& permissions,
                                   bool create, const std::function<bool()>& is_needed)
{
  name_ = registry_lock_name(registry);
  int patience = 200;
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    if (!open(permissions, create || os::shared_exists(registry))) {
      error_ = errno;
      if (error_ == ENOENT && create && attempt < 100) continue;
      if (error_ == EACCES && may_be_half_made(name_) && patience-- > 0) {
        os::sleep_ns(1'000'000);
        continue;
      }
      return os::LockOutcome::failed;
    }
    AGNOCAST_FAILPOINT("registry.before_lock");
    const os::LockOutcome outcome = os::lock_file(file_.get(), is_needed);
    error_ = errno;
    if (outcome == os::LockOutcome::kept) holder_ = os::lock_holder(file_.get());
    if (outcome != os::LockOutcome::locked) {
      file_ = os::Descriptor();
      return outcome;
    }
    AGNOCAST_FAILPOINT("registry.locked");
    const auto status = os::status_of(file_.get());
    if (status && status->links != 0) return outcome;
    // Its last process removed it between our open and our lock: that was no lock at all.
    file_ = os::Descriptor();
  }
  error_ = ETIMEDOUT;
  return os::LockOutcome::failed;
}

std::optional<os::FileStatus> RegistryLock::status() const
{
  return os::status_of(file_.get());
}

void RegistryLock::remove() noexcept
{
  os::unlink_shared(name_);
  AGNOCAST_FAILPOINT("registry.lock_unlinked");
}

}  // namespace agnocast::internal

// A name for the shared objects of this process: taken by an empty area of that name, which becomes
// this process's area.
//
// The area's name stands for the three names of a process, its queue's and its doorbell's too. Two
// rules keep them from two owners, without any lock of a registry: who makes an area, or removes
// that of a dead process, has the lock on the area's *file* meanwhile, which the kernel drops; and
// a process touches queue and doorbell of a name only while it owns the area of that name, or has
// that lock.
//
// If we die here: the area is empty, or without magic, and its lock is free; whoever sweeps removes
// it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.hpp"
#include "memory/names.hpp"
#include "os/file.hpp"

namespace agnocast::internal {

/// What dies unreleased removes the name again. Movable.
class AreaClaim
{
 public:
  /// "<pid>" or "<pid>.<suffix>": names that another pid namespace or another user has are avoided.
  static Result<AreaClaim> take(const Permissions& permissions);
  AreaClaim(AreaClaim&&) noexcept = default;
  AreaClaim& operator=(AreaClaim&&) = delete;
  ~AreaClaim();

  /// What follows the @.
  [[nodiscard]] const std::string& process() const noexcept { return process_; }
  /// The area's file, locked, for who makes the area of it.
  os::Descriptor release() noexcept { return std::move(file_); }

 private:
  AreaClaim(std::string process, os::Descriptor file)
    : process_(std::move(process)), file_(std::move(file))
  {
  }
  std::string process_;
  os::Descriptor file_;
};

/// Removes the queue, the doorbell and the area of a process that is dead, unless somebody else is
/// at it, or the name is another process's by now: `process_id` as far as the area says. The memory
/// goes with the result, which may take a while.
os::Descriptor unlink_objects(const std::string& process, std::uint64_t process_id);

}  // namespace agnocast::internal

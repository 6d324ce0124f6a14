// The lock of a user-space registry: a file of its own beside it, empty, which nothing but this
// class ever opens (see os/file_lock.hpp for why).
//
// Made by the first process of a domain, removed by the last, under the lock: who waited for it
// meanwhile sees that the file has no name left, and begins again with the one that has.
//
// If we die here: the kernel drops the lock. A lock file without a registry is used by the next
// who joins; 'agnocast clean' removes it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "memory/names.hpp"
#include "os/file.hpp"
#include "os/file_lock.hpp"

namespace agnocast::internal {

/// Held from take() to the end of its life. One at a time in a process.
class RegistryLock
{
 public:
  /// `registry`: the registry's name. Without `create`, a lock is only made for a registry that is
  /// there. After failed, error() says why; after kept, holder() has it.
  os::LockOutcome take(const std::string& registry, const Permissions& permissions, bool create,
                       const std::function<bool()>& is_needed = {});
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] pid_t holder() const noexcept { return holder_; }
  /// While it is held: whose the file is.
  [[nodiscard]] std::optional<os::FileStatus> status() const;
  /// While it is held: whether this call of take() has made the file.
  [[nodiscard]] bool is_fresh() const noexcept { return is_fresh_ && file_; }
  /// While it is held, and when the registry is removed: nobody may change a registry under it any
  /// more.
  void remove() noexcept;

 private:
  bool open(const Permissions& permissions, bool create);

  std::string name_;
  os::Descriptor file_;
  bool is_fresh_ = false;
  int error_ = 0;
  pid_t holder_ = 0;
};

/// True while another process of this user may be about to give the file of that name its mode,
/// under a umask that shuts out even this user.
[[nodiscard]] bool may_be_half_made(const std::string& name);

}  // namespace agnocast::internal

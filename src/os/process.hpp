// Processes and threads: who lives, and the control thread's tools.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "os/file.hpp"

namespace agnocast::internal::os {

[[nodiscard]] pid_t process_id();
[[nodiscard]] uid_t effective_user();
/// The inode of this process's pid namespace; 0 if /proc cannot say.
[[nodiscard]] std::uint64_t pid_namespace();
/// False if there is certainly no such process in this pid namespace.
[[nodiscard]] bool may_exist(pid_t pid);

/// True if the process of this pid namespace has certainly ended, also if nobody has waited for it.
[[nodiscard]] bool has_ended(pid_t pid);

/// Becomes readable when the process ends. Closed descriptor if the kernel has no such thing.
Descriptor watch_process(pid_t pid);

/// A thread with all signals blocked but those of its own faults, which ends when `body` returns.
class Thread
{
 public:
  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  /// False if the system allows no more threads (errno says why).
  bool start(const char* name, std::function<void()> body);
  [[nodiscard]] bool started() const noexcept { return started_; }
  void join();
  /// After fork, in the child: the thread does not exist here.
  void forget() noexcept { started_ = false; }

 private:
  pthread_t thread_{};
  bool started_ = false;
  std::function<void()> body_;
};

/// Takes `word` as a robust futex of the calling thread: it holds the thread's id from now on, and
/// the kernel sets FUTEX_OWNER_DIED in it when the thread ends, in whatever way. A thread can hold
/// one; it must not use robust pthread mutexes. False if the kernel knows no such thing: the word
/// is never marked then.
bool hold_robust(std::uint32_t* word);

/// Readiness of several descriptors. Returns the indexes that are ready (or broken).
std::vector<std::size_t> wait_readable(const std::vector<int>& descriptors, int timeout_ms);

/// Registers fork handlers once for the process.
void on_fork(void (*prepare)(), void (*parent)(), void (*child)());

}  // namespace agnocast::internal::os

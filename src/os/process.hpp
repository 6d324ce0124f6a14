// Processes and threads: who lives, and the control thread's tools.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
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

/// How a thread of the library is scheduled.
struct Scheduling
{
  int fifo_priority = 0;    ///< SCHED_FIFO with this priority; 0: SCHED_OTHER
  std::optional<int> nice;  ///< none: as the program's first thread
  std::vector<int> cpus;    ///< none: those that the program was started on
};
struct SchedulingFailure
{
  int error = 0;  ///< 0: all is well
  bool of_cpus = false;
};
/// Gives it to the calling thread, whatever thread started it. What is not the default must
/// succeed.
SchedulingFailure schedule_this_thread(const Scheduling& scheduling);
/// The CPUs that the program was started on, as far as they can still be used: "0-3,6".
std::string usable_cpus();

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
};
/// The same for one that nobody waits for.
bool start_detached(const char* name, std::function<void()> body);

/// The module that the address lies in is not unloaded any more, whatever dlclose() is told. True
/// also if it could not be unloaded anyway; false if it cannot be found.
bool pin_module_of(const void* address);

/// Takes `word` as a robust futex of the calling thread: it holds the thread's id from now on, and
/// the kernel sets FUTEX_OWNER_DIED in it when the thread ends, in whatever way. A thread can hold
/// one; it must not use robust pthread mutexes. False if the kernel knows no such thing: the word
/// is never marked then.
bool hold_robust(std::uint32_t* word);

/// True if the descriptor is readable (or broken) now.
bool is_readable(int descriptor);

/// Registers fork handlers once for the process.
void on_fork(void (*prepare)(), void (*parent)(), void (*child)());

}  // namespace agnocast::internal::os

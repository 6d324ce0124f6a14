// Threads "agnocast-work" for what may take long: destructors of messages, and changes that wait
// for the registry's lock. The control thread hands these over, so that it goes on with the rest.
//
// None runs before there is work, and each ends when there has been none for a while. One job does
// not hold up the others: where all threads have been at their jobs for some time, another one is
// started, up to a limit. One thread of those is kept for the library's own jobs, so that
// destructors that do not return stop none of these.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "os/process.hpp"

namespace agnocast::internal {

/// Thread-safe. Never destroyed: its threads are waited for by nobody. Useless after a fork, in the
/// child.
class Workers
{
 public:
  enum class Runs { library_code, user_code };

  void schedule(const os::Scheduling& scheduling);
  /// Does nothing if a job of that key waits or runs, or one of user code after end_user_code().
  /// Without memory the job is not done; without a thread it runs here.
  void add(const void* key, Runs runs, std::function<void()> job);
  /// Starts another thread if jobs wait for those that are at work for long. True if any wait.
  bool relieve();
  /// From here on no code of the user is run; waits for what runs now, but for the caller itself.
  void end_user_code() noexcept;

 private:
  struct Job
  {
    const void* key;
    Runs runs;
    std::function<void()> run;
  };
  struct Running
  {
    const void* key;
    Runs runs;
    std::int64_t since_ns;
  };

  [[nodiscard]] std::deque<Job>::iterator next_job();
  bool start_thread();
  void work();
  void run_one(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] bool runs_user_code() const noexcept;

  std::mutex mutex_;  ///< guards all below
  std::condition_variable has_work_, has_ended_;
  os::Scheduling scheduling_;
  std::deque<Job> jobs_;
  std::vector<const Running*> running_;  ///< on the stacks of the threads
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  bool user_code_ended_ = false;
};

}  // namespace agnocast::internal

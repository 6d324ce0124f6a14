// Processes, cores and patience.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// The measurement cannot be made or went wrong; the program prints it and exits with status 1.
class Failure : public std::runtime_error
{
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Failure if this process may not run there.
void check_core(int core);
void pin_this_thread(int core);
/// Hint to the processor that this thread only waits.
void relax() noexcept;

/// A program that this one started and ends when the object is destroyed.
class Child
{
 public:
  /// arguments[0] is the path of the program. File descriptors without FD_CLOEXEC stay open in it.
  /// `settings` ("NAME=value") are added to its environment.
  static Child start(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& settings = {});

  /// The same for a daemon, with its output in a pipe: returns when it has printed a line that
  /// contains `ready`. What it prints later is thrown away.
  static Child start_and_await(const std::vector<std::string>& arguments, const std::string& ready,
                               std::uint64_t limit_ns);

  Child(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Throws Failure if it is no more.
  void check();
  [[nodiscard]] bool has_ended();
  /// Sends the signal and waits up to `limit_ns` for the end; after that, SIGKILL.
  void end(int signal_number, std::uint64_t limit_ns);
  /// Waits for it to exit with status 0.
  void join(std::uint64_t limit_ns);
  /// What it used of the processor and of the kernel until it was joined or ended.
  [[nodiscard]] long involuntary_switches() const noexcept { return involuntary_switches_; }

 private:
  Child(pid_t pid, std::string name) : pid_(pid), name_(std::move(name)) {}
  static Child spawn(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& settings, int output_fd);
  bool ended(int wait_flags);

  pid_t pid_;
  int output_fd_ = -1;  ///< of a daemon: kept open, so that it can go on printing
  std::string name_;
  bool has_ended_ = false;
  int status_ = 0;
  long involuntary_switches_ = 0;
};

/// Asks the kernel to kill this process when its parent `expected` ends.
void die_with_parent(pid_t expected);

/// One wait for something that another process does: it ends with a Failure after a time limit.
/// Costs a counter as long as things go well.
class Patience
{
 public:
  explicit Patience(const char* awaited) noexcept : awaited_(awaited) {}

  /// For measured loops: never gives up the core.
  void spin()
  {
    if ((++turns_ & 0xffff) == 0) check();
  }
  /// For loops that are not measured: lets others have the core if they need it too.
  void rest(bool same_core);
  /// For loops that sleep by themselves.
  void check();

 private:
  static constexpr std::uint64_t limit_ns = 20'000'000'000;

  const char* awaited_;
  std::uint32_t turns_ = 0;
  std::uint64_t deadline_ns_ = 0;
};

/// Whether a thread of another process sleeps in the kernel.
class SleepObserver
{
 public:
  explicit SleepObserver(pid_t thread);
  SleepObserver(const SleepObserver&) = delete;
  SleepObserver& operator=(const SleepObserver&) = delete;
  ~SleepObserver();

  /// The same rule for every sleeping receiver: the kernel says that it sleeps, and then its core
  /// has had the time to go idle.
  void wait_until_asleep(bool same_core);

 private:
  [[nodiscard]] bool asleep() const;
  int fd_;
};

}  // namespace bench

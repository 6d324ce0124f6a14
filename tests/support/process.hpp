// Real processes for tests: a body of code that runs in a forked child and talks to the test in
// lines. The test process itself never joins a domain, so every child is a process like any other.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agnocast::test {

/// How long anything in a test may take before it is a failure: long, the machine is shared.
inline constexpr std::chrono::seconds patience{30};

/// Called in the test program whenever something has come that it waited for; set by the watchdog.
extern void (*note_progress)();

/// One end of a two-way pipe of lines.
class Channel
{
 public:
  Channel(int read_fd, int write_fd) noexcept : read_fd_(read_fd), write_fd_(write_fd) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  void say(const std::string& line);
  /// The next line; nothing if the other end is gone or says nothing for \p timeout.
  std::optional<std::string> hear(std::chrono::nanoseconds timeout = patience);
  /// True if the other end is closed, or will be within that time.
  [[nodiscard]] bool is_at_end(std::chrono::milliseconds timeout) const;

 private:
  int read_fd_, write_fd_;
  std::string buffer_;
};

/// A child. If its body still runs, the destructor kills it with SIGKILL; either way it is reaped.
class Process
{
 public:
  /// Forks; the child runs \p body, then ends as if main() had returned 0. An exception of the
  /// body, or require(), ends it with status 1 and says why on standard error.
  explicit Process(const std::function<void(Channel&)>& body);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  Channel& channel() noexcept { return *channel_; }
  void say(const std::string& line) { channel_->say(line); }
  /// The child's next line, "<nothing>" if none comes in time.
  std::string hear(std::chrono::nanoseconds timeout = patience)
  {
    return channel_->hear(timeout).value_or("<nothing>");
  }

  void signal(int number) const;
  /// SIGKILL, and wait until it is gone.
  void kill();
  /// Exit status, or minus the number of the signal that ended it; -1000 if it does not end.
  int wait(std::chrono::nanoseconds timeout = patience);

 private:
  pid_t pid_ = -1;
  std::unique_ptr<Channel> channel_;
  std::optional<int> status_;
};

/// The ids of all children of this test program so far.
const std::vector<pid_t>& started_processes();

/// In a child: throws with \p what unless \p condition.
void require(bool condition, const std::string& what);

/// Polls \p condition until it holds; false if it does not in time.
bool eventually(const std::function<bool()>& condition,
                std::chrono::nanoseconds timeout = patience);

/// The objects in /dev/shm and the message queues whose names are ours, as "shm:name" / "mq:name".
std::string shared_objects();

}  // namespace agnocast::test

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "support/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <stdexcept>
#include <thread>

namespace agnocast::test {

using Clock = std::chrono::steady_clock;

namespace {
std::vector<pid_t> started;

void progress()
{
  if (note_progress != nullptr) note_progress();
}
}  // namespace

void (*note_progress)() = nullptr;

const std::vector<pid_t>& started_processes()
{
  return started;
}

Channel::~Channel()
{
  ::close(read_fd_);
  ::close(write_fd_);
}

void Channel::say(const std::string& line)
{
  const std::string text = line + "\n";
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::write(write_fd_, text.data() + sent, text.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

std::optional<std::string> Channel::hear(std::chrono::nanoseconds timeout)
{
  const auto deadline = Clock::now() + timeout;
  for (;;) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      progress();
      return line;
    }
    const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd polled{read_fd_, POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(left)) <= 0) continue;
    char text[4096];
    const ssize_t n = ::read(read_fd_, text, sizeof text);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    buffer_.append(text, static_cast<std::size_t>(n));
  }
}

bool Channel::is_at_end(std::chrono::milliseconds timeout) const
{
  pollfd polled{read_fd_, 0, 0};
  return ::poll(&polled, 1, static_cast<int>(timeout.count())) > 0 &&
         (polled.revents & POLLHUP) != 0;
}

Process::Process(const std::function<void(Channel&)>& body)
{
  int down[2];
  int up[2];
  if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipes");
  }
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("no fork");
  if (pid_ == 0) {
    note_progress = nullptr;  // a system call that a test in the child may not expect
    ::close(down[1]);
    ::close(up[0]);
    ::signal(SIGPIPE, SIG_IGN);
    int status = 0;
    {
      Channel channel(down[0], up[1]);
      try {
        body(channel);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child %d: %s\n", ::getpid(), error.what());
        channel.say(std::string("exception: ") + error.what());
        status = 1;
      }
    }
    std::exit(status);  // with destructors of libraries, as any program ends
  }
  started.push_back(pid_);
  progress();
  ::close(down[0]);
  ::close(up[1]);
  channel_ = std::make_unique<Channel>(up[0], down[1]);
}

Process::~Process()
{
  if (pid_ <= 0 || status_) return;
  // One that has done its work is on its way out and must not be killed while it cleans up.
  if (channel_->is_at_end(std::chrono::milliseconds(100))) wait();
  if (!status_) kill();
}

void Process::signal(int number) const
{
  if (pid_ > 0 && !status_) ::kill(pid_, number);
}

void Process::kill()
{
  signal(SIGKILL);
  wait();
}

int Process::wait(std::chrono::nanoseconds timeout)
{
  const auto deadline = Clock::now() + timeout;
  while (!status_) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
      status_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
      progress();
    } else if (Clock::now() > deadline) {
      return -1000;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return *status_;
}

void require(bool condition, const std::string& what)
{
  if (!condition) throw std::runtime_error("does not hold: " + what);
}

bool eventually(const std::function<bool()>& condition, std::chrono::nanoseconds timeout)
{
  const auto deadline = Clock::now() + timeout;
  while (!condition()) {
    if (Clock::now() > deadline) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  progress();
  return true;
}

std::string shared_objects()
{
  std::set<std::string> found;
  const auto list = [&](const char* folder, const char* kind, const char* prefix) {
    DIR* entries = ::opendir(folder);
    if (entries == nullptr) return;
    while (const dirent* entry = ::readdir(entries)) {
      if (std::strncmp(entry->d_name, prefix, std::strlen(prefix)) == 0) {
        found.insert(std::string(kind) + ":" + entry->d_name);
      }
    }
    ::closedir(entries);
  };
  list("/dev/shm", "shm", "agnocast");
  list("/dev/mqueue", "mq", "new_publisher@");
  std::string text;
  for (const std::string& name : found) text += name + "\n";
  return text;
}

}  // namespace agnocast::test

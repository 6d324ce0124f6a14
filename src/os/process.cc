// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "base/atomic.hpp"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace agnocast::internal::os {

pid_t process_id()
{
  return ::getpid();
}

uid_t effective_user()
{
  return ::geteuid();
}

std::uint64_t pid_namespace()
{
  struct stat status = {};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

bool may_exist(pid_t pid)
{
  return pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH;
}

bool has_ended(pid_t pid)
{
  if (pid <= 0) return false;
  if (::kill(pid, 0) != 0) return errno == ESRCH;
  if (const Descriptor watch = watch_process(pid)) return !wait_readable({watch.get()}, 0).empty();
  // What waits to be waited for exists.
  char path[32];
  char text[512] = {};
  std::snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file || ::read(file.get(), text, sizeof text - 1) <= 0) return false;
  const char* name_end = std::strrchr(text, ')');
  char state = 0;
  long threads = 0;
  // A first thread that has ended leaves the same state while others live.
  return name_end != nullptr &&
         std::sscanf(name_end + 1,
                     " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
                     &state, &threads) == 2 &&
         (state == 'Z' || state == 'X') && threads <= 1;
}

Descriptor watch_process(pid_t pid)
{
  const StandardPlaces taken;
  return Descriptor(above_standard(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
}

bool Thread::start(const char* name, std::function<void()> body)
{
  body_ = std::move(body);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  // Raised by the thread's own access: blocked, it would end the process past any handler.
  for (const int number : {SIGBUS, SIGFPE, SIGILL, SIGSEGV}) ::sigdelset(&all, number);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = ::pthread_create(
    &thread_, nullptr,
    [](void* self) -> void* {
      static_cast<Thread*>(self)->body_();
      return nullptr;
    },
    this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    errno = error;
    return false;
  }
  ::pthread_setname_np(thread_, name);
  started_ = true;
  return true;
}

void Thread::join()
{
  if (!started_) return;
  ::pthread_join(thread_, nullptr);
  started_ = false;
}

bool hold_robust(std::uint32_t* word)
{
  // The kernel walks this list when the thread ends, after all its code has run.
  static thread_local robust_list_head head;
  static thread_local robust_list entry;
  head.list.next = &entry;
  entry.next = &head.list;
  head.futex_offset = static_cast<long>(reinterpret_cast<std::intptr_t>(word) -
                                        reinterpret_cast<std::intptr_t>(&entry));
  head.list_op_pending = nullptr;
  const bool is_known = ::syscall(SYS_set_robust_list, &head, sizeof head) == 0;
  // Pairs with the loads of `alive` by peers and cleaners.
  store_seq_cst(*word, static_cast<std::uint32_t>(::syscall(SYS_gettid)));
  return is_known;
}

std::vector<std::size_t> wait_readable(const std::vector<int>& descriptors, int timeout_ms)
{
  std::vector<pollfd> polled;
  polled.reserve(descriptors.size());
  for (const int fd : descriptors) polled.push_back({fd, POLLIN, 0});
  std::vector<std::size_t> ready;
  if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return ready;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0) ready.push_back(i);
  }
  return ready;
}

void on_fork(void (*prepare)(), void (*parent)(), void (*child)())
{
  ::pthread_atfork(prepare, parent, child);
}

}  // namespace agnocast::internal::os

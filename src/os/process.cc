// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

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
  if (const Descriptor watch = watch_process(pid)) return is_readable(watch.get());
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

namespace {

// As a set of sched_setaffinity(2): larger than any kernel is built for.
struct CpuSet
{
  static constexpr int cpus_max = 8192;
  std::array<unsigned long, cpus_max / 64> words{};

  static CpuSet of_calling_thread()
  {
    CpuSet set;
    if (::syscall(SYS_sched_getaffinity, 0, sizeof set.words, set.words.data()) < 0) set = {};
    return set;
  }
  [[nodiscard]] bool has(int cpu) const
  {
    const auto at = static_cast<std::size_t>(cpu);
    return cpu < cpus_max && (words[at / 64] >> (at % 64) & 1) != 0;
  }
  void add(int cpu)
  {
    const auto at = static_cast<std::size_t>(cpu);
    if (cpu < cpus_max) words[at / 64] |= 1ul << (at % 64);
  }
  [[nodiscard]] bool give_to_calling_thread() const
  {
    return ::syscall(SYS_sched_setaffinity, 0, sizeof words, words.data()) == 0;
  }
};

// What taskset or a service manager have said, and not what a thread of the program has chosen for
// itself since.
CpuSet cpus_at_start;
__attribute__((constructor)) void remember_cpus()
{
  cpus_at_start = CpuSet::of_calling_thread();
}

int set_cpus(const std::vector<int>& cpus)
{
  if (cpus.empty()) {
    static_cast<void>(cpus_at_start.give_to_calling_thread());
    return 0;
  }
  CpuSet wanted;
  for (const int cpu : cpus) wanted.add(cpu);
  if (!wanted.give_to_calling_thread()) return errno;
  // The kernel takes away in silence what a control group does not allow.
  const CpuSet got = CpuSet::of_calling_thread();
  const bool is_whole =
    std::all_of(cpus.begin(), cpus.end(), [&](int cpu) { return got.has(cpu); });
  return is_whole ? 0 : EINVAL;
}

int set_nice(const std::optional<int>& wanted)
{
  const auto self = static_cast<id_t>(::syscall(SYS_gettid));
  if (wanted) return ::setpriority(PRIO_PROCESS, self, *wanted) == 0 ? 0 : errno;
  errno = 0;
  const int first_thread = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::getpid()));
  if (errno == 0) static_cast<void>(::setpriority(PRIO_PROCESS, self, first_thread));
  return 0;
}

void* run_body(void* body)
{
  const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(body));
  (*owned)();
  return nullptr;
}

bool create_thread(pthread_t& thread, const char* name, std::function<void()> body)
{
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  // Raised by the thread's own access: blocked, it would end the process past any handler.
  for (const int number : {SIGBUS, SIGFPE, SIGILL, SIGSEGV}) ::sigdelset(&all, number);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = ::pthread_create(&thread, nullptr, run_body, owned.get());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    errno = error;
    return false;
  }
  static_cast<void>(owned.release());
  ::pthread_setname_np(thread, name);
  return true;
}

}  // namespace

SchedulingFailure schedule_this_thread(const Scheduling& scheduling)
{
  sched_param parameter = {};
  parameter.sched_priority = scheduling.fifo_priority;
  const int policy = scheduling.fifo_priority > 0 ? SCHED_FIFO : SCHED_OTHER;
  if (::sched_setscheduler(0, policy, &parameter) != 0 && policy == SCHED_FIFO) {
    return {errno, false};
  }
  if (const int error = set_nice(scheduling.nice); error != 0) return {error, false};
  return {set_cpus(scheduling.cpus), true};
}

std::string usable_cpus()
{
  const CpuSet before = CpuSet::of_calling_thread();
  static_cast<void>(cpus_at_start.give_to_calling_thread());
  const CpuSet usable = CpuSet::of_calling_thread();
  static_cast<void>(before.give_to_calling_thread());
  std::string text;
  for (int cpu = 0; cpu < CpuSet::cpus_max; ++cpu) {
    if (!usable.has(cpu)) continue;
    const int first = cpu;
    while (usable.has(cpu + 1)) ++cpu;
    if (!text.empty()) text += ',';
    text += std::to_string(first);
    if (cpu != first) text += '-' + std::to_string(cpu);
  }
  return text;
}

bool Thread::start(const char* name, std::function<void()> body)
{
  started_ = create_thread(thread_, name, std::move(body));
  return started_;
}

bool start_detached(const char* name, std::function<void()> body)
{
  pthread_t thread{};
  return create_thread(thread, name, std::move(body)) && ::pthread_detach(thread) == 0;
}

bool pin_module_of(const void* address)
{
  Dl_info info = {};
  void* map = nullptr;
  if (::dladdr1(address, &info, &map, RTLD_DL_LINKMAP) == 0 || map == nullptr) return false;
  const char* const name = static_cast<const link_map*>(map)->l_name;
  if (name == nullptr || *name == 0) return true;  // the program itself
  // The handle is kept for good.
  return ::dlopen(name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
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

bool is_readable(int descriptor)
{
  pollfd polled = {descriptor, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

void on_fork(void (*prepare)(), void (*parent)(), void (*child)())
{
  ::pthread_atfork(prepare, parent, child);
}

}  // namespace agnocast::internal::os

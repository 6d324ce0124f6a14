// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

namespace agnocast::internal::os {

Woken futex_wait(const std::uint32_t* word, std::uint32_t expected, std::int64_t deadline_ns)
{
  timespec deadline = {};
  if (deadline_ns >= 0) {
    deadline.tv_sec = deadline_ns / 1'000'000'000;
    deadline.tv_nsec = deadline_ns % 1'000'000'000;
  }
  // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC.
  const long status =
    ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline_ns >= 0 ? &deadline : nullptr,
              nullptr, FUTEX_BITSET_MATCH_ANY);
  return status != 0 && errno == ETIMEDOUT ? Woken::timed_out : Woken::yes;
}

void futex_wake_all(const std::uint32_t* word)
{
  ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

std::int64_t monotonic_ns()
{
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::int64_t monotonic_offset_ns()
{
  struct stat own = {};
  struct stat for_children = {};
  // The file tells of the namespace that children will be in.
  if (::stat("/proc/self/ns/time", &own) != 0 ||
      ::stat("/proc/self/ns/time_for_children", &for_children) != 0 ||
      own.st_ino != for_children.st_ino) {
    return 0;
  }
  std::FILE* file = std::fopen("/proc/self/timens_offsets", "re");
  if (file == nullptr) return 0;
  long long seconds = 0;
  long long nanoseconds = 0;
  const bool found = std::fscanf(file, "monotonic %lld %lld", &seconds, &nanoseconds) == 2;
  std::fclose(file);
  return found ? seconds * 1'000'000'000 + nanoseconds : 0;
}

void sleep_ns(std::int64_t duration_ns)
{
  const timespec duration{duration_ns / 1'000'000'000, duration_ns % 1'000'000'000};
  ::nanosleep(&duration, nullptr);
}

}  // namespace agnocast::internal::os

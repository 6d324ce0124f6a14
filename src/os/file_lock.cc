// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/file_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "os/futex.hpp"

namespace agnocast::internal::os {

namespace {

constexpr off_t the_lock = 0;
constexpr off_t first_place = 1;
constexpr off_t last_place = off_t{1} << 40;
constexpr std::int64_t patience_ns = 10'000'000'000;
constexpr std::int64_t most_patience_ns = 60'000'000'000;
constexpr std::int64_t courtesy_ns = 5'000'000;  // for who stands before us and does not move
constexpr std::int64_t shortest_step_ns = 20'000;
constexpr std::int64_t longest_step_ns = 500'000;

struct flock bytes_of_file(short type, off_t begin, off_t bytes)
{
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = begin;
  lock.l_len = bytes;
  return lock;
}

/// 0 bytes: to the end of all.
std::optional<struct flock> lock_of_another(int fd, off_t begin, off_t bytes)
{
  struct flock lock = bytes_of_file(F_WRLCK, begin, bytes);
  if (::fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return lock;
}

bool try_lock(int fd, off_t byte)
{
  struct flock lock = bytes_of_file(F_WRLCK, byte, 1);
  return ::fcntl(fd, F_SETLK, &lock) == 0;
}

bool is_taken_by_another(int error)
{
  return error == EACCES || error == EAGAIN || error == EINTR;
}

/// Behind everybody who has one. the_lock: there is none to be had.
off_t take_place(int fd)
{
  off_t place = first_place;
  for (;;) {
    while (const auto other = lock_of_another(fd, place, 0)) {
      if (other->l_len <= 0 || other->l_start + other->l_len > last_place) return the_lock;
      place = std::max(place, other->l_start + other->l_len);
    }
    if (try_lock(fd, place)) return place;
    if (!is_taken_by_another(errno)) return the_lock;
  }
}

void give_back(int fd, off_t place)
{
  struct flock lock = bytes_of_file(F_UNLCK, place, 1);
  if (place != the_lock) ::fcntl(fd, F_SETLK, &lock);
}

}  // namespace

pid_t lock_holder(int fd)
{
  const auto lock = lock_of_another(fd, the_lock, 1);
  return lock ? lock->l_pid : 0;
}

LockOutcome lock_file(int fd, const std::function<bool()>& is_needed)
{
  if (!lock_of_another(fd, first_place, 0)) {
    if (try_lock(fd, the_lock)) return LockOutcome::locked;
    if (!is_taken_by_another(errno)) return LockOutcome::failed;
  }
  const off_t place = take_place(fd);
  const std::int64_t begin = monotonic_ns();
  std::int64_t moved_at = begin;  // the line, when we last saw it move
  std::int64_t held_at = begin;   // the lock, when we last saw it held
  off_t furthest = 0;             // the first place before ours; it only ever moves towards us
  for (;;) {
    if (is_needed && !is_needed()) {
      give_back(fd, place);
      return LockOutcome::not_needed;
    }
    const auto first =
      place > first_place ? lock_of_another(fd, first_place, place - first_place) : std::nullopt;
    const auto holder = lock_of_another(fd, the_lock, 1);
    const std::int64_t now = monotonic_ns();
    if (holder) held_at = now;
    if (!holder && (!first || now - held_at > courtesy_ns)) {
      if (try_lock(fd, the_lock)) {
        give_back(fd, place);
        return LockOutcome::locked;
      }
      if (!is_taken_by_another(errno)) return LockOutcome::failed;
    }
    // Many may be in line: as long as it moves, there is nothing wrong. Somebody who comes and goes
    // in front of it, or hands the lock to and fro, does not move it.
    const off_t first_now = first ? first->l_start : place;
    if (first_now > furthest) {
      furthest = first_now;
      moved_at = now;
    }
    if (now - moved_at > patience_ns || now - begin > most_patience_ns) {
      give_back(fd, place);
      return LockOutcome::kept;
    }
    // Who is about to be the next looks more often than who stands far behind.
    const std::int64_t step = shortest_step_ns * (1 + (place - first_now)) + (now - moved_at) / 8;
    sleep_ns(std::min(step, longest_step_ns));
  }
}

}  // namespace agnocast::internal::os

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/epoll.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "base/atomic.hpp"
#include "os/file.hpp"
#include "os/futex.hpp"

namespace agnocast::internal::os {

namespace {

constexpr std::uint64_t wake_key = ~std::uint64_t{0};

std::uint64_t socket_inode(int fd)
{
  struct stat status = {};
  return fd >= 0 && ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

bool control(int epoll, int operation, int fd, std::uint64_t key)
{
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = key;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

bool Epoll::has_socket() const noexcept
{
  for (std::size_t i = 0; i < socket_.size(); ++i) {
    if (inodes_[i] == 0 || socket_inode(socket_[i]) != inodes_[i]) return false;
  }
  return true;
}

bool Epoll::open()
{
  const StandardPlaces taken;
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return false;
  }
  std::array<std::uint64_t, 2> inodes{};
  for (std::size_t i = 0; i < ends.size(); ++i) {
    ends[i] = above_standard(ends[i]);
    inodes[i] = socket_inode(ends[i]);
  }
  const std::lock_guard lock(mutex_);
  socket_ = ends;
  inodes_ = inodes;
  epoll_ = above_standard(::epoll_create1(EPOLL_CLOEXEC));
  if (epoll_ >= 0 && has_socket() && control(epoll_, EPOLL_CTL_ADD, socket_[0], wake_key)) {
    return true;
  }
  if (epoll_ >= 0) ::close(epoll_);
  epoll_ = -1;
  drop();
  return false;
}

bool Epoll::check() noexcept
{
  if (epoll_ < 0) return false;
  const std::lock_guard lock(mutex_);
  if (has_socket() && control(epoll_, EPOLL_CTL_MOD, socket_[0], wake_key)) return true;
  drop();
  return false;
}

// Of the epoll instance nothing is known any more: its number may be another's.
void Epoll::drop() noexcept
{
  for (std::size_t i = 0; i < socket_.size(); ++i) {
    if (inodes_[i] != 0 && socket_inode(socket_[i]) == inodes_[i]) ::close(socket_[i]);
    socket_[i] = -1;
    inodes_[i] = 0;
  }
  epoll_ = -1;
}

void Epoll::close() noexcept
{
  const int epoll = epoll_;
  const bool is_ours = check();
  const std::lock_guard lock(mutex_);
  drop();
  if (is_ours) ::close(epoll);
}

bool Epoll::add(int descriptor, std::uint64_t key) noexcept
{
  return epoll_ >= 0 && control(epoll_, EPOLL_CTL_ADD, descriptor, key);
}

bool Epoll::rearm(int descriptor, std::uint64_t key) noexcept
{
  return epoll_ >= 0 && control(epoll_, EPOLL_CTL_MOD, descriptor, key);
}

bool Epoll::remove(int descriptor) noexcept
{
  return check() && control(epoll_, EPOLL_CTL_DEL, descriptor, 0);
}

Epoll::Ready Epoll::wait(int timeout_ms)
{
  Ready ready;
  if (epoll_ < 0) {
    futex_wait(&woken_, 0, monotonic_ns() + std::int64_t{timeout_ms} * 1'000'000);
  } else {
    std::array<epoll_event, 64> events = {};
    static_assert(events.size() == std::tuple_size_v<decltype(ready.keys)>);
    const int count =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
    bool has_wake_up = false;
    for (int i = 0; i < count; ++i) {
      const std::uint64_t key = events[static_cast<std::size_t>(i)].data.u64;
      has_wake_up = has_wake_up || key == wake_key;
      if (key != wake_key) ready.keys[ready.count++] = key;
    }
    char bytes[16];
    if (has_wake_up && has_socket()) {
      while (::recv(socket_[0], bytes, sizeof bytes, MSG_DONTWAIT) >= 0) {
      }
    }
  }
  // After the socket is empty: a wake() that finds 1 before this is seen by what follows. Pairs
  // with the exchange in wake().
  ready.woken = exchange_seq_cst(woken_, 0u) != 0;
  return ready;
}

void Epoll::wake() noexcept
{
  // Pairs with the exchange in wait().
  if (exchange_seq_cst(woken_, 1u) != 0) return;
  {
    const std::lock_guard lock(mutex_);
    const char nothing = 0;
    // Without SIGPIPE if the other end is closed; then the time-out of the wait has to do.
    if (has_socket())
      static_cast<void>(::send(socket_[1], &nothing, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  futex_wake_all(&woken_);
}

}  // namespace agnocast::internal::os

// The shared page and the raw futex.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "rendezvous.hpp"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "peer.hpp"

namespace bench {

Rendezvous::Rendezvous(int fd) : fd_(fd)
{
  void* address = mmap(nullptr, sizeof(RendezvousPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    close(fd_);
    throw Failure(std::string("cannot map the shared page: ") + std::strerror(error));
  }
  page_ = static_cast<RendezvousPage*>(address);  // all zero is its first state
}

Rendezvous Rendezvous::create()
{
  // The descriptor is inherited by the peer, so it has no MFD_CLOEXEC.
  const int fd = memfd_create("agnocast-bench", 0);
  if (fd < 0 || ftruncate(fd, sizeof(RendezvousPage)) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    throw Failure(std::string("cannot make the shared page: ") + std::strerror(error));
  }
  return Rendezvous(fd);
}

Rendezvous Rendezvous::open(int fd)
{
  return Rendezvous(fd);
}

Rendezvous::Rendezvous(Rendezvous&& other) noexcept
  : fd_(std::exchange(other.fd_, -1)), page_(std::exchange(other.page_, nullptr))
{
}

Rendezvous::~Rendezvous()
{
  if (page_ != nullptr) munmap(page_, sizeof(RendezvousPage));
  if (fd_ >= 0) close(fd_);
}

void Rendezvous::post(const Task& task)
{
  page_->task = task;
  page_->task_number.fetch_add(1);  // pairs with next_task()
  futex_wake(page_->task_number);
}

bool Rendezvous::next_task(std::uint32_t& seen, Task& task)
{
  const std::uint32_t number = page_->task_number.load();
  if (number == seen) {
    futex_wait(page_->task_number, seen);
    return false;
  }
  seen = number;
  task = page_->task;
  return true;
}

void futex_wake(std::atomic<std::uint32_t>& word) noexcept
{
  syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept
{
  const timespec limit{.tv_sec = 1, .tv_nsec = 0};
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

}  // namespace bench

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "harness/exchange.hpp"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <utility>

#include "harness/process.hpp"

namespace bench {

Exchange::Exchange(int fd) : fd_(fd)
{
  void* address = mmap(nullptr, sizeof(ExchangePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    close(fd_);
    throw Failure(std::string("cannot map the shared page: ") + std::strerror(error));
  }
  page_ = static_cast<ExchangePage*>(address);  // all zero is its first state
}

Exchange Exchange::create()
{
  // The descriptor is inherited by both ends, so it has no MFD_CLOEXEC.
  const int fd = memfd_create("agnocast-bench", 0);
  if (fd < 0 || ftruncate(fd, sizeof(ExchangePage)) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    throw Failure(std::string("cannot make the shared page: ") + std::strerror(error));
  }
  Exchange exchange(fd);
  // A fault in the middle of a measurement would be seen in it.
  std::memset(exchange.page_->samples_ns, 0, sizeof exchange.page_->samples_ns);
  return exchange;
}

Exchange Exchange::open(int fd)
{
  return Exchange(fd);
}

Exchange::Exchange(Exchange&& other) noexcept
  : fd_(std::exchange(other.fd_, -1)), page_(std::exchange(other.page_, nullptr))
{
}

Exchange::~Exchange()
{
  if (page_ != nullptr) munmap(page_, sizeof(ExchangePage));
  if (fd_ >= 0) close(fd_);
}

std::uint32_t Exchange::post(const Task& task)
{
  page_->task = task;
  const std::uint32_t number = page_->task_number.fetch_add(1) + 1;  // pairs with next_task()
  futex_wake(page_->task_number, INT_MAX);
  return number;
}

bool Exchange::next_task(std::uint32_t& seen, Task& task)
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

void Exchange::done(std::uint32_t seen)
{
  page_->done_number.store(seen);  // pairs with wait_done()
  futex_wake(page_->done_number, 1);
}

bool Exchange::wait_done(std::uint32_t number)
{
  const std::uint32_t seen = page_->done_number.load();
  if (seen == number) return true;
  futex_wait(page_->done_number, seen);
  return page_->done_number.load() == number;
}

void futex_wake(std::atomic<std::uint32_t>& word, int how_many) noexcept
{
  syscall(SYS_futex, &word, FUTEX_WAKE, how_many, nullptr, nullptr, 0);
}

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept
{
  const timespec limit{.tv_sec = 0, .tv_nsec = 100'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

}  // namespace bench

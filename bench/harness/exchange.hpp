// A mapping of the exchange page, and the raw futex.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "harness/exchange_page.hpp"

namespace bench {

/// Made by the driver and handed to both ends as a file descriptor.
class Exchange
{
 public:
  static Exchange create();
  static Exchange open(int fd);
  Exchange(Exchange&& other) noexcept;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  ExchangePage* operator->() const noexcept { return page_; }
  ExchangePage& operator*() const noexcept { return *page_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// Returns the number of the task.
  std::uint32_t post(const Task& task);
  /// The task after number `seen`, which is raised; false if it has to be asked for again, at the
  /// latest after a second.
  bool next_task(std::uint32_t& seen, Task& task);
  /// Ping has done task number `seen`.
  void done(std::uint32_t seen);
  /// True if task `number` is done; else waits for a while.
  bool wait_done(std::uint32_t number);

 private:
  explicit Exchange(int fd);

  int fd_;
  ExchangePage* page_;
};

void futex_wake(std::atomic<std::uint32_t>& word, int how_many) noexcept;
/// Returns when woken, at once if the word is not `seen`, or after a tenth of a second.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept;

}  // namespace bench

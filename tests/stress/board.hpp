// What the conductor and the actors of a stress share: signs of life, counts and findings. A memory
// file of the conductor, handed on as a descriptor; it has nothing to do with the domain under
// test.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "support/random.hpp"

namespace agnocast::stress {

using test::now_ns;
using test::Random;

constexpr std::size_t processes_max = 16;
constexpr std::size_t threads_max = 32;  ///< of a process, its main thread included
constexpr std::size_t findings_max = 100;

enum class Count : std::uint32_t {
  deeds,
  published,
  received,  ///< by take() and by callbacks
  callbacks,
  subscriptions,
  own_destroyed,    ///< subscriptions that their own callback destroyed
  other_destroyed,  ///< subscriptions that another callback destroyed
  nodes_dropped,    ///< by a callback of theirs
  shutdowns,
  tidy_ends,
  untidy_ends,
  count_
};

struct ThreadSeat
{
  std::atomic<std::uint64_t> alive_ns;  ///< the last sign of life; 0: there is no such thread
  char doing[32];
};

struct ProcessSeat
{
  ThreadSeat threads[threads_max];
  std::atomic<std::uint64_t> counts[static_cast<std::size_t>(Count::count_)];
};

struct Finding
{
  std::atomic<std::uint32_t> written;
  char text[400];
};

struct Board
{
  std::uint32_t threads;
  std::uint32_t patience_s;
  std::uint32_t hands_over_loans;  ///< from one thread to another, while they are open
  std::atomic<std::uint32_t> end;
  ProcessSeat processes[processes_max];
  std::atomic<std::uint32_t> findings_count;
  Finding findings[findings_max];

  static Board* map(int descriptor)
  {
    void* address =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return address == MAP_FAILED ? nullptr : static_cast<Board*>(address);
  }
};

/// Notes something that must not be. Allocates nothing.
__attribute__((format(printf, 2, 3))) inline void report(Board& board, const char* format, ...)
{
  const std::uint32_t place = board.findings_count.fetch_add(1);
  if (place >= findings_max) return;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(board.findings[place].text, sizeof board.findings[place].text, format, arguments);
  va_end(arguments);
  board.findings[place].written.store(1);
}

}  // namespace agnocast::stress

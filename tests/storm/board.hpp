// What the conductor and the actors of a storm share: counters, signs of life and findings. It is a
// memory file of the conductor, handed to each actor as a descriptor; it has nothing to do with the
// domain under test. An actor that is killed leaves its counts behind.
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

namespace agnocast::storm {

using test::now_ns;
using test::Random;

enum class Kind : std::uint32_t {
  stable_publisher,
  stable_subscriber,
  publisher,
  subscriber,
  relay,
  joiner,
  forker,
  tidier
};
inline const char* name_of(Kind kind)
{
  constexpr const char* names[] = {"stable publisher",
                                   "stable subscriber",
                                   "publisher",
                                   "subscriber",
                                   "relay",
                                   "joiner",
                                   "forker",
                                   "tidier"};
  return names[static_cast<std::size_t>(kind)];
}

/// What the stable actors are to do now; the others only know `storm`.
enum class Phase : std::uint32_t {
  gather,   ///< create everything
  warm_up,  ///< publish among themselves
  measure,  ///< drain, then note what is in use
  storm,    ///< publish while others are killed
  drain,    ///< publish nothing, take what is there, compare what is in use
  end
};

enum class Count : std::uint32_t {
  published,
  timed_out,
  dropped_loans,
  received,
  bytes,
  verified,
  lost_retention,
  lost_late,
  lost_publisher_gone,
  corrupted,
  leaked,
  unexplained,
  errors,
  endpoints,
  forks,
  count_
};

struct Seat
{
  std::atomic<std::uint32_t> kind;
  std::atomic<std::uint64_t> alive_ns;  ///< the last sign of life
  char doing[32];
  std::atomic<std::uint32_t> reached;  ///< the last Phase that it has finished, plus 1
  std::atomic<std::uint64_t> counts[static_cast<std::size_t>(Count::count_)];
};

/// How far a publisher has come, written by it after each publish.
struct PublisherEntry
{
  std::atomic<std::uint64_t> id;
  std::atomic<std::uint64_t> published;
  std::atomic<std::uint32_t> topic;
  std::atomic<std::uint32_t> left;  ///< it was destroyed in order
};

struct Finding
{
  std::atomic<std::uint32_t> written;
  char text[300];
};

constexpr std::size_t seats_max = 256;
constexpr std::size_t publishers_max = 1u << 19;
constexpr std::size_t findings_max = 200;
constexpr std::size_t forked_max = 1u << 18;

struct Board
{
  std::uint32_t topics;
  std::uint32_t patience_s;
  std::uint32_t heap_all;
  std::atomic<std::uint32_t> phase;
  Seat seats[seats_max];
  std::atomic<std::uint32_t> findings_count;
  Finding findings[findings_max];
  std::atomic<std::uint32_t> publishers_count;
  PublisherEntry publishers[publishers_max];
  std::atomic<std::uint32_t> forked_count;
  std::atomic<std::int32_t> forked[forked_max];

  static Board* map(int descriptor)
  {
    void* address =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return address == MAP_FAILED ? nullptr : static_cast<Board*>(address);
  }
};

/// Notes something that must not be.
__attribute__((format(printf, 3, 4))) inline void report(Board& board, std::size_t seat,
                                                         const char* format, ...)
{
  const std::uint32_t place = board.findings_count.fetch_add(1);
  if (place >= findings_max) return;
  char* text = board.findings[place].text;
  constexpr std::size_t size = sizeof board.findings[place].text;
  const int begin = std::snprintf(text, size, "seat %zu (%s): ", seat,
                                  name_of(static_cast<Kind>(board.seats[seat].kind.load())));
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text + begin, size - static_cast<std::size_t>(begin), format, arguments);
  va_end(arguments);
  board.findings[place].written.store(1);
}

}  // namespace agnocast::storm

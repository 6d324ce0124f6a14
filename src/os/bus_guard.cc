// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/bus_guard.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

namespace agnocast::internal::os {

namespace {

constexpr std::uintptr_t page = 4096;

/// A place of the table that the handler reads. version is odd while the rest changes, and 0 while
/// the place was never used. Zero pages stand in [low, end).
struct Watched
{
  std::atomic<bool> taken{false};
  std::atomic<std::uint32_t> version{0};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<std::uintptr_t> low{0};
  std::atomic<bool> writable{false};
  std::atomic<bool> broken{false};
};

std::array<Watched, 4096> table;
std::atomic<int> table_end{0};
struct sigaction earlier;

void change(Watched& place, std::uintptr_t begin, std::uintptr_t end, bool writable) noexcept
{
  place.version.fetch_add(1);
  place.begin.store(begin);
  place.end.store(end);
  place.low.store(end);
  place.writable.store(writable);
  place.broken.store(false);
  place.version.fetch_add(1);
}

Watched* find(std::uintptr_t address) noexcept
{
  const int end = table_end.load();
  for (int i = 0; i < end; ++i) {
    Watched& place = table[static_cast<std::size_t>(i)];
    const std::uint32_t before = place.version.load();
    const bool inside = address >= place.begin.load() && address < place.end.load();
    // The place of a mapping that a thread is touching does not change.
    if (inside && before % 2 == 0 && place.version.load() == before) return &place;
  }
  return nullptr;
}

// The system call itself: a sanitizer's mmap() is not made for signal handlers.
bool map_zeros(std::uintptr_t begin, std::uintptr_t end, bool writable) noexcept
{
  const long protection = PROT_READ | (writable ? PROT_WRITE : 0);
  const long flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return ::syscall(SYS_mmap, begin, end - begin, protection, flags, -1, 0) ==
         static_cast<long>(begin);
}

bool repair(std::uintptr_t address) noexcept
{
  Watched* const place = find(address);
  if (place == nullptr) return false;
  place->broken.store(true);
  const std::uintptr_t wanted = address / page * page;
  std::uintptr_t low = place->low.load();
  // Each page is replaced once: what was written to a zero page meanwhile stays.
  while (wanted < low) {
    if (place->low.compare_exchange_strong(low, wanted)) {
      return map_zeros(wanted, low, place->writable.load());
    }
  }
  return true;  // another thread is at it: touching the page again shows whether it is done
}

void pass_on(int number, siginfo_t* info, void* context) noexcept
{
  if ((earlier.sa_flags & SA_SIGINFO) != 0) return earlier.sa_sigaction(number, info, context);
  const bool sent = info->si_code <= 0;  // by kill() and the like
  if (earlier.sa_handler == SIG_IGN && sent) return;
  if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN) {
    return earlier.sa_handler(number);
  }
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  ::sigaction(number, &action, nullptr);
  if (sent) static_cast<void>(::raise(number));  // else the access itself raises it again
}

void on_bus_error(int number, siginfo_t* info, void* context)
{
  const int error = errno;
  const bool repaired =
    info->si_code == BUS_ADRERR && repair(reinterpret_cast<std::uintptr_t>(info->si_addr));
  if (!repaired) pass_on(number, info, context);
  errno = error;
}

}  // namespace

void install_bus_guard()
{
  static std::atomic<bool> installed{false};
  if (installed.exchange(true)) return;
  ::sigaction(SIGBUS, nullptr, &earlier);
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_mask = earlier.sa_mask;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigaction(SIGBUS, &action, nullptr);
}

BusGuard::BusGuard(const void* address, std::size_t bytes, bool writable) noexcept
{
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].taken.load() || table[i].taken.exchange(true)) continue;
    change(table[i], begin, begin + (bytes + page - 1) / page * page, writable);
    place_ = static_cast<int>(i);
    int end = table_end.load();
    while (end <= place_ && !table_end.compare_exchange_weak(end, place_ + 1)) {
    }
    return;
  }
}

void BusGuard::release() noexcept
{
  if (place_ < 0) return;
  Watched& place = table[static_cast<std::size_t>(std::exchange(place_, -1))];
  change(place, 0, 0, false);
  place.taken.store(false);
}

bool BusGuard::is_broken() const noexcept
{
  return place_ >= 0 &&
         table[static_cast<std::size_t>(place_)].broken.load(std::memory_order_relaxed);
}

}  // namespace agnocast::internal::os

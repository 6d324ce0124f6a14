// What an attacker of the same user has: its own area writable a second time, the files of others,
// and random values.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "abi/area_layout.h"
#include "abi/registry_layout.h"
#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {

/// Without pointers, so that any bytes can be read as one.
struct Flat
{
  std::uint64_t number;
  std::uint64_t values[31];
};
inline void fill(Flat& flat, std::uint64_t number)
{
  flat.number = number;
  for (std::uint64_t i = 0; i < 31; ++i) flat.values[i] = number * 31 + i;
}
inline bool is_whole(const Flat& flat)
{
  for (std::uint64_t i = 0; i < 31; ++i) {
    if (flat.values[i] != flat.number * 31 + i) return false;
  }
  return true;
}
inline PublishStatus publish_flat(Publisher<Flat>& publisher, std::uint64_t number)
{
  auto loan = publisher.borrow_loaned_message();
  fill(*loan, number);
  return publisher.publish(std::move(loan));
}

inline std::string doorbell_path(pid_t pid)
{
  return "/dev/shm/agnocast_doorbell@" + std::to_string(pid);
}

/// Opens a file of this user for writing, whatever its mode.
inline int open_for_attack(const std::string& path)
{
  ::chmod(path.c_str(), 0600);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  require(fd >= 0, path + " can be opened by its user");
  return fd;
}
inline void truncate_file(const std::string& path, off_t bytes = 0)
{
  const int fd = open_for_attack(path);
  require(::ftruncate(fd, bytes) == 0, path + " can be truncated by its user");
  ::close(fd);
}
inline std::byte* map_for_attack(const std::string& path, std::size_t bytes)
{
  const int fd = open_for_attack(path);
  void* got = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  require(got != MAP_FAILED, path + " can be mapped by its user");
  return static_cast<std::byte*>(got);
}

/// Values that readers might believe: small numbers, offsets, addresses, and noise.
class Garbage
{
 public:
  explicit Garbage(std::uint64_t seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  std::uint64_t value(const std::byte* own_area)
  {
    switch (random_() % 7) {
      case 0:
        return random_();
      case 1:
        return random_() % 64;
      case 2:
        return AGNOCAST_CONTROL + random_() % 0x8000 / 64 * 64 + random_() % 8;
      case 3:
        return reinterpret_cast<std::uintptr_t>(own_area) + AGNOCAST_HEAP + random_() % 0x400000;
      case 4:
        return ~std::uint64_t{0} - random_() % 64;
      case 5:
        return (random_() % 0x10000) << 32 | random_() % 0x10000;
      default:
        return random_() % 4096;
    }
  }

 private:
  std::mt19937_64 random_;
};

inline void write_word(std::byte* memory, std::uint64_t offset, std::uint64_t value)
{
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(memory + offset), value, __ATOMIC_SEQ_CST);
}

/// Where an area lies in this process.
inline std::byte* area_address(pid_t pid)
{
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(area_path(pid)) == std::string::npos) continue;
    return reinterpret_cast<std::byte*>(std::stoull(line, nullptr, 16));
  }
  return nullptr;
}

/// Standard error of this process into a file of its own, to be read.
class Complaints
{
 public:
  Complaints()
  {
    fd_ = ::memfd_create("complaints", MFD_CLOEXEC);
    require(fd_ >= 0 && ::dup2(fd_, STDERR_FILENO) >= 0, "standard error into a file");
  }
  [[nodiscard]] int count(const std::string& what) const
  {
    std::string text(1 << 16, '\0');
    const ssize_t got = ::pread(fd_, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    int found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
      ++found;
    }
    return found;
  }

 private:
  int fd_ = -1;
};

/// Takes flat messages of one publisher and says what came: "in order", or what was wrong.
inline std::string receive_in_order(Subscription<Flat>& subscription, WaitSet& wait_set,
                                    std::uint64_t publisher, std::uint64_t from, std::uint64_t to,
                                    const std::function<void(std::uint64_t)>& on_message = {},
                                    std::chrono::seconds limit = patience)
{
  std::uint64_t next = from;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (next <= to && std::chrono::steady_clock::now() < deadline) {
    const auto message = subscription.take();
    if (!message) {
      wait_set.wait(std::chrono::milliseconds(100));
      continue;
    }
    if (message.info().publisher_id != publisher) continue;  // of the attacker: anything
    if (!is_whole(*message)) return "broken message " + std::to_string(message->number);
    if (message->number != next) {
      return "message " + std::to_string(message->number) + " instead of " + std::to_string(next);
    }
    if (on_message) on_message(next);
    ++next;
  }
  return next > to ? "in order" : "nothing after " + std::to_string(next - 1);
}

}  // namespace agnocast::test

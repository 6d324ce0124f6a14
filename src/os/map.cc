// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/map.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace agnocast::internal::os {

bool reserve(void* address, std::size_t bytes)
{
  void* got = ::mmap(address, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == MAP_FAILED) return false;
  if (got == address) return true;
  ::munmap(got, bytes);  // kernels before 4.17 take the address for a hint
  errno = EEXIST;
  return false;
}

bool reserve_again(void* address, std::size_t bytes)
{
  return ::mmap(address, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                -1, 0) != MAP_FAILED;
}

bool unmap(void* address, std::size_t bytes)
{
  return ::munmap(address, bytes) == 0;
}

void* map_file(void* address, std::size_t bytes, int fd, bool writable)
{
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const int flags = MAP_SHARED | MAP_NORESERVE | (address == nullptr ? 0 : MAP_FIXED);
  void* got = ::mmap(address, bytes, protection, flags, fd, 0);
  return got == MAP_FAILED ? nullptr : got;
}

void* map_file_closed(void* address, std::size_t bytes, int fd)
{
  void* got = ::mmap(address, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
  if (got == MAP_FAILED) return nullptr;
  ::madvise(got, bytes, MADV_DONTDUMP);
  return got;
}

bool allow_access(void* address, std::size_t bytes, bool writable)
{
  return ::mprotect(address, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

bool forbid_access(void* address, std::size_t bytes)
{
  return ::mprotect(address, bytes, PROT_NONE) == 0;
}

void* map_private(std::size_t bytes, bool writable)
{
  void* got = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  ::madvise(got, bytes, MADV_DONTDUMP);
  return got;
}

bool replace_mapping(void* from, std::size_t bytes, void* to)
{
  return ::mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED;
}

namespace {

// A system call that cannot write to a page says so, where a store would raise SIGBUS. The signal
// mask is what any sandbox lets a process ask for.
Secured touch_through_kernel(void* address, std::size_t bytes)
{
  constexpr std::size_t page = 4096;
  auto* at = static_cast<volatile std::uint64_t*>(address);
  for (std::size_t done = 0; done < bytes; done += page, at += page / sizeof *at) {
    auto* word = const_cast<std::uint64_t*>(at);
    if (::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, word, sizeof *word) != 0) {
      return Secured::full;
    }
    *at = 0;
  }
  return Secured::yes;
}

}  // namespace

Secured populate(void* address, std::size_t bytes)
{
  int status = 0;
  do {
    status = ::madvise(address, bytes, MADV_POPULATE_WRITE);
  } while (status != 0 && (errno == EINTR || errno == EAGAIN));
  if (status == 0) return Secured::yes;
  return errno == EINVAL ? touch_through_kernel(address, bytes) : Secured::full;
}

void prefault(void* address, std::size_t bytes)
{
  int status = 0;
  do {
    status = ::madvise(address, bytes, MADV_POPULATE_WRITE);
  } while (status != 0 && (errno == EINTR || errno == EAGAIN));
}

std::string mapping_in_the_way(const void* address, std::size_t bytes)
{
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr) return {};
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  std::string found;
  char line[512];
  while (found.empty() && std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long from = 0;
    unsigned long to = 0;
    if (std::sscanf(line, "%lx-%lx", &from, &to) == 2 && from < begin + bytes && to > begin) {
      found = line;
      while (!found.empty() && found.back() == '\n') found.pop_back();
    }
  }
  std::fclose(maps);
  return found;
}

}  // namespace agnocast::internal::os

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/epoch.hpp"
#include "os/short_lock.hpp"

namespace agnocast::internal::os {

Descriptor::~Descriptor()
{
  if (fd_ >= 0) ::close(fd_);
}

namespace {

// The places are one process's, so one thread must not give them back while another still opens.
constinit ShortLock places_lock;
std::atomic<std::uint32_t> places_epoch{0};  // of the process that the rest belongs to
std::size_t places_users = 0;                // guarded by places_lock, as the rest
std::size_t places_count = 0;
std::array<int, STDERR_FILENO + 1> places{};

// A forked child has none of the threads that were opening something.
void enter_places() noexcept
{
  if (places_epoch.load(std::memory_order_relaxed) != current_epoch()) {
    places_lock.reset_in_child();
    places_epoch.store(current_epoch(), std::memory_order_relaxed);
    places_users = 0;
  }
  places_lock.lock();
}

}  // namespace

StandardPlaces::StandardPlaces() noexcept
{
  enter_places();
  if (places_users++ == 0) {
    places_count = 0;
    while (places_count < places.size()) {
      // Nobody can read or write through it.
      const int fd = ::open("/", O_PATH | O_CLOEXEC);
      if (fd > STDERR_FILENO) ::close(fd);
      if (fd < 0 || fd > STDERR_FILENO) break;
      places[places_count++] = fd;
    }
  }
  places_lock.unlock();
}

StandardPlaces::~StandardPlaces()
{
  const int error = errno;
  enter_places();
  if (places_users != 0 && --places_users == 0) {
    for (std::size_t i = 0; i < places_count; ++i) {
      // The program may have put a stream of its own there meanwhile.
      const int flags = ::fcntl(places[i], F_GETFL);
      if (flags >= 0 && (flags & O_PATH) != 0) ::close(places[i]);
    }
  }
  places_lock.unlock();
  errno = error;
}

int above_standard(int fd) noexcept
{
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int above = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  ::close(fd);
  errno = error;
  return above;
}

Descriptor open_shared(const std::string& name, int flags, mode_t mode)
{
  const StandardPlaces taken;
  // O_NONBLOCK: a FIFO that somebody put under one of our names must not hold us up.
  Descriptor file(
    above_standard(::shm_open(name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode)));
  struct stat status = {};
  if (file && (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))) {
    file = Descriptor();
    errno = ENOTSUP;
  }
  return file;
}

namespace {

// The kernel answers a change beyond RLIMIT_FSIZE with SIGXFSZ, which ends the process.
bool is_within_limit(std::uint64_t end)
{
  if (end <= file_size_limit()) return true;
  errno = EFBIG;
  return false;
}

}  // namespace

bool unlink_shared(const std::string& name)
{
  return ::shm_unlink(name.c_str()) == 0;
}

bool shared_exists(const std::string& name)
{
  struct stat status = {};
  return ::lstat(("/dev/shm" + name).c_str(), &status) == 0 || errno != ENOENT;
}

namespace {

FileStatus to_status(const struct stat& status)
{
  return FileStatus{status.st_dev,
                    status.st_ino,
                    static_cast<std::uint64_t>(status.st_size),
                    static_cast<std::uint32_t>(status.st_nlink),
                    status.st_uid,
                    status.st_gid,
                    status.st_mode};
}

}  // namespace

std::optional<FileStatus> status_of(int fd)
{
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  return to_status(status);
}

std::optional<FileStatus> status_of_shared(const std::string& name)
{
  struct stat status = {};
  if (::lstat(("/dev/shm" + name).c_str(), &status) != 0) return std::nullopt;
  return to_status(status);
}

bool set_size(int fd, std::uint64_t bytes)
{
  return is_within_limit(bytes) && ::ftruncate(fd, static_cast<off_t>(bytes)) == 0;
}

bool set_mode(int fd, mode_t mode)
{
  return ::fchmod(fd, mode) == 0;
}

bool set_group(int fd, gid_t group)
{
  return ::fchown(fd, static_cast<uid_t>(-1), group) == 0;
}

bool write_at(int fd, const void* source, std::size_t bytes, std::uint64_t offset)
{
  if (!is_within_limit(offset + bytes)) return false;
  const auto* from = static_cast<const char*>(source);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(fd, from, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += written;
    bytes -= static_cast<std::size_t>(written);
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

ssize_t read_at(int fd, void* target, std::size_t bytes, std::uint64_t offset)
{
  ssize_t got = 0;
  do {
    got = ::pread(fd, target, bytes, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  return got;
}

bool allocate_range(int fd, std::uint64_t offset, std::uint64_t bytes)
{
  if (!is_within_limit(offset + bytes)) return false;
  int error = 0;
  do {
    error = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (error == EINTR);
  errno = error;
  return error == 0;
}

bool mark_as_made(int fd)
{
  // Who looks at the file just now is in the way for a moment.
  for (int i = 0; i < 100; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    ::sched_yield();
  }
  return false;
}

void mark_as_finished(int fd)
{
  // A mapping keeps the lock beyond the descriptor.
  ::flock(fd, LOCK_UN);
}

bool is_being_made(int fd)
{
  return ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::vector<std::string> list_shared(const std::string& prefix)
{
  std::vector<std::string> names;
  DIR* folder = ::opendir("/dev/shm");
  if (folder == nullptr) return names;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::strncmp(entry->d_name, prefix.c_str(), prefix.size()) == 0) {
      names.emplace_back(entry->d_name);
    }
  }
  ::closedir(folder);
  return names;
}

std::optional<SharedSpace> shared_space()
{
  struct statvfs status = {};
  if (::statvfs("/dev/shm", &status) != 0) return std::nullopt;
  return SharedSpace{status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize};
}

std::optional<gid_t> group_id(const std::string& name)
{
  char buffer[4096];
  struct group entry = {};
  struct group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return found->gr_gid;
}

std::uint64_t file_size_limit()
{
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return ~0ull;
  return limit.rlim_cur;
}

std::string error_text(int error)
{
  char buffer[128] = {};
  return ::strerror_r(error, buffer, sizeof buffer);
}

}  // namespace agnocast::internal::os

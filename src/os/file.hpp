// Shared-memory files and descriptors.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agnocast::internal::os {

/// Owns a descriptor; all are close-on-exec.
class Descriptor
{
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept
  {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// While any exists, in whichever thread, 0, 1 and 2 are taken. A program that runs without some of
/// its standard streams must not find a shared object in their place: what it prints would be
/// written into it.
class StandardPlaces
{
 public:
  StandardPlaces() noexcept;
  ~StandardPlaces();
  StandardPlaces(const StandardPlaces&) = delete;
  StandardPlaces& operator=(const StandardPlaces&) = delete;
};

/// The same descriptor, or a copy of it in its place, above the standard ones: the program may have
/// closed one of those while ours was opened.
int above_standard(int fd) noexcept;

struct FileStatus
{
  std::uint64_t device, inode, bytes;
  std::uint32_t links, uid, gid, mode;
};

/// All of these give false, an empty optional or a closed descriptor on failure and leave errno.
Descriptor open_shared(const std::string& name, int flags, mode_t mode = 0);
bool unlink_shared(const std::string& name);
/// Whether the name is taken, by whatever kind of file.
bool shared_exists(const std::string& name);
std::optional<FileStatus> status_of(int fd);
std::optional<FileStatus> status_of_shared(const std::string& name);
bool set_size(int fd, std::uint64_t bytes);
bool set_mode(int fd, mode_t mode);
bool set_group(int fd, gid_t group);
bool write_at(int fd, const void* source, std::size_t bytes, std::uint64_t offset);
/// Bytes read, which may be fewer at the end of the file; -1 on failure.
ssize_t read_at(int fd, void* target, std::size_t bytes, std::uint64_t offset);
/// Secures backing memory without touching it.
bool allocate_range(int fd, std::uint64_t offset, std::uint64_t bytes);

/// From the first to the second of these, is_being_made() is true for the file, in every process
/// and pid namespace. If the process dies meanwhile, that ends when its memory is gone.
/// False if somebody else makes it, or looked at it all the time.
bool mark_as_made(int fd);
void mark_as_finished(int fd);
[[nodiscard]] bool is_being_made(int fd);

/// Names in /dev/shm that begin with `prefix`, without the leading slash.
std::vector<std::string> list_shared(const std::string& prefix);
/// Bytes that /dev/shm has in all and free; empty if there is no such file system.
struct SharedSpace
{
  std::uint64_t total, free;
};
std::optional<SharedSpace> shared_space();
std::optional<gid_t> group_id(const std::string& name);
/// RLIMIT_FSIZE in bytes; the largest number if there is none.
std::uint64_t file_size_limit();
std::string error_text(int error);

}  // namespace agnocast::internal::os

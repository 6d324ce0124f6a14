// Address space: reserving, mapping, securing.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace agnocast::internal::os {

/// All give false or nullptr on failure and leave errno. Addresses and sizes are whole pages.
/// Sets [address, address + bytes) aside without memory, where nothing is mapped yet.
bool reserve(void* address, std::size_t bytes);
/// Puts inaccessible reserve in the place of whatever is mapped there.
bool reserve_again(void* address, std::size_t bytes);
bool unmap(void* address, std::size_t bytes);
/// Maps a file in the place of what is mapped there; `address` nullptr: anywhere.
void* map_file(void* address, std::size_t bytes, int fd, bool writable);
/// Maps a file in the place of what is mapped there, without access to it yet, and leaves it out of
/// core dumps. mlockall() brings in every page of a shared file that may be accessed, holes too.
void* map_file_closed(void* address, std::size_t bytes, int fd);
bool allow_access(void* address, std::size_t bytes, bool writable);
bool forbid_access(void* address, std::size_t bytes);
/// Zeroed private memory; takes room only where it is touched, and none in core dumps.
void* map_private(std::size_t bytes, bool writable = true);
bool replace_mapping(void* from, std::size_t bytes, void* to);

enum class Secured {
  yes,
  full,  ///< the file system or the memory limit allows no more
};
/// Backs fresh pages of a shared mapping with memory and enters them into the page table, without a
/// descriptor and without SIGBUS. Kernels before 5.14 do it page by page.
Secured populate(void* address, std::size_t bytes);

/// Backs private memory that may hold something, if the kernel can (5.14); else its first use does.
void prefault(void* address, std::size_t bytes);

/// The line of /proc/self/maps of the first mapping that overlaps the range; empty if none does.
std::string mapping_in_the_way(const void* address, std::size_t bytes);

}  // namespace agnocast::internal::os

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "introspection/area_file.hpp"

#include <fcntl.h>

#include "memory/names.hpp"

namespace agnocast::internal {

AreaFile::AreaFile(const std::string& process, std::uint64_t process_id)
  : file_(os::open_shared(area_name(process), O_RDONLY))
{
  if (!file_) return;
  const bool is_whole =
    os::read_at(file_.get(), &header_, sizeof header_, 0) == static_cast<ssize_t>(sizeof header_);
  if (!is_whole || header_.magic != AGNOCAST_AREA_MAGIC ||
      header_.abi_version != AGNOCAST_ABI_VERSION || header_.process_id != process_id) {
    file_ = os::Descriptor();
  }
}

bool AreaFile::read_bytes(std::uint64_t offset, void* target, std::size_t bytes) const
{
  if (offset < AGNOCAST_CONTROL || bytes > AGNOCAST_GUARD || offset > AGNOCAST_GUARD - bytes) {
    return false;
  }
  return os::read_at(file_.get(), target, bytes, offset) == static_cast<ssize_t>(bytes);
}

std::optional<agnocast_waiter> AreaFile::waiter(std::uint32_t index) const
{
  if (index >= AGNOCAST_WAITERS) return std::nullopt;
  agnocast_waiter waiter{};
  const std::uint64_t offset = AGNOCAST_WAITERS_OFFSET + index * sizeof waiter;
  if (os::read_at(file_.get(), &waiter, sizeof waiter, offset) !=
      static_cast<ssize_t>(sizeof waiter)) {
    return std::nullopt;
  }
  return waiter;
}

}  // namespace agnocast::internal

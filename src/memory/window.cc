// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/window.hpp"

#include <cerrno>
#include <cstdio>

#include "abi/area_layout.h"
#include "os/file.hpp"
#include "os/map.hpp"

namespace agnocast::internal {

namespace {

std::string describe(const WindowSetting& setting)
{
  char text[96];
  std::snprintf(text, sizeof text, "the window 0x%llx-0x%llx",
                static_cast<unsigned long long>(setting.base),
                static_cast<unsigned long long>(setting.base + setting.bytes));
  return text;
}

}  // namespace

bool Window::is_possible(const WindowSetting& setting) noexcept
{
  constexpr std::uint64_t addresses_end = std::uint64_t{1} << 56;
  return (setting.base | setting.bytes | setting.slot_bytes) % AGNOCAST_PAGE == 0 &&
         setting.base != 0 && setting.slot_bytes >= AGNOCAST_SLOT_BYTES_MIN &&
         setting.bytes >= setting.slot_bytes && setting.base < addresses_end &&
         setting.bytes < addresses_end;
}

Result<Window> Window::reserve(const WindowSetting& setting)
{
  auto* base = reinterpret_cast<void*>(setting.base);
  if (os::reserve(base, setting.bytes)) return Window(setting);
  const int error = errno;
  std::string text = describe(setting) + " of this domain cannot be reserved: ";
  if (error == EEXIST) {
    const std::string mapping = os::mapping_in_the_way(base, setting.bytes);
    text += "the mapping '" + (mapping.empty() ? std::string("unknown") : mapping) +
            "' is in the way; set AGNOCAST_WINDOW=<base>:<size> to a range that is free in all "
            "processes of the domain (docs/addresses.md lists such ranges)";
  } else if (error == ENOMEM) {
    text +=
      "it is more address space than this process may have (see 'ulimit -v') or than the machine "
      "has; set AGNOCAST_WINDOW=<base>:<size> to a smaller one for all processes of the domain";
  } else if (error == EAGAIN) {
    text +=
      "after mlockall(MCL_FUTURE) it counts as locked memory, and this process may not have so "
      "much; raise the limit with 'ulimit -l unlimited', or set AGNOCAST_WINDOW=<base>:<size> to a "
      "smaller one for all processes of the domain";
  } else {
    text += os::error_text(error);
  }
  return Failure{FailureKind::resource, std::move(text)};
}

}  // namespace agnocast::internal

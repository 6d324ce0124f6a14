// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "memory/area.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/atomic.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"
#include "os/map.hpp"
#include "os/process.hpp"

namespace agnocast::internal {

namespace {

constexpr std::size_t control_step = 0x10000;
constexpr std::int64_t longest_sleep_ns = 1'000'000'000;
constexpr std::int64_t deaf_sleep_ns = 5'000'000;

std::string in_megabytes(std::uint64_t bytes)
{
  return std::to_string((bytes + 999'999) / 1'000'000) + " MB";
}

std::string in_kilobytes(std::uint64_t bytes)
{
  return std::to_string((bytes + 999) / 1'000) + " kB";
}

}  // namespace

Failure shared_memory_failure(const std::string& name, int error)
{
  std::string text = "/dev/shm" + name + " cannot be made: ";
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      text += "there is no /dev/shm; mount one with 'mount -t tmpfs tmpfs /dev/shm'";
      break;
    case EROFS:
      text += "/dev/shm is read-only; mount it writable with 'mount -o remount,rw /dev/shm'";
      break;
    case EACCES:
    case EPERM:
      text += "/dev/shm is closed to this user; it should have mode 1777";
      break;
    case ENOSPC:
      text +=
        "/dev/shm is full or has no inodes left; enlarge it with "
        "'mount -o remount,size=<size> /dev/shm' or remove what is not needed";
      break;
    case EMFILE:
    case ENFILE:
      text += "too many open files; raise the limit with 'ulimit -n <number>'";
      break;
    case EFBIG:
      text += "it is larger than files may be here; raise the limit with 'ulimit -f unlimited'";
      break;
    case ENOMEM:
      text +=
        "it is more address space than this process may have; raise the limit with 'ulimit -v'";
      break;
    case EAGAIN:
      text +=
        "it is more locked memory than this process may have; raise the limit with 'ulimit -l', "
        "or call mlockall() without MCL_FUTURE";
      break;
    default:
      text += os::error_text(error);
  }
  return {FailureKind::resource, std::move(text)};
}

namespace {

Failure too_little_space(const std::string& name, std::uint64_t needed, const std::string& source)
{
  const auto space = os::shared_space();
  std::string text = "the area " + name + " needs " + in_megabytes(needed);
  if (space) {
    text += ", but /dev/shm has only " + in_megabytes(space->free) + " free of " +
            in_megabytes(space->total);
  }
  text +=
    ": enlarge it with 'mount -o remount,size=<size> /dev/shm' (docker: --shm-size), or set " +
    source + " to fewer bytes";
  return {FailureKind::resource, std::move(text)};
}

}  // namespace

Result<std::unique_ptr<Area>> Area::create(AreaRequest request)
{
  if (request.mempool_bytes > request.window->slot_bytes() - AGNOCAST_HEAP) {
    return Failure{FailureKind::setting,
                   request.mempool_source + " asks for " + in_megabytes(request.mempool_bytes) +
                     ", but a slot of this domain's window has " +
                     in_megabytes(request.window->slot_bytes() - AGNOCAST_HEAP) +
                     " for the heap: set it lower, or give the domain larger slots with "
                     "AGNOCAST_WINDOW=<base>:<size>:<slot size>"};
  }
  std::unique_ptr<Area> area(new Area());
  if (Status status = area->map(request); !status) return std::move(status.failure());
  if (Status status = area->make_doorbell(request); !status) return std::move(status.failure());
  return area;
}

Status Area::map(AreaRequest& request)
{
  process_ = request.process;
  slot_ = request.slot;
  slot_bytes_ = request.window->slot_bytes();
  // As large as it may ever become: a sparse file costs nothing, and neither the owner needs a
  // descriptor to grow it nor the peers a mapping to see it grow.
  file_bytes_ = std::min(slot_bytes_, os::file_size_limit() / AGNOCAST_PAGE * AGNOCAST_PAGE);
  const std::uint64_t needed = AGNOCAST_CONTROL + control_step + request.mempool_bytes;
  if (file_bytes_ < AGNOCAST_HEAP + request.mempool_bytes) {
    return Failure{FailureKind::resource, "the area of this process needs files of " +
                                            in_megabytes(AGNOCAST_HEAP + request.mempool_bytes) +
                                            ", but its limit is " + in_megabytes(file_bytes_) +
                                            ": raise it with 'ulimit -f unlimited', or set " +
                                            request.mempool_source + " to fewer bytes"};
  }
  const std::string& name = area_name_ = area_name(process_);
  doorbell_name_ = doorbell_name(process_);
  file_ = std::move(request.claimed);
  area_made_ = static_cast<bool>(file_);
  if (!file_) {
    file_ = os::open_shared(name, O_RDWR | O_CREAT | O_EXCL, request.permissions.area);
    if (!file_) return shared_memory_failure(name, errno);
    static_cast<void>(os::mark_as_made(file_.get()));
  }
  area_made_ = true;
  if (!request.permissions.apply(file_.get(), request.permissions.area) ||
      !os::set_size(file_.get(), file_bytes_)) {
    return shared_memory_failure(name, errno);
  }
  AGNOCAST_FAILPOINT("area.sized");
  auto* address = request.window->slot_address(slot_);
  if (os::map_file_closed(address, file_bytes_, file_.get()) == nullptr) {
    return shared_memory_failure(name, errno);
  }
  base_ = address;
  area_guard_ = os::BusGuard(base_, file_bytes_, true);
  if (!secure(0, AGNOCAST_CONTROL + control_step) ||
      !secure(AGNOCAST_HEAP, request.mempool_bytes)) {
    return too_little_space(name, needed, request.mempool_source);
  }
  AGNOCAST_FAILPOINT("area.secured");
  control_secured_ = AGNOCAST_CONTROL + control_step;
  heap_secured_ = request.mempool_bytes / AGNOCAST_PAGE * AGNOCAST_PAGE;
  header().abi_version = AGNOCAST_ABI_VERSION;
  header().domain = request.domain;
  header().slot = slot_;
  header().pid = os::process_id();
  header().slot_bytes = slot_bytes_;
  header().secured_end = AGNOCAST_HEAP + heap_secured_;
  AGNOCAST_FAILPOINT("area.header_written");
  // Pairs with the load of magic in PeerArea::map and in the sweep of dead areas.
  store_release(header().magic, std::uint64_t{AGNOCAST_AREA_MAGIC});
  AGNOCAST_FAILPOINT("area.ready");
  return Nothing{};
}

Status Area::make_doorbell(const AreaRequest& request)
{
  const std::string& name = doorbell_name_;
  os::unlink_shared(name);
  const os::Descriptor file =
    os::open_shared(name, O_RDWR | O_CREAT | O_EXCL, request.permissions.shared);
  if (!file) return shared_memory_failure(name, errno);
  doorbell_made_ = true;
  AGNOCAST_FAILPOINT("doorbell.created");
  if (!request.permissions.apply(file.get(), request.permissions.shared) ||
      !os::set_size(file.get(), sizeof(agnocast_doorbell))) {
    return shared_memory_failure(name, errno);
  }
  void* address = os::map_file(nullptr, sizeof(agnocast_doorbell), file.get(), true);
  if (address == nullptr) return shared_memory_failure(name, errno);
  doorbell_ = static_cast<agnocast_doorbell*>(address);
  bell_guard_ = os::BusGuard(address, sizeof(agnocast_doorbell), true);
  AGNOCAST_FAILPOINT("doorbell.mapped");
  if (os::populate(address, sizeof(agnocast_doorbell)) == os::Secured::full) {
    return too_little_space(name, sizeof(agnocast_doorbell), request.mempool_source);
  }
  return Nothing{};
}

Area::~Area()
{
  if (abandoned_) return;
  unlink();
  area_guard_.release();
  bell_guard_.release();
  if (base_ != nullptr) os::reserve_again(base_, slot_bytes_);
  if (doorbell_ != nullptr) os::unmap(doorbell_, sizeof(agnocast_doorbell));
}

std::int64_t Area::look_again_at(std::int64_t deadline_ns) const noexcept
{
  const std::int64_t end =
    os::monotonic_ns() + (has_broken_doorbell() ? deaf_sleep_ns : longest_sleep_ns);
  return deadline_ns < 0 ? end : std::min(deadline_ns, end);
}

void Area::unlink() noexcept
{
  if (abandoned_) return;
  if (doorbell_made_) os::unlink_shared(doorbell_name_);
  AGNOCAST_FAILPOINT("leave.doorbell_unlinked");
  if (area_made_) os::unlink_shared(area_name_);  // last: the sweep finds us by it
  AGNOCAST_FAILPOINT("leave.area_unlinked");
  area_made_ = doorbell_made_ = false;
}

void Area::finish() noexcept
{
  os::mark_as_finished(file_.get());
  file_ = os::Descriptor();
}

bool Area::secure(std::uint64_t offset, std::size_t bytes) noexcept
{
  if (offset + bytes > file_bytes_) return false;
  const std::size_t whole = (bytes + AGNOCAST_PAGE - 1) / AGNOCAST_PAGE * AGNOCAST_PAGE;
  // What is not secured stays closed: see map_file_closed().
  if (!os::allow_access(base_ + offset, whole, true)) return false;
  if (os::populate(base_ + offset, whole) == os::Secured::yes) return true;
  os::forbid_access(base_ + offset, whole);
  return false;
}

bool Area::secure_heap(std::size_t end) noexcept
{
  if (end <= heap_secured_) return true;
  if (end > heap_bytes() || !secure(AGNOCAST_HEAP + heap_secured_, end - heap_secured_))
    return false;
  AGNOCAST_FAILPOINT("heap.memory_secured");
  heap_secured_ = end;
  // Pairs with the load in PeerArea::holds_message.
  store_release(header().secured_end, std::uint64_t{AGNOCAST_HEAP + end});
  AGNOCAST_FAILPOINT("heap.growth_announced");
  return true;
}

std::uint64_t Area::take_control(std::size_t bytes)
{
  const std::lock_guard lock(control_mutex_);
  const std::uint64_t offset = control_.allocate(bytes);
  const std::uint64_t end = offset + ControlSpace::rounded(bytes);
  if (offset == 0) return 0;
  if (end > control_secured_) {
    const std::uint64_t whole_steps = std::min<std::uint64_t>(
      (end + control_step - 1) / control_step * control_step, AGNOCAST_GUARD);
    if (!secure(control_secured_, whole_steps - control_secured_)) {
      control_.give_back(offset, bytes);
      return 0;
    }
    control_secured_ = whole_steps;
  }
  if (end > control_extent()) control_end_.store(end, std::memory_order_relaxed);
  return offset;
}

std::uint64_t Area::allocate_control(std::size_t bytes)
{
  const std::uint64_t offset = take_control(bytes);
  if (offset == 0) return 0;
  // Word by word: a peer with a stale pointer may look at the words meanwhile.
  auto* words = at<std::uint64_t>(offset);
  for (std::size_t i = 0; i < ControlSpace::rounded(bytes) / sizeof(std::uint64_t); ++i)
    store_relaxed(words[i], std::uint64_t{0});
  return offset;
}

void Area::free_control(std::uint64_t offset, std::size_t bytes) noexcept
{
  const std::lock_guard lock(control_mutex_);
  control_.give_back(offset, bytes);
}

Failure Area::control_failure(const std::string& what, std::size_t bytes)
{
  std::uint64_t free = 0;
  std::uint64_t largest = 0;
  {
    const std::lock_guard lock(control_mutex_);
    free = control_.free_bytes();
    largest = control_.largest_free();
  }
  std::string text = "no room for " + what + ": it takes " + in_kilobytes(bytes);
  if (largest >= ControlSpace::rounded(bytes)) {
    text +=
      ", and /dev/shm is full: enlarge it with 'mount -o remount,size=<size> /dev/shm' (docker: "
      "--shm-size), or remove what is not needed";
  } else {
    text += " of the control part of this process's area, which has " + in_kilobytes(free) +
            " free of " + in_kilobytes(AGNOCAST_GUARD - AGNOCAST_CONTROL) +
            (free >= ControlSpace::rounded(bytes)
               ? ", but no more than " + in_kilobytes(largest) + " in one piece"
               : std::string()) +
            ": choose smaller depths and hold_limits, or destroy publishers and subscriptions that "
            "are not needed";
  }
  return {FailureKind::resource, std::move(text)};
}

std::uint32_t Area::take_waiter()
{
  const std::lock_guard lock(control_mutex_);
  for (std::uint32_t i = 1; i < AGNOCAST_WAITERS; ++i) {
    if (!waiters_taken_[i]) {
      waiters_taken_[i] = true;
      return i;
    }
  }
  return AGNOCAST_NO_WAITER;
}

void Area::give_back_waiter(std::uint32_t index)
{
  const std::lock_guard lock(control_mutex_);
  waiters_taken_[index] = false;
}

std::uint32_t Area::take_hint_word() noexcept
{
  const std::lock_guard lock(hint_words_mutex_);
  std::uint32_t index = 0;
  while (index < AGNOCAST_HINT_WORDS && hint_words_taken_[index]) ++index;
  if (index < AGNOCAST_HINT_WORDS) hint_words_taken_[index] = true;
  return index;
}

void Area::give_back_hint_word(std::uint32_t index) noexcept
{
  const std::lock_guard lock(hint_words_mutex_);
  hint_words_taken_[index] = false;
}

}  // namespace agnocast::internal

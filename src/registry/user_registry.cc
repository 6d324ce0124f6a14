// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/user_registry.hpp"

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/atomic.hpp"
#include "base/log.hpp"
#include "ledger/ledger.h"
#include "memory/names.hpp"
#include "os/failpoint.hpp"
#include "os/file.hpp"
#include "os/futex.hpp"
#include "os/map.hpp"
#include "os/process.hpp"
#include "registry/failures.hpp"
#include "registry/host.hpp"
#include "registry/registry_files.hpp"
#include "registry/remains.hpp"

namespace agnocast::internal {

namespace {

int store_in_file(void* context, std::uint64_t offset, const void* source, std::uint64_t bytes)
{
  const int fd = static_cast<os::Descriptor*>(context)->get();
#ifdef AGNOCAST_FAILPOINTS
  // A signal that kills may end a write between two of its pages, and so anywhere in a record.
  if (bytes > sizeof(std::uint64_t)) {
    if (!os::write_at(fd, source, bytes / 2, offset)) return errno;
    AGNOCAST_FAILPOINT("registry.half_stored");
  }
#endif
  if (!os::write_at(fd, source, bytes, offset)) return errno;
  AGNOCAST_FAILPOINT("registry.stored");
  return 0;
}

}  // namespace

UserRegistry::Locked::~Locked()
{
  if (keep) return;
  if (created) os::unlink_shared(name);
  if (lock.is_fresh()) lock.remove();
}

/// The registry's file, while its lock is held.
Status UserRegistry::open(Locked& locked, bool create)
{
  locked.file = os::open_shared(name_, O_RDWR);
  const auto status = locked.file ? std::nullopt : os::status_of_shared(name_);
  if (status && status->uid == os::effective_user() && (status->mode & 0600) == 0) {
    // Its maker died before it gave the file its mode, under a umask that shut out even it.
    os::unlink_shared(name_);
    locked.file = os::open_shared(name_, O_RDWR);
  }
  if (!locked.file && errno == ENOENT && create) {
    locked.file = os::open_shared(name_, O_RDWR | O_CREAT | O_EXCL, permissions_.shared);
    locked.created = static_cast<bool>(locked.file);
    if (locked.created) AGNOCAST_FAILPOINT("registry.created");
  }
  if (!locked.file) {
    const int error = errno;
    if (error == ENOENT && !locked.lock.is_fresh()) locked.lock.remove();  // a lock of nothing
    return cannot_open(error);
  }
  if (locked.created && !permissions_.apply(locked.file.get(), permissions_.shared)) {
    log_warning("the group of " + name_ + " cannot be set: " + os::error_text(errno));
  }
  return Nothing{};
}

Result<std::unique_ptr<UserRegistry::Locked>> UserRegistry::lock(
  bool create, const std::function<bool()>& is_needed)
{
  auto locked = std::make_unique<Locked>(name_);
  locked->threads = std::unique_lock(mutex_);
  switch (locked->lock.take(name_, permissions_, create, is_needed)) {
    case os::LockOutcome::locked:
      break;
    case os::LockOutcome::not_needed:
      return Failure{FailureKind::registry, "somebody else has done it"};
    case os::LockOutcome::kept:
      return kept_locked(locked->lock.holder());
    case os::LockOutcome::failed:
      return cannot_open(locked->lock.error());
  }
  if (Status opened = open(*locked, create); !opened) return std::move(opened.failure());
  const auto status = os::status_of(locked->file.get());
  if (!status) return cannot_open(errno);
  if (inode_ != 0 && status->inode != inode_) return cannot_open(ENOENT);
  if (inode_ != 0 && (status->bytes != sizeof(agnocast_registry) || is_broken())) return damaged();
  locked->ledger = {reinterpret_cast<const std::uint8_t*>(pages_.raw()), store_in_file,
                    &locked->file, 0};
  locked->keep = !create;
  return locked;
}

agnocast_ledger_status UserRegistry::initialize(agnocast_ledger& ledger) const
{
  const WindowSetting window = settings_.window.value_or(default_window);
  // So ids differ from those of every registry that this machine has had since it was booted: none
  // gives out one in each nanosecond, and this clock never goes back, as that of the day may.
  const agnocast_ledger_setup setup{
    window.base, window.bytes, window.slot_bytes,
    static_cast<std::uint64_t>(os::monotonic_ns() - os::monotonic_offset_ns()), settings_.domain};
  return agnocast_ledger_init(&ledger, &setup);
}

bool UserRegistry::is_gone() const
{
  if (pages_.raw() != nullptr && !(pages_.window() == window_)) return true;  // begun anew in place
  return is_removed();
}

bool UserRegistry::is_removed() const
{
  const auto status = os::status_of_shared(name_);
  return status ? status->inode != inode_ : errno == ENOENT;
}

/// Whoever made the lock can keep it: the registry's owner, who is judged by the registry, or
/// somebody who is admitted as well. Root cleans up after everybody.
Status UserRegistry::admit_lock() const
{
  const std::string name = registry_lock_name(name_);
  const auto lock = os::status_of_shared(name);
  const auto registry = os::status_of_shared(name_);
  if (!lock || (registry ? registry->uid == lock->uid : os::effective_user() == 0)) {
    return Nothing{};
  }
  return admit_owner(settings_, owner_of(*lock), "/dev/shm" + name);
}

Status UserRegistry::start()
{
  if (Status admitted = admit_lock(); !admitted) return admitted;
  // Once more for each registry that is found without a living process: its window and access were
  // chosen by somebody who is gone, maybe because they could not be had.
  for (int attempt = 0; attempt < 100; ++attempt) {
    auto locked = lock(true);
    if (!locked) return std::move(locked.failure());
    Result<bool> started = start_locked(**locked);
    (*locked)->keep = started && *started;
    if ((*locked)->keep) return Nothing{};
    if (started) continue;
    unmap();
    return std::move(started.failure());
  }
  return Failure{FailureKind::registry, "the registry /dev/shm" + name_ +
                                          " is removed again and again by others; try again"};
}

/// False if the registry was nobody's, and is removed.
Result<bool> UserRegistry::start_locked(Locked& locked)
{
  Result<bool> fresh = map(locked);
  if (!fresh) return fresh;
  if (!*fresh) {
    recover_dead(locked, false);
    if (agnocast_ledger_process_count(&locked.ledger) == 0) {
      if (os::unlink_shared(name_)) {
        AGNOCAST_FAILPOINT("registry.replaced");
        unmap();
        return false;
      }
      // Another user's, in a folder where only the owner may remove it: begin anew inside of it.
      if (const auto outcome = initialize(locked.ledger); outcome != AGNOCAST_LEDGER_OK) {
        return explain(outcome, locked.ledger);
      }
    }
  }
  const auto status = os::status_of(locked.file.get());
  if (!status) return cannot_open(errno);
  if (Status adopted = adopt(*status); !adopted) return std::move(adopted.failure());
  return true;
}

/// Maps the file, and initializes it if it is blank: then true.
Result<bool> UserRegistry::map(Locked& locked)
{
  const int fd = locked.file.get();
  const auto status = os::status_of(fd);
  if (!status) return cannot_open(errno);
  if (status->bytes == 0 && !os::set_size(fd, sizeof(agnocast_registry))) return cannot_open(errno);
  if (status->bytes != 0 && status->bytes != sizeof(agnocast_registry)) {
    return Failure{FailureKind::registry,
                   "the registry /dev/shm" + name_ + " has " + std::to_string(status->bytes) +
                     " bytes, this library needs " + std::to_string(sizeof(agnocast_registry)) +
                     ": it is of another version or damaged; end the processes of this domain and "
                     "remove the file, or use another AGNOCAST_DOMAIN_ID"};
  }
  AGNOCAST_FAILPOINT("registry.sized");
  std::uint64_t magic = 0;
  // Through the descriptor: on a full /dev/shm, reading a hole through the mapping is a SIGBUS.
  if (os::read_at(fd, &magic, sizeof magic, 0) != sizeof magic) return cannot_open(errno);
  // Secured here, so that no access to the mapping can fail later.
  if (magic == 0 && !os::allocate_range(fd, 0, sizeof(agnocast_registry)))
    return cannot_open(errno);
  AGNOCAST_FAILPOINT("registry.secured");
  void* address = os::map_file(nullptr, sizeof(agnocast_registry), fd, false);
  if (address == nullptr) return cannot_open(errno);
  pages_ = RegistryPages(static_cast<const agnocast_registry*>(address));
  guard_ = os::BusGuard(address, sizeof(agnocast_registry), false);
  locked.ledger.pages = static_cast<const std::uint8_t*>(address);
  agnocast_ledger_status outcome = agnocast_ledger_check(&locked.ledger);
  const bool fresh = outcome == AGNOCAST_LEDGER_BLANK;
  if (fresh) outcome = initialize(locked.ledger);
  if (outcome != AGNOCAST_LEDGER_OK) return explain(outcome, locked.ledger);
  return fresh;
}

void UserRegistry::unmap()
{
  if (pages_.raw() == nullptr) return;
  guard_.release();
  os::unmap(const_cast<agnocast_registry*>(pages_.raw()), sizeof(agnocast_registry));
  pages_ = RegistryPages(nullptr);
}

// All processes of a domain must be able to look at each other's holds, so the registry's mode says
// who may.
Status UserRegistry::adopt(const os::FileStatus& status)
{
  inode_ = status.inode;
  // Read once: what is checked here is what is used from now on.
  window_ = pages_.window();
  if (!Window::is_possible(window_)) return damaged();
  const RegistryOwner owner = owner_of(status);
  if (Status admitted = admit_owner(settings_, owner, "/dev/shm" + name_); !admitted) {
    return admitted;
  }
  if (owner.access == Settings::Access::all) {
    permissions_ = {0444, 0666, -1};
  } else if (owner.access == Settings::Access::group) {
    permissions_ = {0440, 0660, owner.group};
  } else {
    permissions_ = {};
  }
  return Nothing{};
}

agnocast_ledger_status UserRegistry::find_slot(const agnocast_ledger& ledger,
                                               const IsUsableSlot& is_usable,
                                               std::uint32_t& slot) const
{
  std::uint32_t first = load_relaxed(pages_.raw()->header.next_slot);
  for (std::uint32_t i = 0; i < AGNOCAST_PROCESS_CAPACITY; ++i) {
    const agnocast_ledger_status status = agnocast_ledger_free_slot(&ledger, first, &slot);
    if (status != AGNOCAST_LEDGER_OK || is_usable(slot)) return status;
    first = slot + 1;
  }
  return AGNOCAST_LEDGER_NO_PROCESS_SLOT;
}

Result<ProcessTicket> UserRegistry::begin_join(const IsUsableSlot& is_usable,
                                               const std::string& name)
{
  auto locked = lock(false);
  if (!locked) return std::move(locked.failure());
  agnocast_ledger& ledger = (*locked)->ledger;
  if (!(pages_.window() == window_)) return cannot_open(ENOENT);
  recover_dead(**locked, false);
  std::uint32_t slot = 0;
  agnocast_ledger_status status = find_slot(ledger, is_usable, slot);
  if (status == AGNOCAST_LEDGER_NO_PROCESS_SLOT) {
    recover_dead(**locked, true);
    status = find_slot(ledger, is_usable, slot);
  }
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  agnocast_ledger_process process = {};
  process.pid = os::process_id();
  process.uid = os::effective_user();
  process.pid_namespace = os::pid_namespace();
  name.copy(process.name, sizeof process.name - 1);
  agnocast_ledger_added added = {};
  status = agnocast_ledger_add_process(&ledger, slot, &process, &added);
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  own_id_ = added.id;
  AGNOCAST_FAILPOINT("join.begun");
  return ProcessTicket{slot, added.id};
}

Status UserRegistry::finish_join(const ProcessTicket& ticket)
{
  auto locked = lock(false);
  if (!locked) return std::move(locked.failure());
  agnocast_ledger& ledger = (*locked)->ledger;
  const auto status = agnocast_ledger_finish_process(&ledger, ticket.slot, ticket.id);
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  AGNOCAST_FAILPOINT("join.recorded");
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return Nothing{};
}

Result<EndpointTicket> UserRegistry::add_endpoint(const ProcessTicket& process,
                                                  const EndpointRequest& request)
{
  agnocast_ledger_endpoint endpoint = {};
  endpoint.kind = request.kind;
  endpoint.process = process.slot;
  endpoint.process_id = process.id;
  endpoint.control_offset = request.control_offset;
  endpoint.depth = request.depth;
  endpoint.history = static_cast<std::uint8_t>(request.history);
  endpoint.reliability = static_cast<std::uint8_t>(request.reliability);
  endpoint.durability = static_cast<std::uint8_t>(request.durability);
  request.topic.copy(endpoint.topic, sizeof endpoint.topic - 1);
  request.node.copy(endpoint.node, sizeof endpoint.node - 1);
  request.type_name.copy(endpoint.type_name, sizeof endpoint.type_name - 1);
  endpoint.type_hash = request.type_hash;
  endpoint.type_bytes = request.type_bytes;
  endpoint.type_alignment = request.type_alignment;

  changes_.expect_endpoint();
  try {
    auto ticket = add_to_ledger(endpoint, request);
    if (!ticket) changes_.forget_endpoint();
    return ticket;
  } catch (...) {
    changes_.forget_endpoint();
    throw;
  }
}

Result<EndpointTicket> UserRegistry::add_to_ledger(const agnocast_ledger_endpoint& endpoint,
                                                   const EndpointRequest& request)
{
  auto locked = lock(false);
  if (!locked) return std::move(locked.failure());
  make_changes(locked->get());  // what is to be gone by now may stand in the way
  agnocast_ledger& ledger = (*locked)->ledger;
  agnocast_ledger_added added = {};
  agnocast_ledger_status status = agnocast_ledger_add_endpoint(&ledger, &endpoint, &added);
  if (status == AGNOCAST_LEDGER_TYPE_MISMATCH || status == AGNOCAST_LEDGER_NO_TOPIC_SLOT ||
      status == AGNOCAST_LEDGER_NO_ENDPOINT_SLOT) {
    recover_dead(**locked, true);  // a dead process may be what stands in the way
    status = agnocast_ledger_add_endpoint(&ledger, &endpoint, &added);
  }
  if (status == AGNOCAST_LEDGER_TYPE_MISMATCH) {
    return type_mismatch(request, pages_.topic_type(added.topic));
  }
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return EndpointTicket{added.index, added.topic, added.id};
}

void UserRegistry::change(const Change& change) noexcept
{
  changes_.add(change, [this] { return make_changes(); });
}

bool UserRegistry::settle() noexcept
{
  return changes_.settle([this] { return make_changes(); });
}

bool UserRegistry::make_changes()
{
  auto locked = lock(false);
  // Without a registry there is nothing to change; what stands in the way otherwise may pass.
  if (!locked && !is_gone()) return false;
  make_changes(locked ? locked->get() : nullptr);
  return true;
}

void UserRegistry::make_changes(Locked* locked) noexcept
{
  if (changes_.is_empty()) return;
  changes_.each([&](const Change& change) {
    if (locked != nullptr) change.make(&locked->ledger, change.ticket.index, change.ticket.id);
    return true;
  });
}

Result<std::unique_ptr<Registry>> open_user_registry(const Settings& settings)
{
  auto permissions = Permissions::from(settings);
  if (!permissions) return std::move(permissions.failure());
  auto registry = std::make_unique<UserRegistry>(settings, *permissions);
  if (Status status = registry->start(); !status) return std::move(status.failure());
  return std::unique_ptr<Registry>(std::move(registry));
}

}  // namespace agnocast::internal

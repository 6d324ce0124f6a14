// The registry in user space: a file under a record lock.
//
// Who writes what: the holder of the lock, by pwrite, through the ledger. Each operation opens the
// file, locks, writes and closes: no descriptor lives long, so a program that closes all its
// descriptors breaks nothing. Classic record locks are the process's and not inherited by fork; a
// mutex keeps the process's own threads apart, and closing the descriptor drops the lock.
//
// If we die here: the kernel drops the lock; what is half-written is said in registry_layout.h.
// A registry that was made but not initialized is blank and the next to lock it initializes it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/atomic.hpp"
#include "base/log.hpp"
#include "ledger/ledger.h"
#include "memory/names.hpp"
#include "os/bus_guard.hpp"
#include "os/failpoint.hpp"
#include "os/file.hpp"
#include "os/futex.hpp"
#include "os/map.hpp"
#include "os/process.hpp"
#include "os/queue.hpp"
#include "registry/host.hpp"
#include "registry/pages.hpp"

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

void unlink_objects(const std::string& process)
{
  AGNOCAST_FAILPOINT("clean.begin");
  os::unlink_queue(queue_name(process));
  AGNOCAST_FAILPOINT("clean.queue_unlinked");
  os::unlink_shared(doorbell_name(process));
  AGNOCAST_FAILPOINT("clean.doorbell_unlinked");
  os::unlink_shared(area_name(process));  // last: the sweep finds what is left by it
  AGNOCAST_FAILPOINT("clean.area_unlinked");
}

class UserRegistry final : public Registry
{
 public:
  UserRegistry(const Settings& settings, const Permissions& permissions)
    : name_(registry_name(settings.domain)), settings_(settings), permissions_(permissions)
  {
  }
  ~UserRegistry() override { unmap(); }

  Status start();
  [[nodiscard]] bool is_gone() const override;
  [[nodiscard]] bool is_broken() const override
  {
    return guard_.is_broken() || !pages_.has_magic() || !(pages_.window() == window_);
  }
  [[nodiscard]] WindowSetting window() const override { return window_; }
  [[nodiscard]] Permissions permissions() const override { return permissions_; }
  Result<ProcessTicket> add_process(const IsUsableSlot& is_usable,
                                    const MakeProcess& make) override;
  void remove_process(const ProcessTicket& ticket) override;
  bool recover(const PeerIdentity& process) override;
  Result<EndpointTicket> add_endpoint(const ProcessTicket& process,
                                      const EndpointRequest& request) override;
  void close_endpoint(const EndpointTicket& ticket) noexcept override
  {
    change({agnocast_ledger_close_endpoint, ticket});
  }
  void remove_endpoint(const EndpointTicket& ticket) noexcept override
  {
    change({agnocast_ledger_remove_endpoint, ticket});
  }
  bool settle() noexcept override;
  [[nodiscard]] const std::uint64_t* topic_generation(std::uint32_t topic) const override
  {
    AGNOCAST_CHECK(topic < AGNOCAST_TOPIC_CAPACITY);
    return &pages_.raw()->topics[topic].generation;
  }
  [[nodiscard]] std::vector<EndpointView> endpoints(std::uint32_t topic,
                                                    agnocast_endpoint_kind kind) const override
  {
    return pages_.endpoints(topic, kind);
  }

 private:
  /// The registry's lock, held while it lives.
  struct Locked
  {
    std::unique_lock<std::mutex> threads;
    os::Descriptor file;
    agnocast_ledger ledger;
  };

  struct Change
  {
    decltype(&agnocast_ledger_remove_endpoint) make;
    EndpointTicket ticket;
  };

  void change(const Change& change) noexcept;
  bool make_changes();
  Result<std::unique_ptr<Locked>> lock(bool create);
  [[nodiscard]] bool may_be_half_made() const;
  Result<bool> map(Locked& locked);
  void unmap();
  Status adopt(const os::FileStatus& status);
  Failure damaged() const;
  Failure kept_locked(pid_t holder) const;
  Status admit_owner(const os::FileStatus& status) const;
  Failure cannot_open(int error) const;
  Failure explain(agnocast_ledger_status status, const agnocast_ledger& ledger) const;
  agnocast_ledger_status initialize(agnocast_ledger& ledger) const;
  void recover_dead(Locked& locked, bool thoroughly);
  agnocast_ledger_status find_slot(const agnocast_ledger& ledger, const IsUsableSlot& is_usable,
                                   std::uint32_t& slot) const;
  void sweep() const;

  std::string name_;
  Settings settings_;
  Permissions permissions_;
  std::mutex mutex_;
  RegistryPages pages_{nullptr};
  os::BusGuard guard_;
  std::uint64_t inode_ = 0;
  WindowSetting window_{};    ///< as it was when we opened it
  std::uint64_t own_id_ = 0;  ///< of this process's record, once it has one

  std::mutex changes_mutex_;     ///< taken before mutex_
  std::vector<Change> changes_;  ///< still to be made, the oldest first
  std::atomic<bool> has_changes_{false};
};

Failure UserRegistry::cannot_open(int error) const
{
  std::string text = "the registry /dev/shm" + name_ + " cannot be opened: ";
  switch (error) {
    case ENOENT:
      text += inode_ == 0 ? "there is no /dev/shm; mount one with 'mount -t tmpfs tmpfs /dev/shm'"
                          : "it was removed while processes use it; restart this process";
      break;
    case EACCES:
    case EPERM:
      text += "domain " + std::to_string(settings_.domain) +
              " belongs to another user; start its first process with "
              "AGNOCAST_ACCESS=group:<name> or AGNOCAST_ACCESS=all, or use another "
              "AGNOCAST_DOMAIN_ID";
      break;
    case ELOOP:
    case EISDIR:
    case ENOTSUP:
      text += "something else has its name, which is no regular file; remove it";
      break;
    case EROFS:
      text += "/dev/shm is read-only; mount it writable with 'mount -o remount,rw /dev/shm'";
      break;
    case EMFILE:
    case ENFILE:
      text += "too many open files; raise the limit with 'ulimit -n <number>'";
      break;
    case EFBIG:
      text += "it has " + std::to_string(sizeof(agnocast_registry)) +
              " bytes, more than files may have here; raise the limit with 'ulimit -f unlimited'";
      break;
    case EAGAIN:
      text +=
        "it is more locked memory than this process may have; raise the limit with 'ulimit -l'";
      break;
    case ENOMEM:
      text += "no memory to map it; raise the limit with 'ulimit -v'";
      break;
    case ENOSPC:
      text += "/dev/shm is full, and it needs " + std::to_string(sizeof(agnocast_registry) / 1000) +
              " kB there; enlarge it with 'mount -o remount,size=<size> /dev/shm'";
      break;
    default:
      text += os::error_text(error);
  }
  return {FailureKind::registry, std::move(text)};
}

Failure UserRegistry::kept_locked(pid_t holder) const
{
  return {FailureKind::registry,
          "the registry /dev/shm" + name_ + " cannot be locked: " +
            (holder > 0 ? "process " + std::to_string(holder) : std::string("another process")) +
            " keeps its lock for more than 10 s; continue it if it is stopped, or end it"};
}

Failure UserRegistry::damaged() const
{
  return {FailureKind::registry,
          "the registry /dev/shm" + name_ +
            " is damaged: something shortened or overwrote it; end the processes of this domain "
            "and remove the file"};
}

Failure UserRegistry::explain(agnocast_ledger_status status, const agnocast_ledger& ledger) const
{
  const std::string object = "the registry /dev/shm" + name_;
  const auto& header = pages_.raw()->header;
  switch (status) {
    case AGNOCAST_LEDGER_FOREIGN:
      return {FailureKind::registry,
              object +
                " is not an Agnocast registry: something else wrote it; remove "
                "the file when no process of this domain runs"};
    case AGNOCAST_LEDGER_VERSION:
      return {FailureKind::registry,
              object + " has layout version " + std::to_string(header.abi_version) + " and " +
                std::to_string(header.total_bytes) + " bytes, this library needs version " +
                std::to_string(AGNOCAST_ABI_VERSION) + " and " +
                std::to_string(sizeof(agnocast_registry)) +
                ": end the processes of the other version and remove the file, or use another "
                "AGNOCAST_DOMAIN_ID"};
    case AGNOCAST_LEDGER_CORRUPT:
      return damaged();
    case AGNOCAST_LEDGER_NO_PROCESS_SLOT:
      return {
        FailureKind::resource,
        "domain " + std::to_string(settings_.domain) + " is full: its window has slots for " +
          std::to_string(header.process_capacity) +
          " processes; use another AGNOCAST_DOMAIN_ID, or start the domain with smaller slots "
          "(AGNOCAST_WINDOW=<base>:<size>:<slot size>)"};
    case AGNOCAST_LEDGER_NO_TOPIC_SLOT:
      return {FailureKind::resource, "domain " + std::to_string(settings_.domain) +
                                       " is full: it can have " +
                                       std::to_string(AGNOCAST_TOPIC_CAPACITY) +
                                       " topics; use another AGNOCAST_DOMAIN_ID for some nodes"};
    case AGNOCAST_LEDGER_NO_ENDPOINT_SLOT:
      return {FailureKind::resource,
              "domain " + std::to_string(settings_.domain) + " is full: it can have " +
                std::to_string(AGNOCAST_ENDPOINT_CAPACITY) +
                " publishers and subscriptions; use another AGNOCAST_DOMAIN_ID for some nodes"};
    case AGNOCAST_LEDGER_STORE_FAILED:
      return cannot_open(ledger.store_error);
    default:
      return {FailureKind::registry,
              object + " refused a change (status " + std::to_string(status) +
                "): this process is not in it any more; restart the process"};
  }
}

// Another process of this user makes it right now, perhaps, under a umask that shuts out even it.
bool UserRegistry::may_be_half_made() const
{
  const auto status = os::status_of_shared(name_);
  // Right by now, gone again, or this user's and therefore to be right soon.
  return status ? status->uid == os::effective_user() : errno == ENOENT;
}

Result<std::unique_ptr<UserRegistry::Locked>> UserRegistry::lock(bool create)
{
  auto locked = std::make_unique<Locked>();
  locked->threads = std::unique_lock(mutex_);
  for (int patience = 200;;) {
    bool created = false;
    locked->file = os::open_shared(name_, O_RDWR);
    if (!locked->file && errno == ENOENT && create) {
      locked->file = os::open_shared(name_, O_RDWR | O_CREAT | O_EXCL, permissions_.shared);
      if (!locked->file && errno == EEXIST) continue;
      created = static_cast<bool>(locked->file);
      if (created) AGNOCAST_FAILPOINT("registry.created");
    }
    if (!locked->file) {
      const int error = errno;
      if (error == EACCES && may_be_half_made() && patience-- > 0) {
        os::sleep_ns(1'000'000);
        continue;
      }
      return cannot_open(error);
    }
    if (created && !permissions_.apply(locked->file.get(), permissions_.shared)) {
      log_warning("the group of " + name_ + " cannot be set: " + os::error_text(errno));
    }
    AGNOCAST_FAILPOINT("registry.before_lock");
    if (!os::lock_file(locked->file.get())) {
      if (errno == ETIMEDOUT) return kept_locked(os::lock_holder(locked->file.get()));
      return cannot_open(errno);
    }
    AGNOCAST_FAILPOINT("registry.locked");
    const auto status = os::status_of(locked->file.get());
    if (!status) return cannot_open(errno);
    if (status->links != 0) {
      if (inode_ != 0 && status->inode != inode_) return cannot_open(ENOENT);
      if (inode_ != 0 && (status->bytes != sizeof(agnocast_registry) || is_broken())) {
        return damaged();
      }
      break;
    }
    // Its last process removed it between our open and our lock; another one is to be made.
    locked->file = os::Descriptor();
    if (!create) return cannot_open(ENOENT);
  }
  locked->ledger = {reinterpret_cast<const std::uint8_t*>(pages_.raw()), store_in_file,
                    &locked->file, 0};
  return locked;
}

agnocast_ledger_status UserRegistry::initialize(agnocast_ledger& ledger) const
{
  const WindowSetting window = settings_.window.value_or(default_window);
  // The clock makes ids of a registry that is made anew differ from those of its predecessor.
  const agnocast_ledger_setup setup{window.base, window.bytes, window.slot_bytes,
                                    static_cast<std::uint64_t>(os::realtime_ns()),
                                    settings_.domain};
  return agnocast_ledger_init(&ledger, &setup);
}

bool UserRegistry::is_gone() const
{
  if (pages_.raw() != nullptr && !(pages_.window() == window_)) return true;  // begun anew in place
  // Not by a descriptor: to close it would drop the lock that another thread may hold.
  const auto status = os::status_of_shared(name_);
  return status ? status->inode != inode_ : errno == ENOENT;
}

Status UserRegistry::start()
{
  // Once more for each registry that is found without a living process: its window and access were
  // chosen by somebody who is gone, maybe because they could not be had.
  for (int attempt = 0; attempt < 100; ++attempt) {
    auto locked = lock(true);
    if (!locked) return std::move(locked.failure());
    Result<bool> fresh = map(**locked);
    if (!fresh) return std::move(fresh.failure());
    if (!*fresh) {
      recover_dead(**locked, false);
      if (agnocast_ledger_process_count(&(*locked)->ledger) == 0) {
        if (os::unlink_shared(name_)) {
          AGNOCAST_FAILPOINT("registry.replaced");
          unmap();
          continue;
        }
        // Another user's, in a folder where only the owner may remove it: begin anew inside of it.
        if (const auto outcome = initialize((*locked)->ledger); outcome != AGNOCAST_LEDGER_OK) {
          return explain(outcome, (*locked)->ledger);
        }
      }
    }
    const auto status = os::status_of((*locked)->file.get());
    if (!status) return cannot_open(errno);
    return adopt(*status);
  }
  return Failure{FailureKind::registry, "the registry /dev/shm" + name_ +
                                          " is removed again and again by others; try again"};
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

// Whoever makes the registry decides who sees all messages of the domain. Another user may only
// decide what this process has agreed to itself.
Status UserRegistry::admit_owner(const os::FileStatus& status) const
{
  if (status.uid == 0 || status.uid == os::effective_user()) return Nothing{};
  const bool for_all = (status.mode & 0006) != 0;
  const long group = static_cast<long>(status.gid);
  auto own = Permissions::from(settings_);
  if (own && (own->shared == 0666 || (own->shared == 0660 && !for_all && own->group == group))) {
    return Nothing{};
  }
  return Failure{
    FailureKind::registry,
    "the registry /dev/shm" + name_ + " belongs to user " + std::to_string(status.uid) +
      " and admits " + (for_all ? "everybody" : "group " + std::to_string(group)) +
      ", who could read all that this process publishes: set AGNOCAST_ACCESS=" +
      (for_all ? "all" : "group:<name>") + " to join it, or use another AGNOCAST_DOMAIN_ID"};
}

// All processes of a domain must be able to look at each other's holds, so the registry's mode says
// who may.
Status UserRegistry::adopt(const os::FileStatus& status)
{
  inode_ = status.inode;
  // Read once: what is checked here is what is used from now on.
  window_ = pages_.window();
  if (!Window::is_possible(window_)) return damaged();
  if (Status admitted = admit_owner(status); !admitted) return admitted;
  if ((status.mode & 0006) != 0) {
    permissions_ = {0444, 0666, -1};
  } else if ((status.mode & 0060) != 0) {
    permissions_ = {0440, 0660, static_cast<long>(status.gid)};
  } else {
    permissions_ = {};
  }
  return Nothing{};
}

void UserRegistry::recover_dead(Locked& locked, bool thoroughly)
{
  const std::uint64_t here = os::pid_namespace();
  for (const PeerIdentity& process : pages_.processes()) {
    const bool same_namespace = process.pid_namespace == here && here != 0;
    if (process.process_id == own_id_) continue;
    // Another record with our own pid is of a process that had the number before us.
    bool dead = same_namespace && (process.pid == os::process_id() || !os::may_exist(process.pid));
    if (!dead && thoroughly) {
      const RemainsReport remains = examine_area(process.process);
      dead = remains.state == Remains::dead || remains.state == Remains::none ||
             remains.is_of_another(process.process_id);
    }
    if (!dead) continue;
    // A record that lies must not cost a living process its names.
    const RemainsReport remains = examine_area(process.process);
    if (remains.state != Remains::alive && !remains.is_of_another(process.process_id)) {
      unlink_objects(process.process);
    }
    agnocast_ledger_remove_process(&locked.ledger, process.slot, process.process_id);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Removes what processes left that died before they were in a registry. Those that are in ours are
// recover_dead()'s.
void UserRegistry::sweep() const
{
  const std::vector<PeerIdentity> registered = pages_.processes();
  for (const std::string& file : os::list_shared(area_prefix)) {
    const std::string process = file.substr(std::strlen(area_prefix));
    const bool known =
      std::any_of(registered.begin(), registered.end(),
                  [&](const PeerIdentity& identity) { return identity.process == process; });
    if (known) continue;
    if (examine_area(process).state == Remains::dead) unlink_objects(process);
  }
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

Result<ProcessTicket> UserRegistry::add_process(const IsUsableSlot& is_usable,
                                                const MakeProcess& make)
{
  auto locked = lock(false);
  if (!locked) return std::move(locked.failure());
  agnocast_ledger& ledger = (*locked)->ledger;
  if (!(pages_.window() == window_)) return cannot_open(ENOENT);
  recover_dead(**locked, false);
  sweep();
  std::uint32_t slot = 0;
  agnocast_ledger_status status = find_slot(ledger, is_usable, slot);
  if (status == AGNOCAST_LEDGER_NO_PROCESS_SLOT) {
    recover_dead(**locked, true);
    status = find_slot(ledger, is_usable, slot);
  }
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  Result<std::string> made = make(slot);
  if (!made) return std::move(made.failure());
  agnocast_ledger_process process = {};
  process.pid = os::process_id();
  process.uid = os::effective_user();
  process.pid_namespace = os::pid_namespace();
  made->copy(process.name, sizeof process.name - 1);
  agnocast_ledger_added added = {};
  status = agnocast_ledger_add_process(&ledger, slot, &process, &added);
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  own_id_ = added.id;
  AGNOCAST_FAILPOINT("join.recorded");
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return ProcessTicket{slot, added.id};
}

void UserRegistry::remove_process(const ProcessTicket& ticket)
{
  auto locked = lock(false);
  if (!locked) return;
  agnocast_ledger_remove_process(&(*locked)->ledger, ticket.slot, ticket.id);
  // The last one puts out the light; who waits for the lock sees that the file has no name. A
  // killed process that its parent has not waited for yet still has its number: when few are left,
  // look.
  recover_dead(**locked, agnocast_ledger_process_count(&(*locked)->ledger) <= 4);
  if (agnocast_ledger_process_count(&(*locked)->ledger) != 0) return;
  AGNOCAST_FAILPOINT("leave.last");
  sweep();
  os::unlink_shared(name_);
  AGNOCAST_FAILPOINT("leave.registry_unlinked");
}

bool UserRegistry::recover(const PeerIdentity& process)
{
  auto locked = lock(false);
  if (!locked) return false;
  const auto& record = pages_.raw()->processes[process.slot];
  // Pairs with the ledger's store of the state.
  if (load_acquire(record.state) != AGNOCAST_LIVE ||
      load_relaxed(record.id) != process.process_id) {
    return true;
  }
  const RemainsReport remains = examine_area(process.process);
  const bool is_of_another = remains.is_of_another(process.process_id);
  const std::uint64_t here = os::pid_namespace();
  const bool ended =
    process.pid_namespace == here && here != 0 && os::has_ended(static_cast<pid_t>(process.pid));
  if (remains.state != Remains::dead && remains.state != Remains::none && !is_of_another &&
      !ended) {
    return false;
  }
  if (!is_of_another) unlink_objects(process.process);
  agnocast_ledger_remove_process(&(*locked)->ledger, process.slot, process.process_id);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
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
  endpoint.type_hash = type_hash(request.type_name);
  endpoint.type_bytes = request.type_bytes;
  endpoint.type_alignment = request.type_alignment;

  auto locked = lock(false);
  if (!locked) return std::move(locked.failure());
  agnocast_ledger& ledger = (*locked)->ledger;
  agnocast_ledger_added added = {};
  agnocast_ledger_status status = agnocast_ledger_add_endpoint(&ledger, &endpoint, &added);
  if (status == AGNOCAST_LEDGER_TYPE_MISMATCH || status == AGNOCAST_LEDGER_NO_TOPIC_SLOT ||
      status == AGNOCAST_LEDGER_NO_ENDPOINT_SLOT) {
    recover_dead(**locked, true);  // a dead process may be what stands in the way
    status = agnocast_ledger_add_endpoint(&ledger, &endpoint, &added);
  }
  if (status == AGNOCAST_LEDGER_TYPE_MISMATCH) {
    return Failure{FailureKind::type_mismatch,
                   "topic '" + request.topic + "' carries " + pages_.topic_type(added.topic) +
                     ", but node '" + request.node + "' asks for '" +
                     readable_type(std::string(request.type_name)) + "' (" +
                     std::to_string(request.type_bytes) + " bytes, alignment " +
                     std::to_string(request.type_alignment) +
                     "): use the same type and compile both sides from the same definition, or use "
                     "another topic"};
  }
  if (status != AGNOCAST_LEDGER_OK) return explain(status, ledger);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return EndpointTicket{added.index, added.topic, added.id};
}

void UserRegistry::change(const Change& change) noexcept
{
  try {
    {
      const std::lock_guard lock(changes_mutex_);
      changes_.push_back(change);
      has_changes_ = true;
    }
    make_changes();
  } catch (const std::bad_alloc&) {
    log_warning("no memory to change the registry");
  }
}

bool UserRegistry::settle() noexcept
{
  try {
    return !has_changes_ || make_changes();
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool UserRegistry::make_changes()
{
  const std::lock_guard changing(changes_mutex_);
  if (changes_.empty()) return true;
  auto locked = lock(false);
  // Without a registry there is nothing to change; what stands in the way otherwise may pass.
  if (!locked && !is_gone()) return false;
  if (locked) {
    for (const Change& change : changes_) {
      change.make(&(*locked)->ledger, change.ticket.index, change.ticket.id);
    }
  }
  changes_.clear();
  has_changes_ = false;
  return true;
}

}  // namespace

Result<std::unique_ptr<Registry>> open_user_registry(const Settings& settings)
{
  auto permissions = Permissions::from(settings);
  if (!permissions) return std::move(permissions.failure());
  auto registry = std::make_unique<UserRegistry>(settings, *permissions);
  if (Status status = registry->start(); !status) return std::move(status.failure());
  return std::unique_ptr<Registry>(std::move(registry));
}

}  // namespace agnocast::internal

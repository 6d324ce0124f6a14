// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/kernel_registry.hpp"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "base/atomic.hpp"
#include "ledger/ledger.h"
#include "memory/area_claim.hpp"
#include "memory/peer.hpp"
#include "os/device.hpp"
#include "os/map.hpp"
#include "os/process.hpp"
#include "registry/failures.hpp"
#include "registry/host.hpp"
#include "registry/remains.hpp"

namespace agnocast::internal {

namespace {

/// 0, or why not.
int call(unsigned long command, void* args)
{
  const os::Descriptor device = os::open_device(AGNOCAST_DEVICE, O_RDWR);
  if (!device) return errno;
  return os::command(device.get(), command, args) ? 0 : errno;
}

}  // namespace

class KernelRegistry::Turn
{
 public:
  Turn(std::mutex& mutex, std::uint32_t domain) : threads_(mutex), domain_(domain)
  {
    error_ = call(AGNOCAST_TAKE_TURN_CMD, &domain_);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn()
  {
    if (error_ == 0) call(AGNOCAST_GIVE_TURN_CMD, &domain_);
  }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  const std::unique_lock<std::mutex> threads_;
  std::uint32_t domain_;
  int error_ = 0;
};

KernelRegistry::~KernelRegistry()
{
  if (pages_.raw() == nullptr) return;
  os::unmap(const_cast<agnocast_registry*>(pages_.raw()), sizeof(agnocast_registry));
}

Failure KernelRegistry::explain(int error, const std::string& what) const
{
  const std::string domain = "domain " + std::to_string(settings_.domain);
  std::string text = what + " by the kernel module (" AGNOCAST_DEVICE "): ";
  switch (error) {
    case EACCES:
      text += domain +
              " belongs to another user; start its first process with "
              "AGNOCAST_ACCESS=group:<name> or AGNOCAST_ACCESS=all, or use another "
              "AGNOCAST_DOMAIN_ID";
      break;
    case EUSERS:
      text +=
        "it has as many domains or processes as it may have; raise its parameters max_domains and "
        "max_processes in /sys/module/agnocast/parameters, or end some";
      break;
    case EMFILE:
    case ENFILE:
      text += "too many open files; raise the limit with 'ulimit -n <number>'";
      break;
    case ETIMEDOUT:
      text +=
        "another process of the domain is joining for more than 10 s; continue it if it is "
        "stopped, or end it";
      break;
    case ENOENT:
      text += "this process is not in " + domain + " any more; restart it";
      break;
    default:
      text += os::error_text(error);
  }
  return {FailureKind::registry, std::move(text)};
}

Status KernelRegistry::start()
{
  const os::Descriptor device = os::open_device(AGNOCAST_DEVICE, O_RDWR);
  if (!device) return explain(errno, "the registry cannot be opened");
  agnocast_enter_args args = {};
  args.domain = settings_.domain;
  auto own = Permissions::from(settings_);
  if (!own) return std::move(own.failure());
  args.access = settings_.access == Settings::Access::all     ? AGNOCAST_ACCESS_ALL
                : settings_.access == Settings::Access::group ? AGNOCAST_ACCESS_GROUP
                                                              : AGNOCAST_ACCESS_OWNER;
  if (own->group >= 0) args.gid = static_cast<std::uint32_t>(own->group);
  if (settings_.window) {
    args.window_base = settings_.window->base;
    args.window_bytes = settings_.window->bytes;
    args.slot_bytes = settings_.window->slot_bytes;
  }
  if (!os::command(device.get(), AGNOCAST_ENTER_CMD, &args)) {
    return explain(errno, "the registry cannot be entered");
  }
  void* const address =
    os::map_file(nullptr, sizeof(agnocast_registry), device.get(), /*writable=*/false);
  if (address == nullptr) return explain(errno, "the registry cannot be mapped");
  pages_ = RegistryPages(static_cast<const agnocast_registry*>(address));
  return adopt(args);
}

Status KernelRegistry::adopt(const agnocast_enter_args& args)
{
  window_ = {args.window_base, args.window_bytes, args.slot_bytes};
  if (!Window::is_possible(window_)) {
    return Failure{FailureKind::registry,
                   "the window of the kernel module cannot be used: load it with other values of "
                   "window_base, window_size and slot_size, or set AGNOCAST_WINDOW"};
  }
  RegistryOwner owner{args.uid, Settings::Access::owner, static_cast<long>(args.gid)};
  if (args.access == AGNOCAST_ACCESS_ALL) {
    owner.access = Settings::Access::all;
    permissions_ = {0444, 0666, -1};
  } else if (args.access == AGNOCAST_ACCESS_GROUP) {
    owner.access = Settings::Access::group;
    permissions_ = {0440, 0660, static_cast<long>(args.gid)};
  }
  return admit_owner(settings_, owner, AGNOCAST_DEVICE);
}

Result<std::unique_ptr<KernelRegistry::Turn>> KernelRegistry::take_turn()
{
  auto turn = std::make_unique<Turn>(turn_mutex_, settings_.domain);
  if (turn->error() != 0) return explain(turn->error(), "the registry cannot be changed");
  return turn;
}

Result<ProcessTicket> KernelRegistry::begin_join(const IsUsableSlot& is_usable,
                                                 const std::string& name)
{
  auto turn = take_turn();
  if (!turn) return std::move(turn.failure());
  agnocast_ledger ledger{reinterpret_cast<const std::uint8_t*>(pages_.raw()), nullptr, nullptr, 0};
  std::uint32_t slot = pages_.raw()->header.next_slot;
  for (std::uint32_t i = 0;; ++i, ++slot) {
    if (i == AGNOCAST_PROCESS_CAPACITY ||
        agnocast_ledger_free_slot(&ledger, slot, &slot) != AGNOCAST_LEDGER_OK) {
      return no_process_slot(settings_, pages_.raw()->header.process_capacity);
    }
    if (is_usable(slot)) break;
  }
  agnocast_process_args args = {};
  args.domain = settings_.domain;
  args.slot = slot;
  name.copy(args.name, sizeof args.name - 1);
  if (const int error = call(AGNOCAST_ADD_PROCESS_CMD, &args); error != 0) {
    return explain(error, "this process was not registered");
  }
  return ProcessTicket{slot, args.id};
}

Status KernelRegistry::finish_join(const ProcessTicket&)
{
  std::uint32_t domain = settings_.domain;
  if (const int error = call(AGNOCAST_FINISH_PROCESS_CMD, &domain); error != 0) {
    return explain(error, "this process was not registered");
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return Nothing{};
}

void KernelRegistry::remove_process(const ProcessTicket&)
{
  std::uint32_t domain = settings_.domain;
  call(AGNOCAST_REMOVE_PROCESS_CMD, &domain);
  // What the dead left has nobody to look for it, perhaps, once we are gone; also those whose
  // memory the kernel is still taking away, and which are registered as long.
  for (const PeerIdentity& process : pages_.processes()) {
    if (examine_area(process.process).state == Remains::dead) {
      unlink_objects(process.process, process.process_id);
    }
  }
  sweep();
}

// The kernel removes the record, soon or when it is told that nobody needs it any more; the objects
// are for whoever notices.
bool KernelRegistry::recover(const PeerIdentity& process)
{
  // Without the turn: who else is at it has the lock on the area, and one of us does it all.
  const RemainsReport remains = examine_area(process.process);
  if (remains.is_of_another(process.process_id)) return true;
  if (remains.state != Remains::dead && remains.state != Remains::none) return false;
  unlink_objects(process.process, process.process_id);
  agnocast_ticket_args args{settings_.domain, process.slot, process.process_id};
  call(AGNOCAST_FORGET_PROCESS_CMD, &args);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
}

Result<EndpointTicket> KernelRegistry::add_endpoint(const ProcessTicket&,
                                                    const EndpointRequest& request)
{
  agnocast_endpoint_args args = {};
  args.domain = settings_.domain;
  args.depth = request.depth;
  args.control_offset = request.control_offset;
  args.type_hash = request.type_hash;
  args.type_bytes = request.type_bytes;
  args.type_alignment = request.type_alignment;
  args.history = static_cast<std::uint8_t>(request.history);
  args.reliability = static_cast<std::uint8_t>(request.reliability);
  args.durability = static_cast<std::uint8_t>(request.durability);
  request.topic.copy(args.topic_name, sizeof args.topic_name - 1);
  request.node.copy(args.node, sizeof args.node - 1);
  request.type_name.copy(args.type_name, sizeof args.type_name - 1);
  changes_.expect_endpoint();
  const int error = call(
    request.kind == AGNOCAST_PUBLISHER ? AGNOCAST_ADD_PUBLISHER_CMD : AGNOCAST_ADD_SUBSCRIBER_CMD,
    &args);
  if (error != 0) changes_.forget_endpoint();
  switch (error) {
    case 0:
      break;
    case EPROTOTYPE:
      return type_mismatch(request, pages_.topic_type(args.topic));
    case EXFULL:
      return no_topic_slot(settings_);
    case ENOSPC:
      return no_endpoint_slot(settings_);
    default:
      return explain(error, "topic '" + request.topic + "' was not registered");
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return EndpointTicket{args.index, args.topic, args.id};
}

void KernelRegistry::close_endpoint(const EndpointTicket& ticket) noexcept
{
  change({AGNOCAST_CLOSE_SUBSCRIBER_CMD, {settings_.domain, ticket.index, ticket.id}});
}

void KernelRegistry::remove_endpoint(const EndpointTicket& ticket) noexcept
{
  const bool is_publisher =
    pages_.raw()->endpoints[ticket.index % AGNOCAST_ENDPOINT_CAPACITY].kind == AGNOCAST_PUBLISHER;
  change({is_publisher ? AGNOCAST_REMOVE_PUBLISHER_CMD : AGNOCAST_REMOVE_SUBSCRIBER_CMD,
          {settings_.domain, ticket.index, ticket.id}});
  changes_.forget_endpoint();
}

void KernelRegistry::change(const Change& change) noexcept
{
  changes_.add(change, [this] { return make_changes(); });
}

// The kernel removes the records of the dead before a peer may have noticed a death, and then
// nobody asks recover() for what they had in /dev/shm.
void KernelRegistry::clean_up_after_vanished()
{
  const std::lock_guard lock(known_mutex_);
  // Pairs with the store in advance_generation(), which follows that of the state.
  const std::uint64_t generation = load_acquire(pages_.raw()->header.generation);
  if (generation == seen_generation_) return;
  std::vector<PeerIdentity> present = pages_.processes();
  for (const PeerIdentity& process : known_) {
    const bool is_present = std::any_of(
      present.begin(), present.end(),
      [&](const PeerIdentity& other) { return other.process_id == process.process_id; });
    if (!is_present) recover(process);
  }
  known_ = std::move(present);
  seen_generation_ = generation;
}

bool KernelRegistry::settle() noexcept
{
  try {
    clean_up_after_vanished();
  } catch (const std::bad_alloc&) {
    return false;
  }
  return changes_.settle([this] { return make_changes(); });
}

bool KernelRegistry::make_changes() noexcept
{
  const bool all = changes_.each([](Change& change) {
    const int error = call(change.command, &change.args);
    return error != EMFILE && error != ENFILE && error != ENOMEM;  // these may pass
  });
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return all;
}

std::optional<Failure> kernel_obstacle(bool& is_there)
{
  is_there = os::device_exists(AGNOCAST_DEVICE);
  const os::Descriptor device =
    is_there ? os::open_device(AGNOCAST_DEVICE, O_RDWR) : os::Descriptor();
  if (!device) {
    if (is_there && (errno == ENXIO || errno == ENODEV)) is_there = false;
    // Of anything else, such as too many open files, start() will speak.
    if (is_there && errno != EACCES && errno != EPERM) return std::nullopt;
    const std::string text =
      "the kernel module cannot be used: " AGNOCAST_DEVICE " cannot be opened: ";
    return Failure{
      FailureKind::registry,
      text + (is_there ? "this user may not; see the udev rule that comes with the module"
                       : "there is none; load it with 'modprobe agnocast'")};
  }
  agnocast_version_args version = {};
  if (os::command(device.get(), AGNOCAST_GET_VERSION_CMD, &version) &&
      version.interface_version == AGNOCAST_KERNEL_INTERFACE_VERSION &&
      version.abi_version == AGNOCAST_ABI_VERSION &&
      version.registry_bytes == sizeof(agnocast_registry)) {
    return std::nullopt;
  }
  return Failure{FailureKind::registry,
                 "the kernel module cannot be used: it has interface version " +
                   std::to_string(version.interface_version) + " and layout version " +
                   std::to_string(version.abi_version) + ", this library needs " +
                   std::to_string(AGNOCAST_KERNEL_INTERFACE_VERSION) + " and " +
                   std::to_string(AGNOCAST_ABI_VERSION) + ": load the one of the same release"};
}

Result<std::unique_ptr<Registry>> open_kernel_registry(const Settings& settings)
{
  auto registry = std::make_unique<KernelRegistry>(settings);
  if (Status status = registry->start(); !status) return std::move(status.failure());
  return std::unique_ptr<Registry>(std::move(registry));
}

}  // namespace agnocast::internal

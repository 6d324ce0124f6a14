// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "abi/description_layout.h"
#include "abi/kernel_interface.h"
#include "abi/registry_layout.h"
#include "agnocast/error.hpp"
#include "agnocast/introspection.hpp"
#include "base/settings.hpp"
#include "introspection/area_file.hpp"
#include "memory/names.hpp"
#include "memory/peer.hpp"
#include "os/device.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "registry/pages.hpp"
#include "registry/registry_files.hpp"

namespace agnocast {
namespace {

using internal::AreaFile;

std::string text_of(const char* text, std::size_t bytes)
{
  std::string found(text, ::strnlen(text, bytes));
  // It ends up on terminals.
  std::replace_if(
    found.begin(), found.end(),
    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return found;
}

/// The kernel module's; nullptr if there is none, or the domain is not in it.
std::unique_ptr<agnocast_registry> read_kernel_registry(std::uint32_t domain)
{
  auto settings = internal::read_settings();
  if (settings && settings->registry == internal::Settings::Host::user) return nullptr;
  const internal::os::Descriptor device = internal::os::open_device(AGNOCAST_DEVICE, O_RDWR);
  if (!device || !internal::os::command(device.get(), AGNOCAST_LOOK_CMD, &domain)) return nullptr;
  auto registry = std::make_unique<agnocast_registry>();
  const ssize_t count =
    internal::os::read_at(device.get(), registry.get(), sizeof(agnocast_registry), 0);
  const bool is_ours = count == static_cast<ssize_t>(sizeof(agnocast_registry)) &&
                       registry->header.abi_version == AGNOCAST_ABI_VERSION;
  return is_ours ? std::move(registry) : nullptr;
}

/// nullptr if there is no registry.
std::unique_ptr<agnocast_registry> read_registry(std::uint32_t domain)
{
  if (auto of_kernel = read_kernel_registry(domain)) return of_kernel;
  const std::string name = internal::registry_to_read(domain);
  if (name.empty()) return nullptr;
  const internal::os::Descriptor file = internal::os::open_shared(name, O_RDONLY);
  if (!file) {
    if (errno == ENOENT) return nullptr;
    throw RegistryError("the registry /dev/shm" + name +
                        " cannot be read: " + internal::os::error_text(errno) +
                        "; ask as the user of its processes, or start them with "
                        "AGNOCAST_ACCESS=group:<name> or AGNOCAST_ACCESS=all");
  }
  auto registry = std::make_unique<agnocast_registry>();
  const ssize_t count =
    internal::os::read_at(file.get(), registry.get(), sizeof(agnocast_registry), 0);
  if (count == 0) return nullptr;  // it is being made
  if (count < static_cast<ssize_t>(sizeof(agnocast_registry_header)) ||
      registry->header.magic != AGNOCAST_REGISTRY_MAGIC) {
    throw RegistryError("the registry /dev/shm" + name +
                        " is damaged or no Agnocast registry: end the processes of this domain and "
                        "remove the file");
  }
  if (registry->header.abi_version != AGNOCAST_ABI_VERSION ||
      count != static_cast<ssize_t>(sizeof(agnocast_registry))) {
    throw RegistryError("the registry /dev/shm" + name + " has layout version " +
                        std::to_string(registry->header.abi_version) + ", this program needs " +
                        std::to_string(AGNOCAST_ABI_VERSION) +
                        ": use the tools of the library that the domain runs with");
  }
  return registry;
}

std::string command_of(std::int64_t pid)
{
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  // An iterator would throw if the process ended after the file was opened.
  std::ostringstream text;
  text << file.rdbuf();
  std::string command = text.str();
  while (!command.empty() && command.back() == '\0') command.pop_back();
  std::replace(command.begin(), command.end(), '\0', ' ');
  return text_of(command.data(), command.size());
}

class Snapshot
{
 public:
  explicit Snapshot(std::uint32_t domain) : registry_(read_registry(domain))
  {
    result_.domain = domain;
    result_.time_ns = internal::os::monotonic_ns();
  }

  DomainSnapshot take()
  {
    if (!registry_) return std::move(result_);
    add_processes();
    add_topics();
    add_endpoints();
    return std::move(result_);
  }

 private:
  void add_processes()
  {
    const std::uint64_t here = internal::os::pid_namespace();
    for (const internal::PeerIdentity& identity :
         internal::RegistryPages(registry_.get()).processes()) {
      ProcessInfo process;
      process.id = identity.process_id;
      process.pid = identity.pid;
      process.name = identity.process;
      process.slot = identity.slot;
      process.uid = registry_->processes[identity.slot].uid;
      const internal::RemainsReport remains = internal::examine_area(identity.process);
      process.is_alive =
        remains.state == internal::Remains::alive && !remains.is_of_another(identity.process_id);
      if (identity.pid_namespace == here && here != 0) process.command = command_of(identity.pid);
      AreaFile area(identity.process, identity.process_id);
      if (area) {
        process.is_readable = true;
        process.slot_bytes = area.header().slot_bytes;
        const std::uint64_t secured = area.header().secured_end;
        process.secured_bytes = secured > AGNOCAST_HEAP ? secured - AGNOCAST_HEAP : 0;
        process.heap_used_bytes = area.header().heap_used_bytes;
        process.heap_peak_bytes = area.header().heap_peak_bytes;
        process.loans_open = area.header().loans_open;
      } else if (process.is_alive) {
        result_.problems.push_back("the area of process " + std::to_string(process.pid) +
                                   " cannot be read");
      }
      areas_.emplace(process.id, std::move(area));
      result_.processes.push_back(std::move(process));
    }
  }

  void add_topics()
  {
    const std::uint32_t end =
      std::min<std::uint32_t>(registry_->header.topics_end, AGNOCAST_TOPIC_CAPACITY);
    for (std::uint32_t i = 0; i < end; ++i) {
      const agnocast_topic_record& record = registry_->topics[i];
      if (record.state != AGNOCAST_LIVE) continue;
      topics_.emplace(i, static_cast<std::uint32_t>(result_.topics.size()));
      TopicInfo topic;
      topic.name = text_of(record.name, sizeof record.name);
      topic.type = internal::readable_type(text_of(record.type_name, sizeof record.type_name));
      topic.type_bytes = record.type_bytes;
      topic.type_alignment = record.type_alignment;
      topic.type_hash = record.type_hash;
      result_.topics.push_back(std::move(topic));
    }
  }

  void add_endpoints()
  {
    const std::uint32_t end =
      std::min<std::uint32_t>(registry_->header.endpoints_end, AGNOCAST_ENDPOINT_CAPACITY);
    for (std::uint32_t i = 0; i < end; ++i) {
      const agnocast_endpoint_record& record = registry_->endpoints[i];
      const auto topic = topics_.find(record.topic);
      const auto area = areas_.find(record.process_id);
      if (record.state != AGNOCAST_LIVE || topic == topics_.end() || area == areas_.end()) continue;
      EndpointInfo endpoint;
      endpoint.id = record.id;
      endpoint.process_id = record.process_id;
      endpoint.topic = topic->second;
      endpoint.node = text_of(record.node, sizeof record.node);
      endpoint.is_publisher = record.kind == AGNOCAST_PUBLISHER;
      endpoint.is_closed = record.depth == 0;
      endpoint.qos = qos_of(record);
      for (const ProcessInfo& process : result_.processes) {
        if (process.id == record.process_id) endpoint.pid = process.pid;
      }
      if (area->second) {
        const bool is_read = endpoint.is_publisher
                               ? read_ring(area->second, record.control_offset, endpoint)
                               : read_subscription(area->second, record.control_offset, endpoint);
        if (!is_read) {
          result_.problems.push_back("endpoint " + std::to_string(endpoint.id) + " of process " +
                                     std::to_string(endpoint.pid) + " is not where it should be");
        }
      }
      result_.endpoints.push_back(std::move(endpoint));
    }
  }

  static QoS qos_of(const agnocast_endpoint_record& record)
  {
    QoS qos(record.depth);
    if (record.history == AGNOCAST_KEEP_ALL) qos.keep_all(record.depth);
    if (record.reliability == AGNOCAST_BEST_EFFORT) qos.best_effort();
    if (record.durability == AGNOCAST_TRANSIENT_LOCAL) qos.transient_local();
    return qos;
  }

  static bool read_ring(const AreaFile& area, std::uint64_t offset, EndpointInfo& endpoint)
  {
    const auto ring = area.read<agnocast_ring>(offset);
    // 0: it is being made or about to go.
    if (!ring || (ring->publisher_id != endpoint.id && ring->publisher_id != 0)) return false;
    if (ring->publisher_id == 0) return true;
    endpoint.published = ring->head;
    if (ring->tail != 0 && ring->tail <= ring->head) {
      endpoint.retained = ring->head + 1 - ring->tail;
    }
    endpoint.moved_parts = ring->moved_parts;
    endpoint.description_offset = ring->description;
    const std::uint64_t count_log2 = ring->entries % 64;
    if (ring->head == 0 || count_log2 > AGNOCAST_RING_ENTRIES_LOG2_MAX) return ring->head == 0;
    const std::uint64_t index = ring->head & ((std::uint64_t{1} << count_log2) - 1);
    const auto entry = area.read<agnocast_ring_entry>(ring->entries - count_log2 +
                                                      index * sizeof(agnocast_ring_entry));
    if (entry && (entry->mark & ~AGNOCAST_RETIRED) == ring->head) {
      endpoint.last_stamp_ns = static_cast<std::int64_t>(entry->stamp_ns);
      endpoint.total_bytes = entry->total_bytes;
    }
    return true;
  }

  static bool read_subscription(const AreaFile& area, std::uint64_t offset, EndpointInfo& endpoint)
  {
    const auto subscription = area.read<agnocast_subscription>(offset);
    if (!subscription ||
        (subscription->subscription_id != endpoint.id && subscription->subscription_id != 0)) {
      return false;
    }
    endpoint.description_offset = subscription->description;
    endpoint.lost = subscription->lost;
    endpoint.delay_ns = subscription->delay_ns;
    if (const auto waiter = area.waiter(subscription->waiter)) {
      endpoint.is_asleep = waiter->sleeping != 0;
    }
    std::uint64_t next = subscription->first_connection;
    for (std::uint32_t i = 0; next != 0 && i < AGNOCAST_CONNECTIONS_MAX; ++i) {
      const auto connection = area.read<agnocast_connection>(next);
      if (!connection) return false;
      if (connection->publisher_id != 0) {
        endpoint.connections.push_back(
          {connection->publisher_id, connection->cursor, count_holds(area, next, *connection)});
      }
      next = connection->next;
    }
    return true;
  }

  static std::uint32_t count_holds(const AreaFile& area, std::uint64_t offset,
                                   const agnocast_connection& connection)
  {
    const std::uint32_t end = std::min<std::uint32_t>(
      {connection.holds_end, connection.holds_capacity, AGNOCAST_HOLDS_MAX});
    std::vector<std::uint64_t> holds(end);
    if (end == 0 || !area.read_bytes(offset + AGNOCAST_HOLDS_OFFSET, holds.data(),
                                     end * sizeof(std::uint64_t))) {
      return 0;
    }
    return end - static_cast<std::uint32_t>(std::count(holds.begin(), holds.end(), 0U));
  }

  const std::unique_ptr<agnocast_registry> registry_;
  DomainSnapshot result_;
  std::map<std::uint64_t, AreaFile> areas_;        ///< by process id
  std::map<std::uint32_t, std::uint32_t> topics_;  ///< index in the registry, in the result
};

std::uint32_t domain_of_settings()
{
  auto settings = internal::read_settings();
  if (!settings) throw SettingError(settings.failure().text);
  return settings->domain;
}

}  // namespace

DomainView::DomainView() : domain_(domain_of_settings()) {}

std::vector<std::uint32_t> DomainView::domains()
{
  return internal::domains_with_files();
}

DomainSnapshot DomainView::snapshot() const
{
  return Snapshot(domain_).take();
}

std::optional<TypeDescription> DomainView::description(const DomainSnapshot& snapshot,
                                                       const EndpointInfo& endpoint) const
{
  for (const ProcessInfo& process : snapshot.processes) {
    if (process.id != endpoint.process_id || endpoint.description_offset == 0) continue;
    const AreaFile area(process.name, process.id);
    if (!area) return std::nullopt;
    const auto header = area.read<agnocast_description>(endpoint.description_offset);
    if (!header || header->bytes > AGNOCAST_DESCRIPTION_BYTES_MAX) return std::nullopt;
    std::vector<std::byte> bytes(header->bytes);
    if (!area.read_bytes(endpoint.description_offset, bytes.data(), bytes.size())) {
      return std::nullopt;
    }
    try {
      return TypeDescription::decode(bytes.data(), bytes.size());
    } catch (const Error&) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace agnocast

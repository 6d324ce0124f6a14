// A look into a domain from outside: what is there, without being there.
//
// Nothing is joined and nothing is mapped: the shared objects are read through descriptors, piece
// by piece, so that no process of the domain can notice it, wait for it, or be hurt by its end.
// What is read is checked like everything that comes from others, and it may change between two
// reads: figures of one snapshot need not fit together to the last message.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agnocast/export.hpp"
#include "agnocast/qos.hpp"
#include "agnocast/type_description.hpp"

namespace agnocast {

struct ProcessInfo
{
  std::uint64_t id = 0;  ///< unique in the domain, never used twice
  std::int64_t pid = 0;  ///< in its own pid namespace
  std::string name;      ///< what follows the @ in the names of its objects
  std::uint32_t slot = 0;
  std::uint32_t uid = 0;
  bool is_alive = false;
  bool is_readable = false;         ///< its area could be opened; if not, what follows is 0
  std::string command;              ///< of /proc; empty if that cannot be read
  std::uint64_t slot_bytes = 0;     ///< addresses set aside for it
  std::uint64_t secured_bytes = 0;  ///< of its heap, backed by memory
  std::uint64_t heap_used_bytes = 0;
  std::uint64_t heap_peak_bytes = 0;
  std::uint64_t loans_open = 0;
};

/// What a subscription has of one publisher.
struct ConnectionInfo
{
  std::uint64_t publisher_id = 0;
  std::uint64_t cursor = 0;  ///< sequence of the next message that it takes
  std::uint32_t held = 0;    ///< messages in use
};

struct EndpointInfo
{
  std::uint64_t id = 0;
  std::uint64_t process_id = 0;
  std::int64_t pid = 0;
  std::uint32_t topic = 0;  ///< index of DomainSnapshot::topics
  std::string node;         ///< full name
  bool is_publisher = false;
  QoS qos{1};
  // Of publishers:
  std::uint64_t published = 0;     ///< messages, so far
  std::uint64_t retained = 0;      ///< of them, those that can still be taken
  std::int64_t last_stamp_ns = 0;  ///< CLOCK_MONOTONIC when the newest was published; 0: none
  std::uint64_t moved_parts = 0;   ///< by the audit
  /// Of the published messages: the objects, and what containers own as far as the audit saw it.
  std::uint64_t total_bytes = 0;
  // Of subscriptions:
  std::vector<ConnectionInfo> connections;
  std::uint64_t lost = 0;      ///< messages that were gone before they were taken
  std::uint64_t delay_ns = 0;  ///< from publish to take, of a message of lately; 0: none measured
  bool is_asleep = false;
  bool is_closed = false;  ///< gone but for messages that are held

  std::uint64_t description_offset = 0;  ///< for DomainView::description()
};

struct TopicInfo
{
  std::string name;
  std::string type;  ///< readable
  std::uint64_t type_bytes = 0;
  std::uint64_t type_alignment = 0;
  std::uint64_t type_hash = 0;
};

struct DomainSnapshot
{
  std::uint32_t domain = 0;
  std::int64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::vector<ProcessInfo> processes;
  std::vector<TopicInfo> topics;
  std::vector<EndpointInfo> endpoints;
  std::vector<std::string> problems;  ///< what could not be read, or not be believed
};

/// Where to look. A plain value; thread-safe as such.
class AGNOCAST_PUBLIC DomainView
{
 public:
  /// The domain of AGNOCAST_DOMAIN_ID. Throws SettingError if that cannot be used.
  DomainView();
  explicit DomainView(std::uint32_t domain) noexcept : domain_(domain) {}

  /// Domains that have a registry on this machine, or were left the lock of one.
  static std::vector<std::uint32_t> domains();

  [[nodiscard]] std::uint32_t domain() const noexcept { return domain_; }

  /// Everything, now. Empty if nobody is in the domain. Throws RegistryError if the registry may
  /// not be read, or is of another version of the library. Costs one read of 2 MB, and a few of
  /// each process's area.
  [[nodiscard]] DomainSnapshot snapshot() const;

  /// What messages of the endpoint look like; nothing if that cannot be read any more.
  [[nodiscard]] std::optional<TypeDescription> description(const DomainSnapshot& snapshot,
                                                           const EndpointInfo& endpoint) const;

 private:
  std::uint32_t domain_;
};

enum class Health : std::uint8_t { fine, notice, warning, failure };

/// One thing that was looked at.
struct Finding
{
  Health health = Health::fine;
  std::string subject;
  std::string text;
  std::string remedy;  ///< empty if nothing needs to be done
};

/// Looks at what the library needs of this machine and this shell: /dev/shm, address space, limits,
/// queues, leftovers, the registry.
AGNOCAST_PUBLIC std::vector<Finding> examine_machine();

/// Shared objects in /dev/shm whose processes are dead, by their names; for examine_machine() and
/// for those who clean up.
AGNOCAST_PUBLIC std::vector<std::string> find_leftovers();

}  // namespace agnocast

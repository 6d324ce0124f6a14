// The registry as the rest of the library sees it: who is here, behind one small interface with
// two hosts (a locked file in user space; the kernel module).
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "abi/registry_layout.h"
#include "base/result.hpp"
#include "base/settings.hpp"
#include "memory/names.hpp"
#include "memory/peer.hpp"

namespace agnocast::internal {

struct ProcessTicket
{
  std::uint32_t slot;
  std::uint64_t id;
};

struct EndpointRequest
{
  agnocast_endpoint_kind kind;
  std::string topic;
  std::string node;
  std::string_view type_name;
  std::uint64_t type_bytes;
  std::uint64_t type_alignment;
  std::uint64_t type_hash;           ///< of the type's description
  std::uint64_t description_offset;  ///< of the description in this process's area; 0: none
  std::uint64_t control_offset;
  std::uint32_t depth;
  agnocast_history history;
  agnocast_reliability reliability;
  agnocast_durability durability;
};

struct EndpointTicket
{
  std::uint32_t index;
  std::uint32_t topic;
  std::uint64_t id;
};

/// A live endpoint, copied out of the registry and checked.
struct EndpointView
{
  std::uint64_t id;
  PeerIdentity process;
  std::uint64_t control_offset;
  std::uint32_t depth;
  agnocast_history history;
  agnocast_reliability reliability;
  agnocast_durability durability;
};

/// Whether the process has nothing else at the addresses of that slot.
using IsUsableSlot = std::function<bool(std::uint32_t slot)>;

/// Thread-safe. The join, add, close and remove operations cost a few system calls under a lock
/// that all processes of the domain share; the reads cost none.
class Registry
{
 public:
  virtual ~Registry() = default;

  /// Joins the registry of the domain, made if there is none.
  static Result<std::unique_ptr<Registry>> open(const Settings& settings);

  /// True if it was removed or replaced meanwhile, because nobody was in it: open it again.
  [[nodiscard]] virtual bool is_gone() const = 0;
  /// True if its pages cannot be believed any more: shortened or overwritten while it was in use.
  /// Asked after a read, it says whether what was read counts.
  [[nodiscard]] virtual bool is_broken() const = 0;
  /// is_broken(), which it says to the user once.
  [[nodiscard]] bool complain_if_broken() const;
  /// True if its file was removed while this process is in it. One system call.
  [[nodiscard]] virtual bool is_removed() const = 0;
  [[nodiscard]] virtual WindowSetting window() const = 0;
  /// Who may join this domain: chosen by its first process, taken over by all others.
  [[nodiscard]] virtual Permissions permissions() const = 0;

  /// Removes what processes left that died without being registered.
  virtual void sweep() = 0;
  /// First step of joining: cleans up after the dead, then takes a slot and an id. `name`: what
  /// follows the @ in the names of this process's objects; its area exists, and is marked as made.
  /// What the process has in its slot is made after it, while others join and change the registry.
  virtual Result<ProcessTicket> begin_join(const IsUsableSlot& is_usable,
                                           const std::string& name) = 0;
  /// Second step, once all is in place: peers see this process from now on.
  virtual Status finish_join(const ProcessTicket& ticket) = 0;
  /// Called by the process itself when it leaves, or cannot finish its join, after it has unlinked
  /// its objects.
  virtual void remove_process(const ProcessTicket& ticket) = 0;
  /// Called by a process that has opened the registry and never begun to join.
  virtual void remove_if_empty() = 0;
  /// False if `process` is certainly not in it any more, with nothing left to clean up. Takes no
  /// lock.
  [[nodiscard]] virtual bool may_be_there(const PeerIdentity& process) const = 0;
  /// Removes `process` and its objects if it is dead. True if it is gone now.
  virtual bool recover(const PeerIdentity& process) = 0;

  virtual Result<EndpointTicket> add_endpoint(const ProcessTicket& process,
                                              const EndpointRequest& request) = 0;
  /// If these cannot be done now, because the process may open no more files, settle() does it.
  virtual void close_endpoint(const EndpointTicket& ticket) noexcept = 0;
  virtual void remove_endpoint(const EndpointTicket& ticket) noexcept = 0;
  /// True if nothing is left to do.
  virtual bool settle() noexcept = 0;
  /// Whether settle() has nothing to do; takes no lock.
  [[nodiscard]] virtual bool is_settled() const noexcept = 0;

  /// The index of a topic that has endpoints.
  [[nodiscard]] virtual std::optional<std::uint32_t> find_topic(std::string_view name) const = 0;
  /// Changes whenever an endpoint of that kind comes to the topic, goes or changes. Stays where it
  /// is.
  [[nodiscard]] virtual const std::uint64_t* topic_generation(
    std::uint32_t topic, agnocast_endpoint_kind kind) const = 0;
  [[nodiscard]] virtual std::vector<EndpointView> endpoints(std::uint32_t topic,
                                                            agnocast_endpoint_kind kind) const = 0;
};

/// Demangled for people.
std::string readable_type(const std::string& mangled);

}  // namespace agnocast::internal

// The registry of the kernel module: pages that only the kernel writes.
//
// Who writes what: the kernel, by commands of /dev/agnocast, each of which opens the device anew:
// no descriptor lives long, so a program that closes all its descriptors breaks nothing. The
// mapping of the pages makes this process a member; it goes with the process's memory.
//
// If we die here: the kernel removes our record and our endpoints. Our objects in /dev/shm are
// removed by who notices, in its turn (see kernel_interface.h).
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "abi/kernel_interface.h"
#include "registry/late_changes.hpp"
#include "registry/pages.hpp"
#include "registry/registry.hpp"
#include "registry/remains.hpp"

namespace agnocast::internal {

class KernelRegistry final : public PagedRegistry
{
 public:
  explicit KernelRegistry(const Settings& settings) : settings_(settings) {}
  ~KernelRegistry() override;

  Status start();
  /// Never: it is there as long as a member is.
  [[nodiscard]] bool is_gone() const override { return false; }
  /// Never: only the kernel writes it.
  [[nodiscard]] bool is_broken() const override { return false; }
  /// Never: it is no file.
  [[nodiscard]] bool is_removed() const override { return false; }
  [[nodiscard]] WindowSetting window() const override { return window_; }
  [[nodiscard]] Permissions permissions() const override { return permissions_; }
  void sweep() override { sweep_remains(pages_, settings_.domain); }
  Result<ProcessTicket> begin_join(const IsUsableSlot& is_usable, const std::string& name) override;
  Status finish_join(const ProcessTicket& ticket) override;
  void remove_process(const ProcessTicket& ticket) override;
  /// Nothing to do: it goes with the mapping of its last member.
  void remove_if_empty() override {}
  /// The kernel has removed its record already; its objects may be there.
  [[nodiscard]] bool may_be_there(const PeerIdentity&) const override { return true; }
  bool recover(const PeerIdentity& process) override;
  Result<EndpointTicket> add_endpoint(const ProcessTicket& process,
                                      const EndpointRequest& request) override;
  void close_endpoint(const EndpointTicket& ticket) noexcept override;
  void remove_endpoint(const EndpointTicket& ticket) noexcept override;
  bool settle() noexcept override;
  [[nodiscard]] bool is_settled() const noexcept override { return changes_.is_empty(); }

 private:
  /// The domain's turn, had while it lives.
  class Turn;
  struct Change
  {
    unsigned long command;
    agnocast_ticket_args args;
  };

  Status adopt(const agnocast_enter_args& args);
  Result<std::unique_ptr<Turn>> take_turn();
  void change(const Change& change) noexcept;
  bool make_changes() noexcept;
  void clean_up_after_vanished();
  Failure explain(int error, const std::string& what) const;

  const Settings settings_;
  Permissions permissions_;
  WindowSetting window_{};
  std::mutex turn_mutex_;  ///< the kernel tells processes apart, this their threads

  std::mutex known_mutex_;           ///< taken before turn_mutex_
  std::vector<PeerIdentity> known_;  ///< who was there at the last look
  std::uint64_t seen_generation_ = 0;

  LateChanges<Change> changes_;
};

}  // namespace agnocast::internal

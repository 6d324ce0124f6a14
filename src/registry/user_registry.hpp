// The registry in user space: a file, and beside it another one for its lock (registry_lock.hpp).
//
// Who writes what: the holder of the lock, by pwrite, through the ledger. Each operation locks,
// opens the file, writes and closes both: no descriptor lives long, so a program that closes all
// its descriptors breaks nothing. A mutex keeps the process's own threads apart.
//
// If we die here: the kernel drops the lock; what is half-written is said in registry_layout.h.
// A registry that was made but not initialized is blank and the next to lock it initializes it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "os/bus_guard.hpp"
#include "os/file.hpp"
#include "registry/late_changes.hpp"
#include "registry/pages.hpp"
#include "registry/registry.hpp"
#include "registry/registry_files.hpp"
#include "registry/registry_lock.hpp"
#include "registry/remains.hpp"

namespace agnocast::internal {

class UserRegistry final : public PagedRegistry
{
 public:
  UserRegistry(const Settings& settings, const Permissions& permissions)
    : name_(registry_to_join(settings)), settings_(settings), permissions_(permissions)
  {
  }
  ~UserRegistry() override { unmap(); }

  Status start();
  [[nodiscard]] bool is_gone() const override;
  [[nodiscard]] bool is_removed() const override;
  [[nodiscard]] bool is_broken() const override
  {
    return guard_.is_broken() || !pages_.has_magic() || !(pages_.window() == window_);
  }
  [[nodiscard]] WindowSetting window() const override { return window_; }
  [[nodiscard]] Permissions permissions() const override { return permissions_; }
  void sweep() override;
  Result<ProcessTicket> begin_join(const IsUsableSlot& is_usable, const std::string& name) override;
  Status finish_join(const ProcessTicket& ticket) override;
  void remove_process(const ProcessTicket& ticket) override;
  void remove_if_empty() override;
  [[nodiscard]] bool may_be_there(const PeerIdentity& process) const override;
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
    changes_.forget_endpoint();
  }
  bool settle() noexcept override;
  [[nodiscard]] bool is_settled() const noexcept override { return changes_.is_empty(); }

 private:
  /// The registry's lock, held while it lives.
  struct Locked
  {
    explicit Locked(const std::string& registry) : name(registry) {}
    ~Locked();
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

    const std::string& name;
    std::vector<os::Descriptor> freed;  ///< memory of the dead: goes last, without the lock
    std::unique_lock<std::mutex> threads;
    RegistryLock lock;
    os::Descriptor file;
    bool created = false;  ///< the file, by this operation
    bool keep = false;     ///< otherwise what this operation has made is nobody's, and goes
    agnocast_ledger ledger{};
  };

  struct Change
  {
    decltype(&agnocast_ledger_remove_endpoint) make;
    EndpointTicket ticket;
  };

  void change(const Change& change) noexcept;
  bool make_changes();
  void make_changes(Locked* locked) noexcept;
  Result<EndpointTicket> add_to_ledger(const agnocast_ledger_endpoint& endpoint,
                                       const EndpointRequest& request);
  Result<std::unique_ptr<Locked>> lock(bool create, const std::function<bool()>& is_needed = {});
  Status open(Locked& locked, bool create);
  Result<bool> map(Locked& locked);
  void unmap();
  Result<bool> start_locked(Locked& locked);
  [[nodiscard]] Status admit_lock() const;
  Status adopt(const os::FileStatus& status);
  Failure damaged() const;
  Failure kept_locked(pid_t holder) const;
  Failure cannot_open(int error) const;
  Failure explain(agnocast_ledger_status status, const agnocast_ledger& ledger) const;
  agnocast_ledger_status initialize(agnocast_ledger& ledger) const;
  void recover_dead(Locked& locked, bool thoroughly);
  void recover_joining(Locked& locked);
  bool remove_if_last(Locked& locked);
  agnocast_ledger_status find_slot(const agnocast_ledger& ledger, const IsUsableSlot& is_usable,
                                   std::uint32_t& slot) const;

  std::string name_;
  Settings settings_;
  Permissions permissions_;
  std::mutex mutex_;
  os::BusGuard guard_;
  std::uint64_t inode_ = 0;
  WindowSetting window_{};    ///< as it was when we opened it
  std::uint64_t own_id_ = 0;  ///< of this process's record, once it has one

  LateChanges<Change> changes_;
};

}  // namespace agnocast::internal

// What the dead leave behind in the registry and beside it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic.hpp"
#include "memory/area_claim.hpp"
#include "memory/names.hpp"
#include "os/failpoint.hpp"
#include "os/process.hpp"
#include "registry/remains.hpp"
#include "registry/user_registry.hpp"

namespace agnocast::internal {

namespace {

// A file that has gone says nothing of a process that may live: somebody has removed it. Its holds
// stand, so its record must.
bool is_certainly_gone(const RemainsReport& remains, const PeerIdentity& process)
{
  const std::uint64_t here = os::pid_namespace();
  return remains.state == Remains::none && process.pid_namespace == here && here != 0 &&
         !os::may_exist(static_cast<pid_t>(process.pid));
}

}  // namespace

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
      dead = remains.state == Remains::dead || is_certainly_gone(remains, process) ||
             remains.is_of_another(process.process_id);
    }
    if (!dead) continue;
    // A record that lies must not cost a living process its names.
    if (examine_area(process.process).state != Remains::alive) {
      locked.freed.push_back(unlink_objects(process.process, process.process_id));
    }
    agnocast_ledger_remove_process(&locked.ledger, process.slot, process.process_id);
  }
  recover_joining(locked);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Who joins has an area of its name from before its record is there until after it is gone, and
// until the area's `alive` word stands, it has the lock on the area's file.
void UserRegistry::recover_joining(Locked& locked)
{
  const std::uint64_t here = os::pid_namespace();
  for (const PeerIdentity& process : pages_.joining()) {
    if (process.process_id == own_id_) continue;
    const bool same_namespace = process.pid_namespace == here && here != 0;
    const RemainsReport remains = examine_area(process.process);
    const bool has_ended = same_namespace && (process.pid == os::process_id() ||
                                              os::has_ended(static_cast<pid_t>(process.pid)));
    if (!has_ended && remains.state != Remains::dead && remains.state != Remains::none) continue;
    if (remains.state != Remains::alive) {
      locked.freed.push_back(unlink_objects(process.process, process.process_id));
    }
    agnocast_ledger_remove_process(&locked.ledger, process.slot, process.process_id);
  }
}

/// The last one puts out the light; who waits for the lock sees that the file has no name.
bool UserRegistry::remove_if_last(Locked& locked)
{
  // A killed process that its parent has not waited for yet still has its number: when few are
  // left, look.
  recover_dead(locked, agnocast_ledger_process_count(&locked.ledger) <= 4);
  if (agnocast_ledger_process_count(&locked.ledger) != 0) return false;
  AGNOCAST_FAILPOINT("leave.last");
  os::unlink_shared(name_);
  AGNOCAST_FAILPOINT("leave.registry_unlinked");
  locked.lock.remove();
  return true;
}

void UserRegistry::sweep()
{
  sweep_remains(pages_, settings_.domain);
  // Registries of the domain in which nobody lives any more, unless only another user can remove
  // them.
  for (const std::string& file : registry_files(settings_.domain)) {
    const auto status = os::status_of_shared(file);
    const bool is_ours =
      os::effective_user() == 0 || !status || status->uid == os::effective_user();
    if (file == name_ || !is_ours || is_inhabited(file)) continue;
    RegistryLock other;
    if (other.take(file, permissions_, false) != os::LockOutcome::locked) continue;
    if (is_inhabited(file)) continue;
    os::unlink_shared(file);
    other.remove();
  }
}

void UserRegistry::remove_process(const ProcessTicket& ticket)
{
  bool was_last = false;
  {
    auto locked = lock(false);
    if (!locked) return;
    agnocast_ledger_remove_process(&(*locked)->ledger, ticket.slot, ticket.id);
    was_last = remove_if_last(**locked);
  }
  if (was_last) sweep();
}

void UserRegistry::remove_if_empty()
{
  if (pages_.raw() == nullptr) return;
  if (auto locked = lock(false)) remove_if_last(**locked);
}

bool UserRegistry::may_be_there(const PeerIdentity& process) const
{
  const auto& record = pages_.raw()->processes[process.slot];
  // Pairs with the ledger's store of the state.
  return load_acquire(record.state) == AGNOCAST_LIVE &&
         load_relaxed(record.id) == process.process_id;
}

bool UserRegistry::recover(const PeerIdentity& process)
{
  const auto is_registered = [&] { return may_be_there(process); };
  // All who had the area mapped come at once. The first does it; who waits for the lock sees it.
  if (!is_registered()) return true;
  auto locked = lock(false, is_registered);
  if (!is_registered()) return true;
  if (!locked) return false;
  const RemainsReport remains = examine_area(process.process);
  const bool is_of_another = remains.is_of_another(process.process_id);
  const std::uint64_t here = os::pid_namespace();
  const bool ended =
    process.pid_namespace == here && here != 0 && os::has_ended(static_cast<pid_t>(process.pid));
  if (remains.state != Remains::dead && !is_certainly_gone(remains, process) && !is_of_another &&
      !ended) {
    return false;
  }
  (*locked)->freed.push_back(unlink_objects(process.process, process.process_id));
  agnocast_ledger_remove_process(&(*locked)->ledger, process.slot, process.process_id);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
}

}  // namespace agnocast::internal

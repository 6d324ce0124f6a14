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
#include "memory/names.hpp"
#include "os/failpoint.hpp"
#include "os/process.hpp"
#include "os/queue.hpp"
#include "registry/remains.hpp"
#include "registry/user_registry.hpp"

namespace agnocast::internal {

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
  sweep_remains(pages_.processes(), settings_.domain);
  os::unlink_shared(name_);
  AGNOCAST_FAILPOINT("leave.registry_unlinked");
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
  auto locked = lock(false);
  if (!locked) return false;
  if (!may_be_there(process)) return true;
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

}  // namespace agnocast::internal

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
#include "registry/user_registry.hpp"

namespace agnocast::internal {

namespace {

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

// Removes what processes left that died before they were in a registry, and what a domain left in
// which nobody lives. Those that are in our registry are recover_dead()'s.
void UserRegistry::sweep() const
{
  const std::vector<PeerIdentity> registered = pages_.processes();
  std::vector<std::pair<std::string, RemainsReport>> dead;
  std::set<std::uint32_t> inhabited;
  for (const std::string& file : os::list_shared(area_prefix)) {
    const std::string process = file.substr(std::strlen(area_prefix));
    const bool known =
      std::any_of(registered.begin(), registered.end(),
                  [&](const PeerIdentity& identity) { return identity.process == process; });
    if (known) continue;
    const RemainsReport remains = examine_area(process);
    if (remains.state == Remains::dead) dead.emplace_back(process, remains);
    if (remains.state == Remains::alive) inhabited.insert(remains.domain);
  }
  for (const auto& [process, remains] : dead) {
    // The members of another domain clean up what they have registered: who of them has not
    // connected yet may still want its messages.
    const bool is_theirs = remains.process_id != 0 && remains.domain != settings_.domain &&
                           inhabited.count(remains.domain) != 0;
    if (!is_theirs) unlink_objects(process);
  }
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

}  // namespace agnocast::internal

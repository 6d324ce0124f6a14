// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/remains.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "memory/names.hpp"
#include "os/failpoint.hpp"
#include "os/file.hpp"
#include "os/queue.hpp"

namespace agnocast::internal {

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

void sweep_remains(const std::vector<PeerIdentity>& registered, std::uint32_t domain)
{
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
    const bool is_theirs =
      remains.process_id != 0 && remains.domain != domain && inhabited.count(remains.domain) != 0;
    if (!is_theirs) unlink_objects(process);
  }
}

}  // namespace agnocast::internal

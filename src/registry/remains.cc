// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/remains.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "memory/area_claim.hpp"
#include "memory/names.hpp"
#include "memory/peer.hpp"
#include "os/file.hpp"

namespace agnocast::internal {

void sweep_remains(const RegistryPages& pages, std::uint32_t domain)
{
  std::vector<std::pair<std::string, RemainsReport>> dead;
  std::set<std::uint32_t> inhabited;
  for (const std::string& file : os::list_shared(area_prefix)) {
    const std::string process = file.substr(std::strlen(area_prefix));
    const RemainsReport remains = examine_area(process);
    if (remains.state == Remains::dead) dead.emplace_back(process, remains);
    if (remains.state == Remains::alive) inhabited.insert(remains.domain);
  }
  if (dead.empty()) return;
  // After the look: who has joined meanwhile, and died, is registered.
  const std::vector<PeerIdentity> live = pages.processes();
  const std::vector<PeerIdentity> joining = pages.joining();
  for (const auto& [process, remains] : dead) {
    const auto has_name = [&, &name = process](const PeerIdentity& identity) {
      return identity.process == name;
    };
    if (std::any_of(live.begin(), live.end(), has_name) ||
        std::any_of(joining.begin(), joining.end(), has_name)) {
      continue;
    }
    // The members of another domain clean up what they have registered: who of them has not
    // connected yet may still want its messages.
    const bool is_theirs =
      remains.process_id != 0 && remains.domain != domain && inhabited.count(remains.domain) != 0;
    if (!is_theirs) unlink_objects(process, remains.process_id);
  }
}

}  // namespace agnocast::internal

// The readers of a registry whose pages have any content.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "input.hpp"
#include "ledger/ledger.h"
#include "memory/window.hpp"
#include "registry/pages.hpp"

namespace {

using namespace agnocast::fuzz;
using namespace agnocast::internal;

int store(void* context, std::uint64_t offset, const void* source, std::uint64_t bytes)
{
  std::memcpy(static_cast<std::uint8_t*>(context) + offset, source, bytes);
  return 0;
}

// A small domain: processes, topics and endpoints that are right.
void make(agnocast_registry& registry)
{
  auto* pages = reinterpret_cast<std::uint8_t*>(&registry);
  agnocast_ledger ledger{pages, &store, pages, 0};
  const agnocast_ledger_setup setup{0x200000000000, 16ull << 40, 16ull << 30, 1, 0};
  agnocast_ledger_init(&ledger, &setup);
  agnocast_ledger_added added = {};
  for (std::uint32_t i = 0; i < 4; ++i) {
    agnocast_ledger_process process = {};
    process.pid = static_cast<std::int32_t>(100 + i);
    std::snprintf(process.name, sizeof process.name, "%u", 100 + i);
    agnocast_ledger_add_process(&ledger, i, &process, &added);
    agnocast_ledger_finish_process(&ledger, added.index, added.id);
    for (std::uint32_t topic = 0; topic < 2; ++topic) {
      agnocast_ledger_endpoint endpoint = {};
      endpoint.kind = 1 + i % 2;
      endpoint.process = i;
      endpoint.process_id = added.id;
      endpoint.depth = 1;
      endpoint.control_offset = AGNOCAST_CONTROL;
      std::snprintf(endpoint.topic, sizeof endpoint.topic, "/t%u", topic);
      std::strcpy(endpoint.node, "/n");
      std::strcpy(endpoint.type_name, "N1a1bE");
      agnocast_ledger_added ignored = {};
      agnocast_ledger_add_endpoint(&ledger, &endpoint, &ignored);
    }
  }
}

void garble(agnocast_registry& registry, Input& input)
{
  const auto where = input.get<std::uint16_t>();
  std::size_t offset = where % sizeof(agnocast_registry_header);
  if (where >> 14 == 1) {
    offset = offsetof(agnocast_registry, processes) + where % (5 * sizeof registry.processes[0]);
  } else if (where >> 14 == 2) {
    offset = offsetof(agnocast_registry, topics) + where % (3 * sizeof registry.topics[0]);
  } else if (where >> 14 == 3) {
    offset = offsetof(agnocast_registry, endpoints) + where % (9 * sizeof registry.endpoints[0]);
  }
  const auto value = input.get<std::uint64_t>();
  const std::size_t count = 1 + input.get<std::uint8_t>() % 8;
  std::memcpy(reinterpret_cast<std::uint8_t*>(&registry) + offset, &value, count);
}

void check(const PeerIdentity& process)
{
  must(process.slot < AGNOCAST_PROCESS_CAPACITY, "a slot of the table");
  must(!process.process.empty() && process.process.size() < AGNOCAST_PROCESS_NAME_BYTES + 1 &&
         process.process.find_first_not_of("0123456789.") == std::string::npos,
       "a name that can be part of a path");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  // Exactly as large as the layout, so that a sanitizer sees every access beyond it.
  static const auto model = [] {
    auto made = std::make_unique<agnocast_registry>();
    make(*made);
    return made;
  }();
  static const auto registry = std::make_unique<agnocast_registry>();
  std::memcpy(registry.get(), model.get(), sizeof *registry);
  Input input(data, bytes);
  while (input.any()) garble(*registry, input);
  const RegistryPages pages(registry.get());
  const WindowSetting window = pages.window();
  if (Window::is_possible(window)) {
    must(window.slot_bytes >= AGNOCAST_SLOT_BYTES_MIN && window.bytes / window.slot_bytes > 0,
         "a possible window has a slot");
  }
  static_cast<void>(pages.has_magic());
  for (const PeerIdentity& process : pages.processes()) check(process);
  for (const std::uint32_t topic : {0u, 1u, 2u, 1024u, ~0u}) {
    for (const auto kind : {AGNOCAST_PUBLISHER, AGNOCAST_SUBSCRIPTION}) {
      for (const EndpointView& view : pages.endpoints(topic, kind)) {
        check(view.process);
        must(view.history <= AGNOCAST_KEEP_ALL && view.reliability <= AGNOCAST_RELIABLE &&
               view.durability <= AGNOCAST_TRANSIENT_LOCAL,
             "settings that exist");
      }
    }
    static_cast<void>(pages.topic_type(topic));
  }
  auto* raw = reinterpret_cast<std::uint8_t*>(registry.get());
  agnocast_ledger ledger{raw, &store, raw, 0};
  std::uint32_t slot = 0;
  if (agnocast_ledger_free_slot(&ledger, ~0u, &slot) == AGNOCAST_LEDGER_OK) {
    must(slot < AGNOCAST_PROCESS_CAPACITY, "a free slot of the table");
  }
  static_cast<void>(agnocast_ledger_audit(&ledger));
  agnocast_ledger_remove_process(&ledger, 1, registry->processes[1].id);
  return 0;
}

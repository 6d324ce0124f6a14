// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/pages.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/atomic.hpp"

namespace agnocast::internal {

namespace {

// Pairs with the ledger's stores of state words and high-water marks, body first.
bool is_live(const std::uint32_t& state)
{
  return load_acquire(state) == AGNOCAST_LIVE;
}

std::string name_of(const char* text, std::size_t bytes)
{
  return std::string(text, ::strnlen(text, bytes));
}

}  // namespace

WindowSetting RegistryPages::window() const noexcept
{
  return {load_relaxed(pages_->header.window_base), load_relaxed(pages_->header.window_bytes),
          load_relaxed(pages_->header.slot_bytes)};
}

bool RegistryPages::has_magic() const noexcept
{
  return load_acquire(pages_->header.magic) == AGNOCAST_REGISTRY_MAGIC;  // pairs with the ledger
}

std::optional<PeerIdentity> RegistryPages::process(std::uint32_t index, std::uint32_t state) const
{
  if (index >= AGNOCAST_PROCESS_CAPACITY) return std::nullopt;
  const agnocast_process_record& record = pages_->processes[index];
  if (load_acquire(record.state) != state) return std::nullopt;  // pairs with the ledger
  PeerIdentity identity{index, load_relaxed(record.id),
                        name_of(record.name, AGNOCAST_PROCESS_NAME_BYTES), load_relaxed(record.pid),
                        load_relaxed(record.pid_namespace)};
  // A name becomes part of a path: only what we would have given.
  if (identity.process.empty() ||
      identity.process.find_first_not_of("0123456789.") != std::string::npos) {
    return std::nullopt;
  }
  return identity;
}

std::vector<PeerIdentity> RegistryPages::processes() const
{
  return processes_in(AGNOCAST_LIVE);
}

std::vector<PeerIdentity> RegistryPages::joining() const
{
  return processes_in(AGNOCAST_JOINING);
}

std::vector<PeerIdentity> RegistryPages::processes_in(std::uint32_t state) const
{
  std::vector<PeerIdentity> found;
  // Pairs with the ledger's store of the mark after the record's state.
  const std::uint32_t end =
    std::min(load_acquire(pages_->header.processes_end), AGNOCAST_PROCESS_CAPACITY);
  for (std::uint32_t i = 0; i < end; ++i) {
    if (auto identity = process(i, state)) found.push_back(std::move(*identity));
  }
  return found;
}

std::vector<EndpointView> RegistryPages::endpoints(std::uint32_t topic,
                                                   agnocast_endpoint_kind kind) const
{
  std::vector<EndpointView> found;
  // Pairs with the ledger's store of the mark after the record's state.
  const std::uint32_t end =
    std::min(load_acquire(pages_->header.endpoints_end), AGNOCAST_ENDPOINT_CAPACITY);
  for (std::uint32_t i = 0; i < end; ++i) {
    const agnocast_endpoint_record& record = pages_->endpoints[i];
    // Before the state word: a record whose id is the same before and after was one endpoint's all
    // the time, since ids are given out once. Pairs with the ledger's store of the body.
    const std::uint64_t id = load_acquire(record.id);
    if (!is_live(record.state) || load_relaxed(record.topic) != topic ||
        load_relaxed(record.kind) != kind) {
      continue;
    }
    auto identity = process(load_relaxed(record.process), AGNOCAST_LIVE);
    if (!identity || identity->process_id != load_relaxed(record.process_id)) continue;
    const std::uint8_t history = load_relaxed(record.history);
    const std::uint8_t reliability = load_relaxed(record.reliability);
    const std::uint8_t durability = load_relaxed(record.durability);
    const EndpointView view{
      id,
      std::move(*identity),
      load_relaxed(record.control_offset),
      load_relaxed(record.depth),
      history == AGNOCAST_KEEP_ALL ? AGNOCAST_KEEP_ALL : AGNOCAST_KEEP_LAST,
      reliability == AGNOCAST_RELIABLE ? AGNOCAST_RELIABLE : AGNOCAST_BEST_EFFORT,
      durability == AGNOCAST_TRANSIENT_LOCAL ? AGNOCAST_TRANSIENT_LOCAL : AGNOCAST_VOLATILE};
    // The record may have been given to another endpoint while it was copied.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (is_live(record.state) && load_relaxed(record.id) == id) found.push_back(view);
  }
  return found;
}

std::optional<std::uint32_t> RegistryPages::find_topic(std::string_view name) const
{
  // Pairs with the ledger's store of the mark after the record's state.
  const std::uint32_t end =
    std::min(load_acquire(pages_->header.topics_end), AGNOCAST_TOPIC_CAPACITY);
  for (std::uint32_t i = 0; i < end; ++i) {
    const agnocast_topic_record& record = pages_->topics[i];
    if (is_live(record.state) && name_of(record.name, AGNOCAST_NAME_BYTES) == name) return i;
  }
  return std::nullopt;
}

std::string RegistryPages::topic_type(std::uint32_t topic) const
{
  if (topic >= AGNOCAST_TOPIC_CAPACITY) return {};
  const agnocast_topic_record& record = pages_->topics[topic];
  return "'" + readable_type(name_of(record.type_name, AGNOCAST_NAME_BYTES)) + "' (" +
         std::to_string(load_relaxed(record.type_bytes)) + " bytes, alignment " +
         std::to_string(load_relaxed(record.type_alignment)) + ")";
}

std::string readable_type(const std::string& mangled)
{
  int status = 0;
  char* text = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string readable = status == 0 && text != nullptr ? text : mangled;
  std::free(text);
  return readable;
}

}  // namespace agnocast::internal

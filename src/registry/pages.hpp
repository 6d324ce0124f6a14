// Reading the registry's pages without a lock; shared by both hosts.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "registry/registry.hpp"

namespace agnocast::internal {

/// A mapping of the registry, read-only. Any content is possible; everything is checked.
class RegistryPages
{
 public:
  explicit RegistryPages(const agnocast_registry* pages) noexcept : pages_(pages) {}

  [[nodiscard]] const agnocast_registry* raw() const noexcept { return pages_; }
  [[nodiscard]] WindowSetting window() const noexcept;
  /// Whether the header still says that this is a registry.
  [[nodiscard]] bool has_magic() const noexcept;
  [[nodiscard]] std::vector<PeerIdentity> processes() const;
  /// Those that have begun to join and are not live.
  [[nodiscard]] std::vector<PeerIdentity> joining() const;
  [[nodiscard]] std::vector<EndpointView> endpoints(std::uint32_t topic,
                                                    agnocast_endpoint_kind kind) const;
  [[nodiscard]] std::optional<std::uint32_t> find_topic(std::string_view name) const;
  [[nodiscard]] std::string topic_type(std::uint32_t topic) const;

 private:
  [[nodiscard]] std::optional<PeerIdentity> process(std::uint32_t index, std::uint32_t state) const;
  [[nodiscard]] std::vector<PeerIdentity> processes_in(std::uint32_t state) const;
  const agnocast_registry* pages_;
};

/// What every host answers from its pages.
class PagedRegistry : public Registry
{
 public:
  [[nodiscard]] std::optional<std::uint32_t> find_topic(std::string_view name) const override
  {
    return pages_.find_topic(name);
  }
  [[nodiscard]] const std::uint64_t* topic_generation(std::uint32_t topic,
                                                      agnocast_endpoint_kind kind) const override
  {
    AGNOCAST_CHECK(topic < AGNOCAST_TOPIC_CAPACITY);
    const agnocast_topic_record& record = pages_.raw()->topics[topic];
    return kind == AGNOCAST_PUBLISHER ? &record.publishers_generation
                                      : &record.subscriptions_generation;
  }
  [[nodiscard]] std::vector<EndpointView> endpoints(std::uint32_t topic,
                                                    agnocast_endpoint_kind kind) const override
  {
    return pages_.endpoints(topic, kind);
  }

 protected:
  RegistryPages pages_{nullptr};
};

}  // namespace agnocast::internal

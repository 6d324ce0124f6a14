// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/endpoint.hpp"

#include "agnocast/error.hpp"
#include "node/names.hpp"

namespace agnocast::internal {

EndpointRequest make_endpoint(agnocast_endpoint_kind kind, const NodeCore& node,
                              std::string_view topic, const TypeIdentity& type, const QoS& qos)
{
  std::string name = full_topic(topic, node.name(), node.namespace_name());
  if (qos.depth() == 0 || qos.depth() > QoS::depth_max) {
    throw SettingError("topic '" + name + "': a depth of " + std::to_string(qos.depth()) +
                       " cannot be used: give 1 to " + std::to_string(QoS::depth_max));
  }
  EndpointRequest endpoint = {};
  endpoint.kind = kind;
  endpoint.topic = std::move(name);
  endpoint.node = node.full_name();
  endpoint.type_name = type.name;
  endpoint.type_bytes = type.size;
  endpoint.type_alignment = type.alignment;
  endpoint.type_hash = type.description->hash();
  endpoint.depth = static_cast<std::uint32_t>(qos.depth());
  endpoint.history = qos.history() == History::keep_all ? AGNOCAST_KEEP_ALL : AGNOCAST_KEEP_LAST;
  endpoint.reliability =
    qos.reliability() == Reliability::reliable ? AGNOCAST_RELIABLE : AGNOCAST_BEST_EFFORT;
  endpoint.durability =
    qos.durability() == Durability::transient_local ? AGNOCAST_TRANSIENT_LOCAL : AGNOCAST_VOLATILE;
  // A best-effort publisher has nobody to wait for.
  if (kind == AGNOCAST_PUBLISHER && endpoint.reliability == AGNOCAST_BEST_EFFORT) {
    endpoint.history = AGNOCAST_KEEP_LAST;
  }
  return endpoint;
}

QoS to_qos(const EndpointRequest& endpoint) noexcept
{
  QoS qos(endpoint.depth);
  if (endpoint.history == AGNOCAST_KEEP_ALL) qos.keep_all(endpoint.depth);
  if (endpoint.reliability == AGNOCAST_BEST_EFFORT) qos.best_effort();
  if (endpoint.durability == AGNOCAST_TRANSIENT_LOCAL) qos.transient_local();
  return qos;
}

}  // namespace agnocast::internal

// What publishers and subscriptions tell the registry, made from what the user says.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "agnocast/message_traits.hpp"
#include "agnocast/qos.hpp"
#include "node/node_core.hpp"
#include "registry/registry.hpp"

namespace agnocast::internal {

/// Throws NameError and SettingError.
EndpointRequest make_endpoint(agnocast_endpoint_kind kind, const NodeCore& node,
                              std::string_view topic, const TypeIdentity& type, const QoS& qos);
QoS to_qos(const EndpointRequest& endpoint) noexcept;

}  // namespace agnocast::internal

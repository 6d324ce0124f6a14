// Names of nodes, namespaces and topics, by the rules of ROS 2.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace agnocast::internal {

/// These throw NameError, which says what is wrong and where.
void check_node_name(std::string_view name);
/// "" and "/" become "/"; "a/b" becomes "/a/b".
std::string full_namespace(std::string_view name);
/// The absolute name of a topic that a node of that name and namespace means.
std::string full_topic(std::string_view topic, std::string_view node,
                       std::string_view namespace_name);

}  // namespace agnocast::internal

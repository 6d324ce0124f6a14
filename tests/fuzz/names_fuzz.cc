// Names of topics, nodes and namespaces of any content: one a line.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/names.hpp"

#include "abi/types.h"
#include "agnocast/error.hpp"
#include "input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  using namespace agnocast::fuzz;
  using namespace agnocast::internal;
  Input input(data, bytes);
  const std::string topic = input.line();
  const std::string node = input.line();
  const std::string space = input.line();
  try {
    check_node_name(node);
    const std::string full_space = full_namespace(space);
    must(full_space.front() == '/', "a namespace is absolute");
    const std::string name = full_topic(topic, node, full_space);
    must(name.size() > 1 && name.front() == '/' && name.back() != '/', "a topic is absolute");
    must(name.size() < AGNOCAST_NAME_BYTES, "a topic fits into its record");
    must(name.find("//") == std::string::npos && name.find('\0') == std::string::npos,
         "no part of a topic is empty");
    must(full_topic(name, node, full_space) == name, "a full name stands for itself");
  } catch (const agnocast::NameError&) {
  }
  return 0;
}

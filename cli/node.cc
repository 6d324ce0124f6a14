// agnocast node and process: who is in the domain.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "commands.hpp"

namespace cli {
namespace {

using agnocast::DomainSnapshot;
using agnocast::EndpointInfo;
using agnocast::ProcessInfo;
using agnocast::Value;

void list_nodes(bool count_only, Format format)
{
  const DomainSnapshot domain = agnocast::DomainView().snapshot();
  std::set<std::string> names;
  for (const EndpointInfo& endpoint : domain.endpoints) names.insert(endpoint.node);
  if (count_only) {
    print(std::to_string(names.size()) + "\n");
    return;
  }
  std::string text;
  std::vector<Value> nodes;
  for (const std::string& name : names) {
    text += name + "\n";
    nodes.push_back(Value::of_string(name));
  }
  print(format == Format::text ? text
                               : document_text(Value::of_sequence(std::move(nodes)), format));
}

void node_info(std::string name, Format format)
{
  if (!name.empty() && name.front() != '/') name = "/" + name;
  const DomainSnapshot domain = agnocast::DomainView().snapshot();
  std::vector<Value> publishers;
  std::vector<Value> subscriptions;
  std::string lines[2];
  std::int64_t pid = 0;
  bool is_found = false;
  for (const EndpointInfo& endpoint : domain.endpoints) {
    if (endpoint.node != name) continue;
    is_found = true;
    pid = endpoint.pid;
    const agnocast::TopicInfo& topic = domain.topics[endpoint.topic];
    lines[endpoint.is_publisher ? 0 : 1] += "    " + topic.name + ": " + topic.type + "\n";
    (endpoint.is_publisher ? publishers : subscriptions)
      .push_back(Value::of_mapping(
        {{"topic", Value::of_string(topic.name)}, {"type", Value::of_string(topic.type)}}));
  }
  if (!is_found) throw Failure("there is no node '" + name + "' with publishers or subscriptions");
  if (format == Format::text) {
    print(name + "\n  Process: " + std::to_string(pid) + "\n  Subscribers:\n" + lines[1] +
          "  Publishers:\n" + lines[0]);
    return;
  }
  print(document_text(
    Value::of_mapping({{"name", Value::of_string(name)},
                       {"pid", Value::of_number(std::to_string(pid))},
                       {"subscriptions", Value::of_sequence(std::move(subscriptions))},
                       {"publishers", Value::of_sequence(std::move(publishers))}}),
    format));
}

/// How many messages of which process each process holds.
std::map<std::uint64_t, std::map<std::int64_t, std::uint64_t>> holds_of(
  const DomainSnapshot& domain)
{
  std::map<std::uint64_t, std::int64_t> owner;
  for (const EndpointInfo& endpoint : domain.endpoints) {
    if (endpoint.is_publisher) owner[endpoint.id] = endpoint.pid;
  }
  std::map<std::uint64_t, std::map<std::int64_t, std::uint64_t>> holds;
  for (const EndpointInfo& endpoint : domain.endpoints) {
    for (const agnocast::ConnectionInfo& connection : endpoint.connections) {
      if (connection.held == 0) continue;
      const auto found = owner.find(connection.publisher_id);
      holds[endpoint.process_id][found == owner.end() ? 0 : found->second] += connection.held;
    }
  }
  return holds;
}

void list_processes(Format format)
{
  const DomainSnapshot domain = agnocast::DomainView().snapshot();
  auto holds = holds_of(domain);
  Table table({"PID", "STATE", "USED", "PEAK", "SECURED", "LOANS", "HOLDS", "COMMAND"});
  std::vector<Value> processes;
  for (const ProcessInfo& process : domain.processes) {
    std::string held_text;
    std::vector<Value> held;
    for (const auto& [pid, count] : holds[process.id]) {
      held_text += (held_text.empty() ? "" : ",") + std::to_string(count) + "@" +
                   (pid == 0 ? "gone" : std::to_string(pid));
      held.push_back(Value::of_mapping(
        {{"pid", Value::of_number(std::to_string(pid))}, {"messages", number(count)}}));
    }
    const std::string state = process.is_alive ? "alive" : "dead";
    table.add(
      {std::to_string(process.pid), state, bytes_text(static_cast<double>(process.heap_used_bytes)),
       bytes_text(static_cast<double>(process.heap_peak_bytes)),
       bytes_text(static_cast<double>(process.secured_bytes)), std::to_string(process.loans_open),
       held_text.empty() ? "-" : held_text, process.command.substr(0, 60)});
    processes.push_back(Value::of_mapping({{"pid", Value::of_number(std::to_string(process.pid))},
                                           {"state", Value::of_string(state)},
                                           {"slot", number(std::uint64_t{process.slot})},
                                           {"used_bytes", number(process.heap_used_bytes)},
                                           {"peak_bytes", number(process.heap_peak_bytes)},
                                           {"secured_bytes", number(process.secured_bytes)},
                                           {"loans_open", number(process.loans_open)},
                                           {"holds", Value::of_sequence(std::move(held))},
                                           {"command", Value::of_string(process.command)}}));
  }
  for (const std::string& problem : domain.problems) {
    std::fprintf(stderr, "agnocast: %s\n", problem.c_str());
  }
  print(format == Format::text ? table.text()
                               : document_text(Value::of_sequence(std::move(processes)), format));
}

}  // namespace

void add_node(CLI::App& app, const Options& options)
{
  CLI::App& node = *app.add_subcommand("node", "Nodes");
  node.require_subcommand(1);
  CLI::App* const list = node.add_subcommand("list", "The nodes that have endpoints");
  const auto count_only = std::make_shared<bool>(false);
  list->add_flag("-c,--count-nodes", *count_only, "Only how many there are");
  list->callback([count_only, &options] { list_nodes(*count_only, options.format); });
  CLI::App* const info = node.add_subcommand("info", "What a node publishes and subscribes to");
  const auto name = std::make_shared<std::string>();
  info->add_option("node", *name, "Name of the node")->required();
  info->callback([name, &options] { node_info(*name, options.format); });
}

void add_process(CLI::App& app, const Options& options)
{
  CLI::App& process = *app.add_subcommand("process", "Processes and their memory");
  process.require_subcommand(1);
  process.add_subcommand("list", "The processes of the domain, their memory, what they hold")
    ->callback([&options] { list_processes(options.format); });
}

}  // namespace cli

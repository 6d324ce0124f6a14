// agnocast topic list and info: what there is, without joining the domain.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <memory>

#include "commands.hpp"
#include "reader.hpp"

namespace cli {
namespace {

using agnocast::DomainSnapshot;
using agnocast::EndpointInfo;
using agnocast::TopicInfo;
using agnocast::Value;

std::size_t count(const DomainSnapshot& domain, std::size_t topic, bool publishers)
{
  return static_cast<std::size_t>(
    std::count_if(domain.endpoints.begin(), domain.endpoints.end(), [&](const EndpointInfo& e) {
      return e.topic == topic && e.is_publisher == publishers && !e.is_closed;
    }));
}

std::vector<std::size_t> by_name(const DomainSnapshot& domain)
{
  std::vector<std::size_t> order(domain.topics.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return domain.topics[a].name < domain.topics[b].name;
  });
  return order;
}

struct ListOptions
{
  bool with_types = false;
  bool count_only = false;
  bool verbose = false;
};

std::string list_text(const DomainSnapshot& domain, const ListOptions& options)
{
  std::string text;
  if (options.verbose) {
    Table table({"TOPIC", "TYPE", "PUBLISHERS", "SUBSCRIPTIONS"});
    for (const std::size_t i : by_name(domain)) {
      table.add({domain.topics[i].name, domain.topics[i].type,
                 std::to_string(count(domain, i, true)), std::to_string(count(domain, i, false))});
    }
    return table.text();
  }
  for (const std::size_t i : by_name(domain)) {
    text += domain.topics[i].name;
    if (options.with_types) text += " [" + domain.topics[i].type + "]";
    text += "\n";
  }
  return text;
}

Value list_document(const DomainSnapshot& domain)
{
  std::vector<Value> topics;
  for (const std::size_t i : by_name(domain)) {
    topics.push_back(
      Value::of_mapping({{"name", Value::of_string(domain.topics[i].name)},
                         {"type", Value::of_string(domain.topics[i].type)},
                         {"publishers", number(std::uint64_t{count(domain, i, true)})},
                         {"subscriptions", number(std::uint64_t{count(domain, i, false)})}}));
  }
  return Value::of_sequence(std::move(topics));
}

void list(const ListOptions& options, Format format)
{
  const DomainSnapshot domain = agnocast::DomainView().snapshot();
  if (options.count_only) {
    print(std::to_string(domain.topics.size()) + "\n");
  } else if (format == Format::text) {
    print(list_text(domain, options));
  } else {
    print(document_text(list_document(domain), format));
  }
}

std::string qos_text(const agnocast::QoS& qos)
{
  using namespace agnocast;
  return std::string(qos.history() == History::keep_all ? "keep_all" : "keep_last") + "(" +
         std::to_string(qos.depth()) + ") " +
         (qos.reliability() == Reliability::reliable ? "reliable" : "best_effort") + " " +
         (qos.durability() == Durability::transient_local ? "transient_local" : "volatile");
}

Value endpoint_document(const EndpointInfo& endpoint)
{
  std::vector<Value::Entry> entries{{"id", number(endpoint.id)},
                                    {"node", Value::of_string(endpoint.node)},
                                    {"pid", Value::of_number(std::to_string(endpoint.pid))},
                                    {"qos", Value::of_string(qos_text(endpoint.qos))}};
  if (endpoint.is_publisher) {
    entries.push_back({"published", number(endpoint.published)});
    entries.push_back({"retained", number(endpoint.retained)});
    entries.push_back({"total_bytes", number(endpoint.total_bytes)});
    entries.push_back({"moved_parts", number(endpoint.moved_parts)});
  } else {
    std::uint64_t held = 0;
    for (const agnocast::ConnectionInfo& connection : endpoint.connections) held += connection.held;
    entries.push_back({"connections", number(std::uint64_t{endpoint.connections.size()})});
    entries.push_back({"held", number(held)});
    entries.push_back({"lost", number(endpoint.lost)});
    entries.push_back({"delay_ns", number(endpoint.delay_ns)});
    entries.push_back({"asleep", Value::of_boolean(endpoint.is_asleep)});
  }
  return Value::of_mapping(std::move(entries));
}

void info(const std::string& name, bool verbose, Format format)
{
  const agnocast::DomainView view;
  const DomainSnapshot domain = view.snapshot();
  const auto topic = std::find_if(domain.topics.begin(), domain.topics.end(),
                                  [&](const TopicInfo& t) { return t.name == full_topic(name); });
  if (topic == domain.topics.end()) {
    throw Failure("there is no topic '" + full_topic(name) + "'");
  }
  const auto index = static_cast<std::size_t>(topic - domain.topics.begin());
  std::vector<Value> publishers;
  std::vector<Value> subscriptions;
  std::string schema;
  for (const EndpointInfo& endpoint : domain.endpoints) {
    if (endpoint.topic != index) continue;
    (endpoint.is_publisher ? publishers : subscriptions).push_back(endpoint_document(endpoint));
    if (!schema.empty()) continue;
    if (const auto description = view.description(domain, endpoint)) schema = description->schema();
  }
  const std::uint64_t publisher_count = publishers.size();
  const std::uint64_t subscription_count = subscriptions.size();
  if (format == Format::text) {
    std::string text = "Type: " + topic->type + " (" + std::to_string(topic->type_bytes) +
                       " bytes, alignment " + std::to_string(topic->type_alignment) + ")\n" +
                       "Publisher count: " + std::to_string(publisher_count) + "\n" +
                       "Subscription count: " + std::to_string(subscription_count) + "\n";
    if (verbose) {
      text += "\nPublishers:\n" +
              document_text(Value::of_sequence(std::move(publishers)), Format::yaml) +
              "\nSubscriptions:\n" +
              document_text(Value::of_sequence(std::move(subscriptions)), Format::yaml) +
              "\nSchema:\n" + schema;
    }
    print(text);
    return;
  }
  print(document_text(
    Value::of_mapping({{"name", Value::of_string(topic->name)},
                       {"type", Value::of_string(topic->type)},
                       {"bytes", number(topic->type_bytes)},
                       {"alignment", number(topic->type_alignment)},
                       {"publishers", Value::of_sequence(std::move(publishers))},
                       {"subscriptions", Value::of_sequence(std::move(subscriptions))},
                       {"schema", Value::of_string(schema)}}),
    format));
}

}  // namespace

void add_topic_list(CLI::App& topic, const Options& options)
{
  CLI::App* const command = topic.add_subcommand("list", "The topics of the domain");
  const auto list_options = std::make_shared<ListOptions>();
  command->add_flag("-t,--show-types", list_options->with_types, "With their types");
  command->add_flag("-c,--count-topics", list_options->count_only, "Only how many there are");
  command->add_flag("-v,--verbose", list_options->verbose, "With types and counts of endpoints");
  command->callback([list_options, &options] { list(*list_options, options.format); });
}

void add_topic_info(CLI::App& topic, const Options& options)
{
  CLI::App* const command = topic.add_subcommand("info", "Who publishes and subscribes to a topic");
  const auto name = std::make_shared<std::string>();
  const auto verbose = std::make_shared<bool>(false);
  command->add_option("topic", *name, "Name of the topic")->required();
  command->add_flag("-v,--verbose", *verbose, "With each endpoint, and the schema of the type");
  command->callback([name, verbose, &options] { info(*name, *verbose, options.format); });
}

}  // namespace cli

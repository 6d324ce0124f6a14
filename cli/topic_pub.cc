// agnocast topic pub: publishes values written as YAML.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <yaml-cpp/yaml.h>

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "commands.hpp"
#include "reader.hpp"

namespace cli {
namespace {

using agnocast::Value;
using Clock = std::chrono::steady_clock;

struct PubOptions
{
  std::string topic;
  std::string values;
  bool once = false;
  double rate_hz = 1;
  std::size_t times = 0;     ///< 0: until the end
  std::size_t wait_for = 0;  ///< subscriptions
  std::string durability;
  std::size_t depth = 10;
  double timeout_s = 0;
};

Value value_of(const YAML::Node& node)
{
  switch (node.Type()) {
    case YAML::NodeType::Scalar: {
      // "!" is the tag of what was written in quotes.
      if (node.Tag() == "!") return Value::of_string(node.Scalar());
      bool boolean = false;
      if (YAML::convert<bool>::decode(node, boolean) && node.Scalar().size() > 1) {
        return Value::of_boolean(boolean);
      }
      double number = 0;
      if (YAML::convert<double>::decode(node, number)) return Value::of_number(node.Scalar());
      return Value::of_string(node.Scalar());
    }
    case YAML::NodeType::Sequence: {
      std::vector<Value> elements;
      for (const YAML::Node& element : node) elements.push_back(value_of(element));
      return Value::of_sequence(std::move(elements));
    }
    case YAML::NodeType::Map: {
      std::vector<Value::Entry> entries;
      for (const auto& entry : node) {
        entries.push_back({entry.first.Scalar(), value_of(entry.second)});
      }
      return Value::of_mapping(std::move(entries));
    }
    default:
      return {};
  }
}

Value parse(const std::string& text)
{
  try {
    Value value = value_of(YAML::Load(text));
    // No values at all are those that a message begins with.
    return value.kind == Value::Kind::null ? Value::of_mapping({}) : value;
  } catch (const YAML::Exception& error) {
    throw Failure("the values are no YAML: " + std::string(error.what()));
  }
}

void publish(const PubOptions& options, Format format)
{
  agnocast::init(0, nullptr);
  const Value value = parse(options.values);
  const std::string topic = full_topic(options.topic);
  const agnocast::TypeDescription description = await_description(topic, options.timeout_s);
  agnocast::QoS qos(options.depth);
  if (options.durability == "transient_local") qos.transient_local();
  const auto node = std::make_shared<agnocast::Node>("agnocast_cli_" + std::to_string(getpid()));
  agnocast::GenericPublisher publisher(*node, topic, description, qos);
  const std::size_t wanted = options.once && options.wait_for == 0 ? 1 : options.wait_for;
  while (agnocast::ok() && publisher.subscription_count() < wanted) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::size_t times = options.once ? 1 : options.times;
  const auto period =
    std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options.rate_hz));
  auto due = Clock::now();
  for (std::size_t i = 1; agnocast::ok(); ++i) {
    if (publisher.publish(value) != agnocast::PublishStatus::published) {
      throw Failure("the message was not published");
    }
    if (format == Format::text && !print("published #" + std::to_string(i) + "\n")) return;
    if (i == times) return;
    due += period;
    // Short pauses, so that the program ends soon when it is asked to.
    while (agnocast::ok() && Clock::now() < due) {
      std::this_thread::sleep_for(
        std::min<Clock::duration>(due - Clock::now(), std::chrono::milliseconds(50)));
    }
  }
}

}  // namespace

void add_topic_pub(CLI::App& topic, const Options& options)
{
  CLI::App* const command =
    topic.add_subcommand("pub", "Publish values, of the type that the topic has already");
  const auto pub = std::make_shared<PubOptions>();
  command->add_option("topic", pub->topic, "Name of the topic")->required();
  command->add_option("values", pub->values,
                      "As YAML, such as '{frame_id: map, points: [{x: 1}]}'");
  command->add_flag("-1,--once", pub->once, "Wait for a subscription, publish once and end");
  command->add_option("-r,--rate", pub->rate_hz, "Messages in a second")
    ->capture_default_str()
    ->check(CLI::PositiveNumber);
  command->add_option("-t,--times", pub->times, "End after so many messages");
  command->add_option("-w,--wait-matching-subscriptions", pub->wait_for,
                      "Wait until there are so many subscriptions");
  command->add_option("--qos-depth", pub->depth, "How many messages are kept")
    ->capture_default_str();
  command->add_option("--qos-durability", pub->durability, "volatile or transient_local")
    ->check(CLI::IsMember({"volatile", "transient_local"}));
  command->add_option("--timeout", pub->timeout_s, "Seconds to wait for the topic");
  command->callback([pub, &options] { publish(*pub, options.format); });
}

}  // namespace cli

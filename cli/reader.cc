// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "output.hpp"

namespace cli {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point deadline_after(double seconds)
{
  if (seconds <= 0) return Clock::time_point::max();
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

agnocast::TypeDescription await_description(const std::string& topic, double timeout_s)
{
  constexpr auto pause = std::chrono::milliseconds(50);
  const auto deadline = deadline_after(timeout_s);
  bool said = false;
  while (agnocast::ok()) {
    if (auto description = agnocast::find_description(topic)) return std::move(*description);
    if (Clock::now() > deadline) throw Failure("nobody publishes '" + topic + "'");
    if (!std::exchange(said, true)) {
      std::fprintf(stderr, "agnocast: nobody publishes '%s' yet; waiting\n", topic.c_str());
    }
    std::this_thread::sleep_for(pause);
  }
  throw Failure("ended before anybody published '" + topic + "'");
}

void ReaderOptions::add_to(CLI::App& command)
{
  command.add_option("topic", topic, "Name of the topic")->required();
  command.add_option("--qos-depth", depth, "How many messages may wait to be read");
  command.add_option("--qos-history", history, "keep_last or keep_all")
    ->check(CLI::IsMember({"keep_last", "keep_all"}));
  command.add_option("--qos-reliability", reliability, "reliable or best_effort")
    ->check(CLI::IsMember({"reliable", "best_effort"}));
  command.add_option("--qos-durability", durability, "volatile or transient_local")
    ->check(CLI::IsMember({"volatile", "transient_local"}));
  command.add_option("--timeout", timeout_s, "Seconds to wait for the topic and for a message")
    ->check(CLI::NonNegativeNumber);
}

std::string full_topic(const std::string& name)
{
  return name.empty() || name.front() == '/' ? name : "/" + name;
}

namespace {

/// What the topic's publishers keep anyway. If a reader asked for more, they would keep more for
/// it.
std::size_t kept_depth(const std::string& topic)
{
  std::size_t depth = 0;
  const agnocast::DomainSnapshot domain = agnocast::DomainView().snapshot();
  for (const agnocast::EndpointInfo& endpoint : domain.endpoints) {
    if (!endpoint.is_publisher || domain.topics[endpoint.topic].name != topic) continue;
    depth = depth == 0 ? endpoint.qos.depth() : std::min(depth, endpoint.qos.depth());
  }
  return std::max<std::size_t>(depth, 1);
}

}  // namespace

Reader::Reader(const ReaderOptions& options) : timeout_s_(options.timeout_s)
{
  agnocast::init(0, nullptr);
  const std::string topic = full_topic(options.topic);
  const agnocast::TypeDescription description = await_description(topic, options.timeout_s);
  agnocast::QoS qos(options.depth != 0 ? options.depth : kept_depth(topic));
  if (options.history == "keep_all") qos.keep_all(qos.depth());
  // A reader must not make a publisher wait unless it is told to.
  if (options.reliability != "reliable" && options.history != "keep_all") qos.best_effort();
  if (options.durability == "transient_local") qos.transient_local();
  node_ = std::make_shared<agnocast::Node>("agnocast_cli_" + std::to_string(getpid()));
  subscription_ = std::make_unique<agnocast::GenericSubscription>(*node_, topic, description, qos);
  wait_set_ = std::make_unique<agnocast::WaitSet>();
  wait_set_->add(*subscription_);
}

agnocast::GenericMessage Reader::next()
{
  agnocast::GenericMessage message = next_until(deadline_after(timeout_s_));
  timed_out_ = !message && agnocast::ok();
  return message;
}

agnocast::GenericMessage Reader::next_until(Clock::time_point deadline)
{
  while (agnocast::ok()) {
    if (agnocast::GenericMessage message = subscription_->take()) return message;
    const auto now = Clock::now();
    if (now >= deadline) return {};
    // At most a second at once, so that a deadline far away is no overflow.
    wait_set_->wait(std::min<Clock::duration>(deadline - now, std::chrono::seconds(1)));
  }
  return {};
}

}  // namespace cli

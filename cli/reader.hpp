// A subscription to a topic of any type, as the commands use it.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <agnocast/agnocast.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace cli {

/// The options that ros2 has for it.
struct ReaderOptions
{
  std::string topic;
  std::size_t depth = 0;  ///< 0: what the publishers keep
  std::string durability;
  std::string history;
  std::string reliability;
  double timeout_s = 0;  ///< how long to wait for the topic and for a message; 0: for ever

  void add_to(CLI::App& command);
};

/// Full, with a slash in front.
std::string full_topic(const std::string& name);

/// Waits until somebody describes the type of the topic. Throws Failure if that takes longer than
/// the timeout (0: none) or the program is asked to end.
agnocast::TypeDescription await_description(const std::string& topic, double timeout_s);

class Reader
{
 public:
  /// Waits until the topic has an endpoint that describes its type. Throws Failure if that takes
  /// longer than the timeout or the program is asked to end.
  explicit Reader(const ReaderOptions& options);

  /// The next message; empty if the program is to end, or no message came within the timeout.
  agnocast::GenericMessage next();
  /// The same, but not later than that.
  agnocast::GenericMessage next_until(std::chrono::steady_clock::time_point deadline);
  [[nodiscard]] bool is_timed_out() const noexcept { return timed_out_; }
  [[nodiscard]] const agnocast::TypeDescription& description() const noexcept
  {
    return subscription_->description();
  }
  [[nodiscard]] std::uint64_t lost_count() const { return subscription_->lost_count(); }

 private:
  const double timeout_s_;
  bool timed_out_ = false;
  std::shared_ptr<agnocast::Node> node_;
  std::unique_ptr<agnocast::GenericSubscription> subscription_;
  std::unique_ptr<agnocast::WaitSet> wait_set_;
};

}  // namespace cli

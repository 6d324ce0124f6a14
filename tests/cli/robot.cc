// What the commands are tried on: publishes scans, and says what commands it gets.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace robot {

enum class Mode : std::uint8_t { idle, driving };
struct Point
{
  float x, y;
};
struct Scan
{
  std::string frame_id;
  Mode mode;
  std::vector<std::uint16_t> ranges;
  std::map<std::string, std::vector<std::optional<Point>>> channels;
};
struct Command
{
  std::string what;
  std::vector<Point> path;
  std::map<std::string, std::vector<int>> limits;
  std::optional<double> speed;
};

}  // namespace robot

namespace {

void fill(robot::Scan& scan)
{
  scan.frame_id = "lidar_on_the_roof_in_front";
  scan.mode = robot::Mode::driving;
  scan.ranges = {1, 2, 3};
  scan.channels["near"] = {robot::Point{0.5F, -1}, std::nullopt};
  scan.channels["far"] = {};
}

void say(const robot::Command& command)
{
  std::cout << command.what << ':';
  for (const robot::Point& point : command.path) std::cout << ' ' << point.x << ',' << point.y;
  for (const auto& [name, values] : command.limits) {
    std::cout << ' ' << name << '=';
    for (const int value : values) std::cout << value << ';';
  }
  std::cout << " speed " << (command.speed ? std::to_string(*command.speed) : "none") << std::endl;
}

}  // namespace

// With an argument, it offers a service too.
int main(int argc, char**)
{
  agnocast::init(0, nullptr);
  const auto node = std::make_shared<agnocast::Node>("robot", "/test");
  agnocast::QoS qos(5);
  qos.transient_local();
  const auto publisher = node->create_publisher<robot::Scan>("/scan", qos);
  const auto subscription = node->create_subscription<robot::Command>(
    "/command", agnocast::QoS(10),
    [](const agnocast::ipc_shared_ptr<const robot::Command>& command) { say(*command); });
  agnocast::Subscription<robot::Command>::SharedPtr requests;
  if (argc > 1) {
    requests = node->create_subscription<robot::Command>("/AGNOCAST_SRV_REQUEST/test/plan",
                                                         agnocast::QoS(10));
  }
  std::cout << "ready" << std::endl;
  while (agnocast::ok()) {
    auto scan = publisher->borrow_loaned_message();
    fill(*scan);
    publisher->publish(std::move(scan));
    agnocast::spin_once(node, std::chrono::milliseconds(20));
  }
}

// Publishes a message ten times a second. Run it beside the listener, in any order.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <chrono>
#include <iostream>
#include <thread>

#include "temperature.hpp"

int main(int argc, char** argv)
try {
  agnocast::init(argc, argv);
  auto node = std::make_shared<agnocast::Node>("talker");
  auto publisher = node->create_publisher<Temperature>("/temperature", agnocast::QoS(10));
  for (int count = 0; agnocast::ok(); ++count) {
    auto message = publisher->borrow_loaned_message();
    message->sensor = "the one above the stove";
    message->celsius.assign(1000, 20.0 + count % 10);  // lands in shared memory
    publisher->publish(std::move(message));            // hands over a pointer, copies nothing
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
} catch (const agnocast::Error& error) {
  std::cerr << "talker: " << error.what() << '\n';
  return 1;
}

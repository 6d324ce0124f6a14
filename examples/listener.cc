// Prints what the talker publishes, reading it where the talker wrote it.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <iostream>

#include "temperature.hpp"

int main(int argc, char** argv)
try {
  agnocast::init(argc, argv);
  auto node = std::make_shared<agnocast::Node>("listener");
  auto subscription = node->create_subscription<Temperature>(
    "/temperature", agnocast::QoS(10),
    [](const agnocast::ipc_shared_ptr<const Temperature>& message) {
      std::cout << message->sensor << ": " << message->celsius.size() << " readings, the last "
                << message->celsius.back() << " C" << std::endl;
    });
  agnocast::spin(node);
} catch (const agnocast::Error& error) {
  std::cerr << "listener: " << error.what() << '\n';
  return 1;
}

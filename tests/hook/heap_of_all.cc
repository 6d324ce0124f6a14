// A program for AGNOCAST_HEAP=all: what it allocates before any loan lies in the shared heap and
// may be moved into a message. Its exit status is 0, or the number of the step that went wrong.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

// Made before main, by a static initializer.
const std::vector<int> before_main(1000, 7);

struct Message
{
  std::string name;
  std::vector<int> values;
};

}  // namespace

int main()
{
  if (!agnocast::in_shared_heap(before_main.data())) return 1;
  std::vector<int> made_before(100'000, 8);
  if (!agnocast::in_shared_heap(made_before.data())) return 2;
  bool in_thread = false;
  std::thread([&] {
    in_thread = agnocast::in_shared_heap(std::make_unique<int[]>(100).get());
  }).join();
  if (!in_thread) return 3;
  {
    const agnocast::PrivateHeapScope in_private;
    if (agnocast::in_shared_heap(std::make_unique<int>().get())) return 4;
  }
  const auto node = std::make_shared<agnocast::Node>("all");
  const auto publisher = node->create_publisher<Message>("/all", agnocast::QoS(2));
  const auto subscription = node->create_subscription<Message>("/all", agnocast::QoS(2));
  auto message = publisher->borrow_loaned_message();
  const int* address = made_before.data();
  message->values = std::move(made_before);
  publisher->publish(std::move(message));
  const auto taken = subscription->take();
  if (!taken || taken->values.data() != address || taken->values.back() != 8) return 5;
  // A forked child keeps all it had, and allocates on its own from now on.
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<int> copy = before_main;
    copy.resize(500'000, 9);
    ::_exit(copy[999] == 7 && copy.back() == 9 && taken->values.back() == 8 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0 ? 0 : 6;
}

// Publishes a message to itself; exit status 0 if it comes back as it was sent.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <string>
#include <vector>

struct Message
{
  std::string text;
  std::vector<int> numbers;
};

int main()
{
  const auto node = std::make_shared<agnocast::Node>("self");
  const auto publisher = node->create_publisher<Message>("/self", agnocast::QoS(1));
  const auto subscription = node->create_subscription<Message>("/self", agnocast::QoS(1));
  auto message = publisher->borrow_loaned_message();
  message->text = "as long as it has to be so that it is not kept inside of the string";
  message->numbers.assign(1000, 3);
  publisher->publish(std::move(message));
  const auto taken = subscription->take();
  return taken && taken->text.size() > 40 && taken->numbers.at(999) == 3 ? 0 : 1;
}

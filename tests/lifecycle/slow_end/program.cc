// Takes a message and ends, while a thread of it still looks at the message. Says on standard
// output: r when it is ready, h when it holds the message, e when it has left the domain; and w if
// the message is whole, b if not, when it is asked through descriptor 3.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

extern "C" void name_slow_end();

namespace agnocast::test {
namespace {

struct Numbers
{
  std::vector<int> values;
};

void say(char word)
{
  if (::write(STDOUT_FILENO, &word, 1) != 1) ::_exit(3);
}

}  // namespace
}  // namespace agnocast::test

int main()
{
  using namespace agnocast::test;
  name_slow_end();
  auto* node = new agnocast::Node("holder");
  auto* subscription = new auto(node->create_subscription<Numbers>("/slow_end", agnocast::QoS(5)));
  say('r');
  static agnocast::ipc_shared_ptr<const Numbers>* held = nullptr;
  agnocast::WaitSet waits;
  waits.add(**subscription);
  if (!waits.wait(std::chrono::seconds(30))) return 2;
  held = new auto((*subscription)->take());
  say('h');
  std::thread([message = held->get()] {
    char byte = 0;
    if (::read(3, &byte, 1) != 1) ::_exit(4);
    const bool whole = std::all_of(message->values.begin(), message->values.end(),
                                   [](int value) { return value == 7; });
    say(whole ? 'w' : 'b');
  }).detach();
  return 0;
}

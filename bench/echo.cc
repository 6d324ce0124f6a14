// The pong process: does the tasks that ping posts until it is told to quit.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "exchange.hpp"
#include "message_end.hpp"
#include "peer.hpp"
#include "rendezvous.hpp"

namespace bench {
namespace {

void consume(MessageEnd& end, const Task& task, RendezvousPage& page, Peer& peer)
{
  for (std::uint64_t round = 0; round < task.rounds; ++round) {
    const std::uint64_t number = task.first_number + round;
    end.receive(number, peer);
    end.finish();
    page.ready.store(number, std::memory_order_release);
  }
}

void perform(const Task& task, MessageEnd& messages, RendezvousPage& page, Peer& peer)
{
  switch (task.system) {
    case System::agnocast:
      messages.begin(task);
      return pong_rounds(messages, task, page, peer);
    case System::cacheline: {
      LineEnd line(page, Side::pong);
      return pong_rounds(line, task, page, peer);
    }
    case System::futex: {
      FutexEnd futex(page, Side::pong);
      return pong_rounds(futex, task, page, peer);
    }
    case System::consume:
      messages.begin(task);
      return consume(messages, task, page, peer);
    case System::quit:
      return;
  }
}

}  // namespace

int run_echo(const EchoOptions& options)
{
  Peer ping = Peer::parent(options.parent);
  pin_this_process(options.core);
  Rendezvous rendezvous = Rendezvous::open(options.fd);
  MessageEnd messages(Side::pong);
  messages.connect(ping);

  std::uint32_t seen = 0;
  Task task{.system = System::agnocast};
  while (task.system != System::quit) {
    if (rendezvous.next_task(seen, task)) {
      perform(task, messages, *rendezvous.operator->(), ping);
    } else {
      ping.check();
    }
  }
  return 0;
}

}  // namespace bench

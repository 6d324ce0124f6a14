// A process that has joined, and a queue into which anybody writes anything.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <mqueue.h>
#include <sched.h>
#include <unistd.h>

#include <memory>

#include "abi/area_layout.h"
#include "agnocast/agnocast.hpp"
#include "input.hpp"

namespace {

using namespace agnocast::fuzz;

struct Joined
{
  std::shared_ptr<agnocast::Node> node = std::make_shared<agnocast::Node>("fuzzed");
  std::shared_ptr<agnocast::Subscription<int>> subscription =
    node->create_subscription<int>("/fuzzed", agnocast::QoS(2));
  mqd_t queue = ::mq_open(("/new_publisher@" + std::to_string(::getpid())).c_str(),
                          O_RDWR | O_NONBLOCK | O_CLOEXEC);
};

Joined& joined()
{
  static auto* const process = [] {
    ::setenv("AGNOCAST_DOMAIN_ID", std::to_string(2'000'000 + ::getpid()).c_str(), 1);
    return new Joined();
  }();
  return *process;
}

bool is_drained(mqd_t queue)
{
  mq_attr attributes = {};
  return ::mq_getattr(queue, &attributes) == 0 && attributes.mq_curmsgs == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  Joined& process = joined();
  must(process.queue >= 0, "the process has a queue");
  Input input(data, bytes);
  while (input.any()) {
    const auto kind = input.get<std::uint8_t>();
    agnocast_announcement announcement = input.get<agnocast_announcement>();
    if (kind % 2 != 0) announcement.magic = AGNOCAST_ANNOUNCEMENT_MAGIC;
    const std::size_t length = kind % 4 >= 2 ? sizeof announcement : kind / 4 % 49;
    while (::mq_send(process.queue, reinterpret_cast<const char*>(&announcement), length, 0) != 0) {
      must(errno == EAGAIN, "the queue takes messages of that length");
      ::sched_yield();
    }
  }
  while (!is_drained(process.queue)) ::sched_yield();
  static_cast<void>(process.subscription->has_message());
  return 0;
}

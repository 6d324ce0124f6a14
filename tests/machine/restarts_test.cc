// Hundreds of publishers come and go while one subscriber lives: nothing is used up.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <cstdlib>

#include "machine/machine.hpp"
#include "support/domain.hpp"

namespace agnocast::test {
namespace {

class Restarts : public ForcefulTest
{
};

struct Footprint
{
  std::size_t descriptors, mappings, memory_kb, heap_bytes, processes;

  static Footprint now()
  {
    return {open_descriptors(), mapping_count(), status_kb("VmRSS"),
            shared_heap_statistics().used_bytes,
            registered_processes(
              static_cast<std::uint32_t>(std::stoul(std::getenv("AGNOCAST_DOMAIN_ID"))))
              .size()};
  }
};

TEST_F(Restarts, OfHundredsOfPublishersUseNothingUpInTheirSubscriber)
{
  EXPECT_ALL_WELL([] {
    constexpr int restarts = 500;
    Process subscriber([](Channel& channel) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/machine", QoS(10));
      Footprint first{};
      channel.say("ready");
      for (int round = 1; round <= restarts; ++round) {
        std::uint64_t last = 0;
        await_number(*subscription, last, 3);
        if (round == restarts) {
          require(eventually([&] { return subscription->publisher_count() <= 1; }),
                  "they are gone");
        }
        if (round == 100) {
          require(eventually([&] { return subscription->publisher_count() <= 1; }),
                  "they are gone");
          first = Footprint::now();
        }
        channel.say("round");
        if (round == 100 || round == restarts) channel.hear();
      }
      require(subscription->lost_count() == 0, "none is lost");
      require(eventually([&] { return subscription->publisher_count() == 0; }), "they are gone");
      Footprint last{};
      // What the last one had goes when the control thread has looked.
      eventually(
        [&] {
          last = Footprint::now();
          return last.descriptors <= first.descriptors && last.mappings <= first.mappings + 4;
        },
        std::chrono::seconds(5));
      require(last.descriptors <= first.descriptors,
              "descriptors: " + std::to_string(first.descriptors) + " to " +
                std::to_string(last.descriptors));
      require(last.mappings <= first.mappings + 4, "mappings: " + std::to_string(first.mappings) +
                                                     " to " + std::to_string(last.mappings));
      require(last.memory_kb <= first.memory_kb + 1000,
              "memory: " + std::to_string(first.memory_kb) + " kB to " +
                std::to_string(last.memory_kb) + " kB");
      require(last.heap_bytes <= first.heap_bytes + 10'000, "the shared heap");
      require(last.processes <= first.processes, "processes in the registry");
      channel.say("all well");
    });
    require(subscriber.hear() == "ready", "a subscriber");
    for (int round = 1; round <= restarts; ++round) {
      Process talker([](Channel& channel) {
        Node node("talker");
        auto publisher = node.create_publisher<Report>("/machine", QoS(10));
        for (std::uint64_t i = 1; i <= 3; ++i) publish_report(*publisher, i);
        channel.say("published");
        channel.hear();
      });
      require(talker.hear() == "published", "round " + std::to_string(round));
      if (round % 2 == 0) talker.kill();
      const std::string said = subscriber.hear();
      require(said == "round", "round " + std::to_string(round) + ": " + said);
      if (round % 2 != 0) {
        talker.say("leave");
        require(talker.wait() == 0, "it leaves in order");
      }
      if (round == 100 || round == restarts) subscriber.say("go on");
    }
    const std::string said = subscriber.hear();
    require(said == "all well", said);
  });
}

}  // namespace
}  // namespace agnocast::test

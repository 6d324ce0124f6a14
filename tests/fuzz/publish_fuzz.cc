// A publisher whose subscriber's connections, holds, cursors and waiters say anything, and change
// between any two looks.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <set>

#include "fake_peer.hpp"
#include "topic/publisher_core.hpp"

namespace {

using namespace agnocast::fuzz;

constexpr std::uint64_t subscription_offset = AGNOCAST_CONTROL;
constexpr std::uint64_t connection_offset = AGNOCAST_CONTROL + 0x400;
constexpr std::uint64_t depth = 4;

std::set<void*> alive;

void destroy(void* message, const void*)
{
  must(alive.erase(message) == 1, "a message is destroyed once");
}

PublisherSetup setup(bool keep_all, bool transient)
{
  PublisherSetup setup{};
  setup.endpoint.kind = AGNOCAST_PUBLISHER;
  setup.endpoint.topic = "/t";
  setup.endpoint.node = "/n";
  setup.endpoint.type_name = "t";
  setup.endpoint.type_bytes = 64;
  setup.endpoint.type_alignment = 8;
  setup.endpoint.depth = depth;
  setup.endpoint.history = keep_all ? AGNOCAST_KEEP_ALL : AGNOCAST_KEEP_LAST;
  setup.endpoint.reliability = AGNOCAST_RELIABLE;
  setup.endpoint.durability = transient ? AGNOCAST_TRANSIENT_LOCAL : AGNOCAST_VOLATILE;
  setup.destroy = destroy;
  setup.keep_all_timeout = std::chrono::nanoseconds(0);
  return setup;
}

void connect(FakePeer& peer)
{
  auto& subscription = *peer.at<agnocast_subscription>(subscription_offset);
  subscription.subscription_id = 40;
  subscription.first_connection = connection_offset;
  subscription.waiter = 2;
  auto& connection = *peer.at<agnocast_connection>(connection_offset);
  connection.publisher_id = FakeRegistry::own_endpoint_id;
  connection.holds_capacity = 8;
  connection.cursor = 1;
}

void publish(PublisherCore& publisher)
{
  void* const message = publisher.allocate_message();
  if (message == nullptr) return;
  alive.insert(message);
  const PublishOutcome outcome = publisher.publish(message);
  if (outcome == PublishOutcome::timed_out) publisher.destroy_message(message);
  if (outcome == PublishOutcome::published_and_many_retired) publisher.reclaim_retired();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  FakePeer& peer = FakePeer::instance();
  peer.reset();
  connect(peer);
  Input input(data, bytes);
  const auto kind = input.get<std::uint8_t>();
  peer.registry.views = {peer.endpoint(40, subscription_offset)};
  auto publisher = PublisherCore::create(peer.context, setup(kind % 2 != 0, kind % 4 >= 2));
  must(static_cast<bool>(publisher), "a publisher");
  (*publisher)->prepare_if_changed();
  while (input.any()) {
    switch (const auto order = input.get<std::uint8_t>(); order % 8) {
      case 0:
      case 1:
      case 2:
        peer.write_word(input);
        break;
      case 3:
      case 4:
        publish(**publisher);
        break;
      case 5:
        (*publisher)->reclaim_early();
        break;
      case 6:
        static_cast<void>((*publisher)->holders());
        (*publisher)->wake_all();
        must((*publisher)->retained_count() == alive.size(), "no message is lost or counted twice");
        break;
      default:
        ++peer.registry.generation;
        if (order >= 128) peer.registry.views.pop_back();
        if (peer.registry.views.empty() || order < 64) {
          EndpointView view = peer.endpoint(40 + order / 8, AGNOCAST_CONTROL + order * 8u);
          view.depth = order % 16;
          peer.registry.views.push_back(view);
        }
    }
  }
  // Once the peer is dead, nothing it wrote pins anything.
  peer.reset();
  peer.at<agnocast_area_header>(0)->alive = AGNOCAST_ALIVE_OWNER_DIED;
  peer.registry.views.clear();
  ++peer.registry.generation;
  (*publisher)->close();
  (*publisher)->reclaim_early();
  must(alive.empty(), "all messages are destroyed when the subscriber is dead");
  must((*publisher)->is_finished(), "a closed publisher ends when its subscriber is dead");
  return 0;
}

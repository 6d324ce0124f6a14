// A subscription that takes from a publisher whose ring says anything, and changes between any two
// looks.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <deque>

#include "fake_peer.hpp"
#include "topic/subscription_core.hpp"

namespace {

using namespace agnocast::fuzz;

constexpr std::uint64_t ring_offset = AGNOCAST_CONTROL;
constexpr std::uint64_t other_ring_offset = AGNOCAST_CONTROL + 0x100;
constexpr std::uint64_t entries_offset = AGNOCAST_CONTROL + 0x1000;
constexpr std::uint64_t message_bytes = 256;

// As an honest publisher would.
void publish(FakePeer& peer, std::uint64_t sequence)
{
  auto& ring = *peer.at<agnocast_ring>(ring_offset);
  auto& entry = peer.at<agnocast_ring_entry>(entries_offset)[sequence % 8];
  entry.stamp_ns = sequence;
  entry.address = peer.heap_address() + sequence % 64 * message_bytes;
  entry.mark = sequence;
  ring.head = sequence;
}

EndpointRequest request()
{
  EndpointRequest endpoint = {};
  endpoint.kind = AGNOCAST_SUBSCRIPTION;
  endpoint.topic = "/t";
  endpoint.node = "/n";
  endpoint.type_name = "t";
  endpoint.type_bytes = message_bytes;
  endpoint.type_alignment = 16;
  endpoint.depth = 8;
  endpoint.history = AGNOCAST_KEEP_ALL;
  endpoint.reliability = AGNOCAST_RELIABLE;
  return endpoint;
}

void check(const FakePeer& peer, const Taken& taken)
{
  const auto address = reinterpret_cast<std::uintptr_t>(taken.address);
  const std::uint64_t slot_end = peer.heap_address() - AGNOCAST_HEAP + AGNOCAST_SLOT_BYTES_MIN;
  must(address % 16 == 0, "a taken message is aligned");
  must(address >= peer.heap_address() && address <= slot_end - message_bytes,
       "a taken message lies in the heap of its publisher");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  FakePeer& peer = FakePeer::instance();
  peer.reset();
  for (const std::uint64_t offset : {ring_offset, other_ring_offset}) {
    auto& ring = *peer.at<agnocast_ring>(offset);
    ring.tail = 1;
    ring.waiter = 3;
    ring.entries = entries_offset + 3;
    ring.publisher_id = offset == ring_offset ? 60 : 70;
  }
  peer.registry.views = {peer.endpoint(60, ring_offset), peer.endpoint(70, other_ring_offset)};
  Input input(data, bytes);
  std::uint64_t sequence = 0;
  for (int i = input.get<std::uint8_t>() % 8; i > 0; --i) publish(peer, ++sequence);
  auto subscription = SubscriptionCore::create(peer.context, request(), 4);
  must(static_cast<bool>(subscription), "a subscription");
  std::deque<Taken> held;
  while (input.any()) {
    switch (const auto order = input.get<std::uint8_t>(); order % 8) {
      case 0:
      case 1:
        peer.write_word(input);
        break;
      case 2:
      case 3: {
        const Taken taken = (*subscription)->take(order >= 128, order >= 64 ? ~0ull : sequence);
        if (taken.outcome != TakeOutcome::taken) break;
        check(peer, taken);
        held.push_back(taken);
        must(held.size() <= 4, "no more are held than the limit allows");
        break;
      }
      case 4:
        if (held.empty()) break;
        (*subscription)->release(*static_cast<ReceivedHandle*>(held.front().handle));
        held.pop_front();
        break;
      case 5:
        static_cast<void>((*subscription)->is_ready());
        (*subscription)->drop_broken();
        break;
      case 6:
        publish(peer, ++sequence);
        break;
      default:
        ++peer.registry.generation;
        if (order >= 128) peer.registry.views.pop_back();
        if (peer.registry.views.empty() || order < 32) {
          peer.registry.views.push_back(peer.endpoint(60 + order, AGNOCAST_CONTROL + order * 8u));
        }
    }
  }
  (*subscription)->close();
  for (const Taken& taken : held) {
    (*subscription)->release(*static_cast<ReceivedHandle*>(taken.handle));
  }
  return 0;
}

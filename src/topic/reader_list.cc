// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/reader_list.hpp"

#include <algorithm>

#include "base/atomic.hpp"

namespace agnocast::internal {

namespace {

// How many unread messages of the publisher the reader gets at the most.
std::uint32_t depth_of(const EndpointView& reader, std::uint32_t publisher_depth)
{
  constexpr std::uint32_t depth_max = 1u << 16;
  if (reader.depth == 0) return 0;
  return std::min(reader.history == AGNOCAST_KEEP_ALL ? publisher_depth : reader.depth, depth_max);
}

}  // namespace

const agnocast_connection* Reader::find_connection(std::uint64_t publisher_id)
{
  // Pairs with the store in Connection's constructor: a connection that is ours stays ours until 0.
  if (connection != nullptr && load_seq_cst(connection->publisher_id) == publisher_id) {
    return connection;
  }
  connection = nullptr;
  // Pairs with the store that links a new connection in. Links never change, so no walk misses one.
  std::uint64_t offset = load_seq_cst(subscription->first_connection);
  for (std::uint32_t i = 0; offset != 0 && i < AGNOCAST_CONNECTIONS_MAX; ++i) {
    const auto* found = area->at<agnocast_connection>(offset);
    if (found == nullptr) break;
    if (load_seq_cst(found->publisher_id) == publisher_id) {  // pairs as above
      // Read once: what it says later may not be what was checked.
      holds_capacity =
        std::min<std::uint32_t>(load_relaxed(found->holds_capacity), AGNOCAST_HOLDS_MAX);
      if (area->at<agnocast_connection>(
            offset, AGNOCAST_HOLDS_OFFSET + holds_capacity * sizeof(std::uint64_t)) != nullptr) {
        connection = found;
      }
      break;
    }
    offset = load_acquire(found->next);  // pairs with the store before it was linked in
  }
  return connection;
}

bool ReaderList::has_unlisted() const noexcept
{
  return std::any_of(readers.begin(), readers.end(),
                     [](const Reader& reader) { return reader.is_unlisted; });
}

std::size_t ReaderList::holds_max() const noexcept
{
  std::size_t holds = 0;
  for (const Reader& reader : readers) {
    holds += reader.connection != nullptr ? reader.holds_capacity : 0;
  }
  return holds;
}

void ReaderList::add(Context& context, const Publisher& publisher, const EndpointView& view,
                     const ReaderList* former, Once& said)
{
  Reader reader;
  reader.id = view.id;
  reader.depth = depth_of(view, publisher.depth);
  reader.blocks = view.history == AGNOCAST_KEEP_ALL && view.reliability == AGNOCAST_RELIABLE;
  depth_max = std::max(depth_max, reader.depth);  // also of one that cannot be seen
  if (former != nullptr) {
    const auto known = std::find_if(former->readers.begin(), former->readers.end(),
                                    [&](const Reader& other) { return other.id == view.id; });
    if (known != former->readers.end()) {
      reader.area = known->area;
      reader.subscription = known->subscription;
    }
  }
  if (reader.area == nullptr) {
    auto area = context.peers->get(view.process, PeerUse::control);
    if (!area) {
      if (area.failure().kind == FailureKind::broken_peer) {
        if (said.first()) complaint = area.failure().text;
        return;  // a lie: it holds nothing that could be seen
      }
      // Gone meanwhile, or a limit of this process: until it is known, its holds must be respected.
      const auto known = std::find_if(
        unreachable.begin(), unreachable.end(),
        [&](const Unreachable& one) { return one.process.process_id == view.process.process_id; });
      if (known == unreachable.end()) unreachable.push_back({view.process, area.failure().text});
      has_unreachable_blocking = has_unreachable_blocking || reader.blocks;
      return;
    }
    reader.area = std::move(*area);
    reader.subscription = reader.area->at<agnocast_subscription>(view.control_offset);
    if (reader.subscription == nullptr) return;  // a lie: it costs the liar its wake-ups
  }
  reader.find_connection(publisher.id);
  readers.push_back(std::move(reader));
}

std::unique_ptr<ReaderList> ReaderList::make(Context& context, const Publisher& publisher,
                                             const ReaderList* former, Once& said)
{
  auto list = std::make_unique<ReaderList>();
  // Before the records are read: what changes after this is seen at the next look. Pairs with the
  // fence after the registry's stores.
  list->generation =
    load_seq_cst(*context.registry->topic_generation(publisher.topic, AGNOCAST_SUBSCRIPTION));
  for (const EndpointView& view :
       context.registry->endpoints(publisher.topic, AGNOCAST_SUBSCRIPTION)) {
    list->add(context, publisher, view, former, said);
  }
  if (context.registry->is_broken()) return nullptr;  // what was read does not count
  if (former == nullptr) return list;
  for (const Reader& old : former->readers) {
    const bool listed = std::any_of(list->readers.begin(), list->readers.end(),
                                    [&](const Reader& reader) { return reader.id == old.id; });
    // Pairs with the store in SubscriptionCore::start.
    if (listed || old.area->is_gone() ||
        load_acquire(old.subscription->subscription_id) != old.id) {
      continue;
    }
    Reader reader;
    reader.id = old.id;
    reader.area = old.area;
    reader.subscription = old.subscription;
    reader.is_unlisted = true;
    if (reader.find_connection(publisher.id) != nullptr) list->readers.push_back(std::move(reader));
  }
  return list;
}

}  // namespace agnocast::internal

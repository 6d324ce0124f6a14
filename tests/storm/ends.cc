// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "storm/ends.hpp"

namespace agnocast::storm {

namespace {

unsigned long long wide(std::uint64_t value)
{
  return value;
}

}  // namespace

void AnySubscription::note(const Header& header, const MessageInfo& info, std::uint64_t bytes)
{
  stage_.count(Count::received);
  stage_.count(Count::bytes, bytes);
  Board& board = *stage_.board;
  Seen& seen = seen_[info.publisher_id];
  const bool first = seen.sequence == 0;
  const bool both_stable = plan_.stable && (header.stable & flag_stable) != 0;
  const bool both_keep_all = is_keep_all(plan_.qos) && (header.stable & flag_keep_all) != 0;
  std::uint64_t& number = seen.numbers[header.thread % 4];
  if (info.sequence <= seen.sequence || header.number <= number) {
    stage_.count(Count::corrupted);
    report(board, stage_.seat, "out of order: topic %u publisher %llu sequence %llu after %llu",
           plan_.topic, wide(info.publisher_id), wide(info.sequence), wide(seen.sequence));
  }
  const std::uint64_t gap = first ? 0 : info.sequence - seen.sequence - 1;
  gaps_ += gap;
  if ((gap != 0 && both_keep_all) || (first && both_stable && info.sequence != 1)) {
    stage_.count(Count::unexplained, std::max<std::uint64_t>(gap, 1));
    report(board, stage_.seat,
           "lost under keep_all: topic %u publisher %llu sequence %llu after %llu", plan_.topic,
           wide(info.publisher_id), wide(info.sequence), wide(seen.sequence));
  }
  if (first) {
    seen.first = info.sequence;
    stage_.count(Count::lost_late, info.sequence - 1);
  }
  seen.flags = header.stable;
  seen.sequence = info.sequence;
  number = header.number;
  if (gap != 0) check_losses();
}

// The library counts what it lost; a hole that it did not count has no cause.
void AnySubscription::check_losses()
{
  const std::uint64_t counted = base().lost_count();
  stage_.count(Count::lost_retention, gaps_ - lost_before_);
  lost_before_ = gaps_;
  if (gaps_ <= counted) return;
  stage_.count(Count::unexplained, gaps_ - counted);
  report(*stage_.board, stage_.seat, "topic %u: %llu messages are missing, lost_count() says %llu",
         plan_.topic, wide(gaps_), wide(counted));
}

void AnySubscription::compare_with_publishers()
{
  Board& board = *stage_.board;
  const std::size_t end = std::min<std::size_t>(board.publishers_count.load(), publishers_max);
  for (std::size_t i = 0; i < end; ++i) {
    const PublisherEntry& entry = board.publishers[i];
    const std::uint64_t published = entry.published.load();
    if (entry.topic.load() != plan_.topic || published == 0) continue;
    const auto found = seen_.find(entry.id.load());
    const std::uint64_t received = found == seen_.end() ? 0 : found->second.sequence;
    if (received >= published) continue;
    if (received == 0 && (found == seen_.end())) {
      // Dead, or gone, before this subscription had its area mapped.
      stage_.count(Count::lost_publisher_gone, published);
      continue;
    }
    stage_.count(Count::unexplained, published - received);
    report(board, stage_.seat,
           "topic %u: publisher %llu published %llu messages, the last that came is %llu (%s)",
           plan_.topic, wide(entry.id.load()), wide(published), wide(received),
           entry.left.load() != 0 ? "it left in order" : "it was killed or lives");
  }
}

std::unique_ptr<AnyPublisher> make_publisher(const Stage& stage, Node& node, std::uint32_t topic,
                                             const QoS& qos, std::chrono::nanoseconds timeout,
                                             bool stable)
{
  switch (topic % 4) {
    case 0:
      return std::make_unique<TypedPublisher<Nested>>(stage, node, topic, qos, timeout, stable);
    case 1:
      return std::make_unique<TypedPublisher<Text>>(stage, node, topic, qos, timeout, stable);
    case 2:
      return std::make_unique<TypedPublisher<Flat>>(stage, node, topic, qos, timeout, stable);
    default:
      return std::make_unique<TypedPublisher<Chain>>(stage, node, topic, qos, timeout, stable);
  }
}

std::unique_ptr<AnySubscription> make_subscription(const Stage& stage, Node& node,
                                                   const SubscriptionPlan& plan, std::uint64_t seed)
{
  switch (plan.topic % 4) {
    case 0:
      return std::make_unique<TypedSubscription<Nested>>(stage, node, plan, seed);
    case 1:
      return std::make_unique<TypedSubscription<Text>>(stage, node, plan, seed);
    case 2:
      return std::make_unique<TypedSubscription<Flat>>(stage, node, plan, seed);
    default:
      return std::make_unique<TypedSubscription<Chain>>(stage, node, plan, seed);
  }
}

}  // namespace agnocast::storm

// The actors that live through the whole storm and must notice nothing of it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include <dirent.h>

#include "storm/actor.hpp"

namespace agnocast::storm {

using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t stable_topics = 2;

/// What a process uses.
struct Usage
{
  std::size_t heap;
  std::size_t mappings;
  std::size_t descriptors;
  std::size_t private_kb;
};

std::size_t entries_of(const char* folder)
{
  std::size_t count = 0;
  DIR* entries = ::opendir(folder);
  while (entries != nullptr && ::readdir(entries) != nullptr) ++count;
  if (entries != nullptr) ::closedir(entries);
  return count;
}

Usage usage_now()
{
  Usage usage{shared_heap_statistics().used_bytes, 0, entries_of("/proc/self/fd"), 0};
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    usage.mappings += line.find("agnocast") != std::string::npos ? 1 : 0;
  }
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("RssAnon:", 0) == 0) usage.private_kb = std::strtoul(&line[8], nullptr, 10);
  }
  return usage;
}

class StableActor
{
 public:
  StableActor(const Stage& stage, const char* name) : stage_(stage), node_(name) {}

  [[nodiscard]] QoS qos() const { return QoS(1).keep_all(16).reliable(); }

  /// Says that it has done what the phase asks, and waits for the next one.
  void finish(Phase phase)
  {
    stage_.board->seats[stage_.seat].reached.store(static_cast<std::uint32_t>(phase) + 1);
    while (stage_.phase() == phase) {
      stage_.doing("wait for the next phase");
      rest(2'000);
    }
  }

  void remember() { before_ = usage_now(); }

  /// Polls until no more is in use than before the storm.
  template <class Tidy>
  void compare_usage(Tidy tidy)
  {
    // Free blocks in the caches of two threads count as used. With AGNOCAST_HEAP=all the standard
    // library's own blocks lie in the shared heap too.
    const std::size_t slack = stage_.board->heap_all != 0 ? 4'000'000 : 1'700'000;
    const std::uint64_t deadline = now_ns() + stage_.board->patience_s * 1'000'000'000ull;
    Usage now{};
    for (;;) {
      stage_.doing("compare what is in use");
      tidy();
      now = usage_now();
      const bool same = now.heap <= before_.heap + slack && now.mappings <= before_.mappings &&
                        now.descriptors <= before_.descriptors &&
                        now.private_kb <= before_.private_kb + 16'000;
      if (same) return;
      if (now_ns() > deadline) break;
      rest(20'000);
    }
    stage_.count(Count::leaked);
    report(*stage_.board, stage_.seat,
           "leaked: shared heap %zu -> %zu bytes, mappings %zu -> %zu, descriptors %zu -> %zu, "
           "private %zu -> %zu kB",
           before_.heap, now.heap, before_.mappings, now.mappings, before_.descriptors,
           now.descriptors, before_.private_kb, now.private_kb);
  }

 protected:
  const Stage stage_;
  Node node_;
  Usage before_{};
};

}  // namespace

void play_stable_publisher(const Stage& stage, Random& random)
{
  StableActor actor(stage, "stable_publisher");
  Node node("stable_publisher");
  std::vector<std::unique_ptr<AnyPublisher>> publishers;
  for (std::uint32_t topic = 0; topic < stable_topics; ++topic) {
    publishers.push_back(make_publisher(stage, node, topic, actor.qos(), 2s, true));
  }
  actor.finish(Phase::gather);
  const auto publish_during = [&](Phase phase) {
    while (stage.phase() == phase) {
      stage.doing("publish");
      publishers[random.below(publishers.size())]->publish(random, random_size(random), 0,
                                                           random.chance(3));
      rest(random.between(1'000, 6'000));
    }
  };
  const auto tidy = [&] {
    for (const auto& publisher : publishers) publisher->base().reclaim();
  };
  stage.board->seats[stage.seat].reached.store(static_cast<std::uint32_t>(Phase::warm_up) + 1);
  publish_during(Phase::warm_up);
  for (const auto& publisher : publishers) {
    while (publisher->base().retained_count() != 0 && stage.phase() == Phase::measure) {
      stage.doing("wait until all is read");
      tidy();
      rest(5'000);
    }
  }
  actor.remember();
  actor.finish(Phase::measure);
  publish_during(Phase::storm);
  actor.compare_usage(tidy);
  actor.finish(Phase::drain);
}

void play_stable_subscriber(const Stage& stage, Random& random)
{
  StableActor actor(stage, "stable_subscriber");
  Node node("stable_subscriber");
  WaitSet waits;
  std::vector<std::unique_ptr<AnySubscription>> subscriptions;
  for (std::uint32_t topic = 0; topic < stable_topics; ++topic) {
    const SubscriptionPlan plan{topic, actor.qos(), 64, 30, false, true};
    subscriptions.push_back(make_subscription(stage, node, plan, random.next()));
    waits.add(subscriptions.back()->base());
  }
  const auto take_until = [&](const auto& done) {
    while (!done()) {
      stage.doing("take");
      waits.wait(20ms);
      for (const auto& subscription : subscriptions) {
        subscription->take_some(100);
        subscription->release_due(now_ns());
      }
    }
  };
  const auto take_during = [&](Phase phase) {
    take_until([&, phase] { return stage.phase() != phase; });
  };
  const auto take_for_a_second = [&] {
    take_until([&, end = now_ns() + 1'000'000'000] { return now_ns() > end; });
  };
  actor.finish(Phase::gather);
  stage.board->seats[stage.seat].reached.store(static_cast<std::uint32_t>(Phase::warm_up) + 1);
  take_during(Phase::warm_up);
  take_for_a_second();
  actor.remember();
  stage.board->seats[stage.seat].reached.store(static_cast<std::uint32_t>(Phase::measure) + 1);
  take_during(Phase::measure);
  take_during(Phase::storm);
  take_for_a_second();
  take_for_a_second();
  for (const auto& subscription : subscriptions) {
    subscription->compare_with_publishers();
    subscription->forget_publishers();
  }
  actor.compare_usage([&] {
    for (const auto& subscription : subscriptions) subscription->take_some(100);
  });
  stage.board->seats[stage.seat].reached.store(static_cast<std::uint32_t>(Phase::drain) + 1);
  take_during(Phase::drain);
}

}  // namespace agnocast::storm

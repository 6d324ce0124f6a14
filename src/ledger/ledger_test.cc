// The ledger against a model of it, and against writers that die between any two stores.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace {

/// Pages in private memory, and a host that can die after a number of stores.
class Pages
{
 public:
  Pages() { ledger = {bytes(), &store, this, 0}; }

  void init()
  {
    const agnocast_ledger_setup setup{0x200000000000, 64ull << 30, 1ull << 30, 1, 7};
    ASSERT_EQ(agnocast_ledger_init(&ledger, &setup), AGNOCAST_LEDGER_OK);
  }

  const std::uint8_t* bytes() const
  {
    return reinterpret_cast<const std::uint8_t*>(registry.get());
  }

  static int store(void* context, std::uint64_t offset, const void* source, std::uint64_t count)
  {
    auto* self = static_cast<Pages*>(context);
    if (self->stores_left == 0) return 5;
    if (self->stores_left > 0) --self->stores_left;
    if (offset + count > sizeof(agnocast_registry)) return 7;
    std::memcpy(reinterpret_cast<std::uint8_t*>(self->registry.get()) + offset, source, count);
    return 0;
  }

  agnocast_ledger_added add_process(agnocast_ledger_status expected = AGNOCAST_LEDGER_OK)
  {
    std::uint32_t slot = 0;
    agnocast_ledger_added added = {};
    agnocast_ledger_status status =
      agnocast_ledger_free_slot(&ledger, registry->header.next_slot, &slot);
    if (status == AGNOCAST_LEDGER_OK) {
      agnocast_ledger_process process = {};
      process.pid = 1;
      std::strcpy(process.name, "1");
      status = agnocast_ledger_add_process(&ledger, slot, &process, &added);
    }
    if (status == AGNOCAST_LEDGER_OK) {
      status = agnocast_ledger_finish_process(&ledger, added.index, added.id);
    }
    EXPECT_EQ(status, expected);
    return added;
  }

  agnocast_ledger_status add_endpoint(const agnocast_ledger_added& process,
                                      const std::string& topic, std::uint64_t type,
                                      agnocast_ledger_added& added,
                                      std::uint32_t kind = AGNOCAST_PUBLISHER)
  {
    agnocast_ledger_endpoint endpoint = {};
    endpoint.kind = kind;
    endpoint.process = process.index;
    endpoint.process_id = process.id;
    endpoint.depth = 1;
    topic.copy(endpoint.topic, sizeof endpoint.topic - 1);
    std::strcpy(endpoint.node, "/node");
    std::strcpy(endpoint.type_name, "type");
    endpoint.type_hash = type;
    return agnocast_ledger_add_endpoint(&ledger, &endpoint, &added);
  }

  std::unique_ptr<agnocast_registry> registry = std::make_unique<agnocast_registry>();
  agnocast_ledger ledger{};
  int stores_left = -1;
};

template <class Map>
auto pick(Map& map, std::mt19937& random)
{
  return std::next(map.begin(), static_cast<std::ptrdiff_t>(random() % map.size()));
}

}  // namespace

TEST(Ledger, BlankPagesAreToldFromForeignOldAndDamagedOnes)
{
  Pages pages;
  EXPECT_EQ(agnocast_ledger_check(&pages.ledger), AGNOCAST_LEDGER_BLANK);
  pages.init();
  EXPECT_EQ(agnocast_ledger_check(&pages.ledger), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(pages.registry->header.process_capacity, 64u);
  pages.registry->header.abi_version += 1;
  EXPECT_EQ(agnocast_ledger_check(&pages.ledger), AGNOCAST_LEDGER_VERSION);
  pages.registry->header.abi_version -= 1;
  pages.registry->header.slot_bytes = 0;
  EXPECT_EQ(agnocast_ledger_check(&pages.ledger), AGNOCAST_LEDGER_CORRUPT);
  pages.registry->header.magic = 1;
  EXPECT_EQ(agnocast_ledger_check(&pages.ledger), AGNOCAST_LEDGER_FOREIGN);
}

TEST(Ledger, SlotsAreGivenOutInTurnSoThatNoneIsReusedEarly)
{
  Pages pages;
  pages.init();
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 64; ++i) {
    const auto added = pages.add_process();
    EXPECT_TRUE(seen.insert(added.index).second);
    EXPECT_EQ(agnocast_ledger_remove_process(&pages.ledger, added.index, added.id),
              AGNOCAST_LEDGER_OK);
  }
  EXPECT_EQ(seen.size(), 64u);
}

TEST(Ledger, AFullProcessTableRefusesAndTakesAgainOnceOneHasLeft)
{
  Pages pages;
  pages.init();
  agnocast_ledger_added last = {};
  for (int i = 0; i < 64; ++i) last = pages.add_process();
  pages.add_process(AGNOCAST_LEDGER_NO_PROCESS_SLOT);
  EXPECT_EQ(agnocast_ledger_remove_process(&pages.ledger, last.index, last.id), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(pages.add_process().index, last.index);
}

TEST(Ledger, TopicsAndEndpointsThatDoNotFitAreRefusedAndTheRestStays)
{
  Pages pages;
  pages.init();
  const auto process = pages.add_process();
  agnocast_ledger_added added = {};
  for (unsigned i = 0; i < AGNOCAST_TOPIC_CAPACITY; ++i) {
    ASSERT_EQ(pages.add_endpoint(process, "/t" + std::to_string(i), 1, added), AGNOCAST_LEDGER_OK);
  }
  EXPECT_EQ(pages.add_endpoint(process, "/more", 1, added), AGNOCAST_LEDGER_NO_TOPIC_SLOT);
  for (unsigned i = AGNOCAST_TOPIC_CAPACITY; i < AGNOCAST_ENDPOINT_CAPACITY; ++i) {
    ASSERT_EQ(pages.add_endpoint(process, "/t0", 1, added), AGNOCAST_LEDGER_OK);
  }
  EXPECT_EQ(pages.add_endpoint(process, "/t0", 1, added), AGNOCAST_LEDGER_NO_ENDPOINT_SLOT);
  EXPECT_EQ(agnocast_ledger_audit(&pages.ledger), nullptr);
}

TEST(Ledger, ATopicKeepsItsTypeUntilItsLastEndpointHasGone)
{
  Pages pages;
  pages.init();
  const auto process = pages.add_process();
  agnocast_ledger_added first = {};
  agnocast_ledger_added other = {};
  ASSERT_EQ(pages.add_endpoint(process, "/t", 1, first), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(pages.add_endpoint(process, "/t", 2, other), AGNOCAST_LEDGER_TYPE_MISMATCH);
  EXPECT_EQ(other.topic, first.topic);
  ASSERT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, first.index, first.id),
            AGNOCAST_LEDGER_OK);
  EXPECT_EQ(pages.add_endpoint(process, "/t", 2, other), AGNOCAST_LEDGER_OK);
}

TEST(Ledger, IdsAndGenerationsOnlyGrow)
{
  Pages pages;
  pages.init();
  const auto process = pages.add_process();
  std::uint64_t last_id = process.id;
  std::uint64_t last_generation = 0;
  for (int i = 0; i < 100; ++i) {
    agnocast_ledger_added added = {};
    ASSERT_EQ(pages.add_endpoint(process, "/t", static_cast<std::uint64_t>(i), added),
              AGNOCAST_LEDGER_OK);
    EXPECT_GT(added.id, last_id);
    EXPECT_GT(pages.registry->topics[added.topic].publishers_generation, last_generation);
    last_id = added.id;
    last_generation = pages.registry->topics[added.topic].publishers_generation;
    ASSERT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, added.index, added.id),
              AGNOCAST_LEDGER_OK);
    EXPECT_GT(pages.registry->topics[added.topic].publishers_generation, last_generation);
  }
}

TEST(Ledger, EachKindOfEndpointChangesItsOwnGeneration)
{
  Pages pages;
  pages.init();
  const auto process = pages.add_process();
  agnocast_ledger_added publisher = {};
  agnocast_ledger_added subscription = {};
  ASSERT_EQ(pages.add_endpoint(process, "/t", 1, publisher), AGNOCAST_LEDGER_OK);
  const agnocast_topic_record& topic = pages.registry->topics[publisher.topic];
  const auto generations = [&] {
    return std::pair(topic.publishers_generation, topic.subscriptions_generation);
  };
  const auto first = generations();
  ASSERT_EQ(pages.add_endpoint(process, "/t", 1, subscription, AGNOCAST_SUBSCRIPTION),
            AGNOCAST_LEDGER_OK);
  const auto added = generations();
  EXPECT_EQ(added.first, first.first);
  EXPECT_GT(added.second, first.second);
  ASSERT_EQ(agnocast_ledger_close_endpoint(&pages.ledger, subscription.index, subscription.id),
            AGNOCAST_LEDGER_OK);
  const auto closed = generations();
  EXPECT_EQ(closed.first, first.first);
  EXPECT_GT(closed.second, added.second);
  ASSERT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, subscription.index, subscription.id),
            AGNOCAST_LEDGER_OK);
  const auto removed = generations();
  EXPECT_EQ(removed.first, first.first);
  EXPECT_GT(removed.second, closed.second);
  ASSERT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, publisher.index, publisher.id),
            AGNOCAST_LEDGER_OK);
  EXPECT_GT(generations().first, first.first);
  EXPECT_EQ(generations().second, removed.second);
}

TEST(Ledger, ARemovalIsToldOnce)
{
  Pages pages;
  pages.init();
  const auto process = pages.add_process();
  const auto other = pages.add_process();
  agnocast_ledger_added gone = {};
  agnocast_ledger_added kept = {};
  agnocast_ledger_added next = {};
  ASSERT_EQ(pages.add_endpoint(process, "/t", 1, gone), AGNOCAST_LEDGER_OK);
  ASSERT_EQ(pages.add_endpoint(other, "/t", 1, kept), AGNOCAST_LEDGER_OK);
  ASSERT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, gone.index, gone.id),
            AGNOCAST_LEDGER_OK);
  const std::uint64_t told = pages.registry->topics[gone.topic].publishers_generation;
  ASSERT_EQ(agnocast_ledger_remove_process(&pages.ledger, process.index, process.id),
            AGNOCAST_LEDGER_OK);
  ASSERT_EQ(pages.add_endpoint(other, "/another", 1, next), AGNOCAST_LEDGER_OK);
  ASSERT_EQ(next.index, gone.index);
  EXPECT_EQ(pages.registry->topics[gone.topic].publishers_generation, told);
}

TEST(Ledger, ARemovalThatWasCutShortAnywhereIsToldWhenTheProcessIsRemoved)
{
  for (const std::uint32_t kind : {AGNOCAST_PUBLISHER, AGNOCAST_SUBSCRIPTION}) {
    for (int stores = 0; stores < 6; ++stores) {
      Pages pages;
      pages.init();
      const auto dying = pages.add_process();
      const auto other = pages.add_process();
      agnocast_ledger_added lost = {};
      agnocast_ledger_added kept = {};
      ASSERT_EQ(pages.add_endpoint(dying, "/t", 1, lost, kind), AGNOCAST_LEDGER_OK);
      ASSERT_EQ(pages.add_endpoint(other, "/t", 1, kept), AGNOCAST_LEDGER_OK);
      const agnocast_topic_record& topic = pages.registry->topics[lost.topic];
      const auto generation = [&] {
        return kind == AGNOCAST_PUBLISHER ? topic.publishers_generation
                                          : topic.subscriptions_generation;
      };
      const std::uint64_t seen = generation();
      pages.stores_left = stores;
      static_cast<void>(agnocast_ledger_remove_process(&pages.ledger, dying.index, dying.id));
      // Who looked before the record was freed looks again.
      const bool is_freed = pages.registry->endpoints[lost.index].state == AGNOCAST_FREE;
      const std::uint64_t looked = is_freed ? seen : generation();
      EXPECT_EQ(is_freed, stores > 0);
      pages.stores_left = -1;
      static_cast<void>(agnocast_ledger_remove_process(&pages.ledger, dying.index, dying.id));
      EXPECT_GT(generation(), looked) << "kind " << kind << ", cut after " << stores << " stores";
      EXPECT_EQ(pages.registry->processes[dying.index].state, AGNOCAST_FREE);
    }
  }
}

TEST(Ledger, ARemovalThatWasCutShortIsToldBeforeItsRecordIsUsedAgain)
{
  Pages pages;
  pages.init();
  const auto dying = pages.add_process();
  const auto other = pages.add_process();
  agnocast_ledger_added lost = {};
  agnocast_ledger_added kept = {};
  agnocast_ledger_added next = {};
  ASSERT_EQ(pages.add_endpoint(dying, "/t", 1, lost), AGNOCAST_LEDGER_OK);
  ASSERT_EQ(pages.add_endpoint(other, "/t", 1, kept), AGNOCAST_LEDGER_OK);
  const std::uint64_t seen = pages.registry->topics[lost.topic].publishers_generation;
  pages.stores_left = 1;
  ASSERT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, lost.index, lost.id),
            AGNOCAST_LEDGER_STORE_FAILED);
  pages.stores_left = -1;
  ASSERT_EQ(pages.add_endpoint(other, "/another", 1, next), AGNOCAST_LEDGER_OK);
  ASSERT_EQ(next.index, lost.index);
  EXPECT_GT(pages.registry->topics[lost.topic].publishers_generation, seen);
}

TEST(Ledger, NobodyCanRemoveWhatIsNotThereOrOfAnotherId)
{
  Pages pages;
  pages.init();
  const auto process = pages.add_process();
  EXPECT_EQ(agnocast_ledger_remove_process(&pages.ledger, process.index, process.id + 1),
            AGNOCAST_LEDGER_NOT_FOUND);
  EXPECT_EQ(agnocast_ledger_remove_process(&pages.ledger, 4'000'000, process.id),
            AGNOCAST_LEDGER_NOT_FOUND);
  EXPECT_EQ(agnocast_ledger_remove_endpoint(&pages.ledger, 0, 1), AGNOCAST_LEDGER_NOT_FOUND);
}

TEST(Ledger, AProcessThatJoinsHasItsSlotAndNoEndpointsUntilItIsLive)
{
  Pages pages;
  pages.init();
  agnocast_ledger_process process = {};
  std::strcpy(process.name, "1");
  agnocast_ledger_added joining = {};
  agnocast_ledger_added added = {};
  ASSERT_EQ(agnocast_ledger_add_process(&pages.ledger, 3, &process, &joining), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(pages.registry->processes[3].state, AGNOCAST_JOINING);
  EXPECT_EQ(agnocast_ledger_process_count(&pages.ledger), 1u);
  EXPECT_EQ(agnocast_ledger_add_process(&pages.ledger, 3, &process, &added),
            AGNOCAST_LEDGER_BAD_ARGUMENT);
  std::uint32_t slot = 0;
  EXPECT_EQ(agnocast_ledger_free_slot(&pages.ledger, 3, &slot), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(slot, 4u);
  EXPECT_EQ(pages.add_endpoint(joining, "/early", 1, added), AGNOCAST_LEDGER_NOT_FOUND);
  EXPECT_EQ(agnocast_ledger_finish_process(&pages.ledger, 3, joining.id + 1),
            AGNOCAST_LEDGER_NOT_FOUND);
  EXPECT_EQ(agnocast_ledger_finish_process(&pages.ledger, 5000, joining.id),
            AGNOCAST_LEDGER_NOT_FOUND);
  ASSERT_EQ(agnocast_ledger_finish_process(&pages.ledger, 3, joining.id), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(agnocast_ledger_finish_process(&pages.ledger, 3, joining.id),
            AGNOCAST_LEDGER_NOT_FOUND);
  EXPECT_EQ(pages.add_endpoint(joining, "/late", 1, added), AGNOCAST_LEDGER_OK);
  EXPECT_EQ(agnocast_ledger_audit(&pages.ledger), nullptr);
}

// The writer dies after each number of stores of each operation; the next one goes on.
TEST(Ledger, AWriterThatDiesBetweenAnyTwoStoresLeavesNothingThatBreaksTheNext)
{
  for (int operation = 0; operation < 6; ++operation) {
    bool completed = false;
    for (int stores = 0; !completed; ++stores) {
      ASSERT_LT(stores, 60);
      Pages pages;
      pages.init();
      const auto survivor = pages.add_process();
      const auto victim = pages.add_process();
      agnocast_ledger_added shared = {};
      agnocast_ledger_added own = {};
      agnocast_ledger_added added = {};
      ASSERT_EQ(pages.add_endpoint(survivor, "/shared", 1, shared), AGNOCAST_LEDGER_OK);
      ASSERT_EQ(pages.add_endpoint(victim, "/own", 1, own), AGNOCAST_LEDGER_OK);
      agnocast_ledger_process joiner = {};
      std::strcpy(joiner.name, "4");
      agnocast_ledger_added joining = {};
      ASSERT_EQ(agnocast_ledger_add_process(&pages.ledger, 5, &joiner, &joining),
                AGNOCAST_LEDGER_OK);
      pages.stores_left = stores;
      agnocast_ledger_status status = AGNOCAST_LEDGER_OK;
      switch (operation) {
        case 0: {
          agnocast_ledger_process process = {};
          std::strcpy(process.name, "3");
          status = agnocast_ledger_add_process(&pages.ledger, 2, &process, &added);
          break;
        }
        case 1:
          status = pages.add_endpoint(victim, "/fresh", 1, added);
          break;
        case 2:
          status = agnocast_ledger_remove_endpoint(&pages.ledger, own.index, own.id);
          break;
        case 3:
          status = agnocast_ledger_finish_process(&pages.ledger, joining.index, joining.id);
          break;
        case 4:
          status = agnocast_ledger_remove_process(&pages.ledger, joining.index, joining.id);
          break;
        default:
          status = agnocast_ledger_remove_process(&pages.ledger, victim.index, victim.id);
      }
      completed = status == AGNOCAST_LEDGER_OK;
      EXPECT_TRUE(completed || status == AGNOCAST_LEDGER_STORE_FAILED);
      pages.stores_left = -1;
      // A cleaner finds the victim dead; whatever was half-done, all is as if it had never been.
      const auto again = agnocast_ledger_remove_process(&pages.ledger, victim.index, victim.id);
      EXPECT_TRUE(again == AGNOCAST_LEDGER_OK || again == AGNOCAST_LEDGER_NOT_FOUND);
      const char* violation = agnocast_ledger_audit(&pages.ledger);
      EXPECT_EQ(violation, nullptr) << violation << " after " << stores << " of " << operation;
      EXPECT_EQ(pages.registry->topics[shared.topic].state, AGNOCAST_LIVE);
      ASSERT_EQ(pages.add_endpoint(survivor, "/own", 2, added), AGNOCAST_LEDGER_OK);
      ASSERT_EQ(pages.add_endpoint(survivor, "/fresh", 2, added), AGNOCAST_LEDGER_OK);
      pages.add_process();
      EXPECT_EQ(agnocast_ledger_audit(&pages.ledger), nullptr);
    }
  }
}

TEST(Ledger, ARandomHistoryAgreesWithAModel)
{
  std::mt19937 random(1);
  Pages pages;
  pages.init();
  std::map<std::uint64_t, agnocast_ledger_added> processes;
  struct Endpoint
  {
    agnocast_ledger_added added;
    std::uint64_t process;
    std::string topic;
  };
  std::map<std::uint64_t, Endpoint> endpoints;
  for (int step = 0; step < 20'000; ++step) {
    const unsigned what = random() % 8;
    if (what == 0 && processes.size() < 64) {
      const auto added = pages.add_process();
      EXPECT_TRUE(processes.emplace(added.id, added).second);
    } else if (what == 1 && !processes.empty()) {
      const auto victim = pick(processes, random);
      ASSERT_EQ(agnocast_ledger_remove_process(&pages.ledger, victim->second.index, victim->first),
                AGNOCAST_LEDGER_OK);
      std::erase_if(endpoints, [&](const auto& e) { return e.second.process == victim->first; });
      processes.erase(victim);
    } else if (what < 6 && !processes.empty() && endpoints.size() < 200) {
      const auto owner = pick(processes, random);
      Endpoint endpoint{{}, owner->first, "/t" + std::to_string(random() % 20)};
      ASSERT_EQ(pages.add_endpoint(owner->second, endpoint.topic, 1, endpoint.added),
                AGNOCAST_LEDGER_OK);
      EXPECT_TRUE(endpoints.emplace(endpoint.added.id, endpoint).second);
    } else if (!endpoints.empty()) {
      const auto victim = pick(endpoints, random);
      ASSERT_EQ(
        agnocast_ledger_remove_endpoint(&pages.ledger, victim->second.added.index, victim->first),
        AGNOCAST_LEDGER_OK);
      endpoints.erase(victim);
    }
    ASSERT_EQ(agnocast_ledger_process_count(&pages.ledger), processes.size());
    if (step % 50 != 0) continue;
    ASSERT_EQ(agnocast_ledger_audit(&pages.ledger), nullptr);
    std::size_t live = 0;
    for (const auto& record : pages.registry->endpoints) {
      if (record.state != AGNOCAST_LIVE) continue;
      ++live;
      ASSERT_TRUE(endpoints.contains(record.id));
      EXPECT_EQ(pages.registry->topics[record.topic].name, endpoints[record.id].topic);
    }
    ASSERT_EQ(live, endpoints.size());
  }
}

// What publish() does about parts of a message that lie in private memory.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <array>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "support/process.hpp"

namespace audited {

/// Longer than what a string keeps within itself.
inline std::string text(int i)
{
  return "a text that is too long for the string itself, number " + std::to_string(i);
}

template <class T>
struct Sample;

template <>
struct Sample<int>
{
  static int make(int i) { return i; }
  static bool is(int value, int i) { return value == i; }
};
template <>
struct Sample<bool>
{
  static bool make(int i) { return i % 3 == 0; }
  static bool is(bool value, int i) { return value == (i % 3 == 0); }
};
template <>
struct Sample<std::string>
{
  static std::string make(int i) { return text(i); }
  static bool is(const std::string& value, int i) { return value == text(i); }
};

constexpr int count = 5;

template <class Range, class Element>
struct SampleOfRange
{
  static Range make(int i)
  {
    Range made;
    for (int k = 0; k < count; ++k) made.insert(made.end(), Sample<Element>::make(10 * i + k));
    return made;
  }
  static bool is(const Range& value, int i)
  {
    int k = 0;
    for (const auto& element : value) {
      if (!Sample<Element>::is(element, 10 * i + k++)) return false;
    }
    return k == count;
  }
};
template <class E>
struct Sample<std::vector<E>> : SampleOfRange<std::vector<E>, E>
{
};
template <class E>
struct Sample<std::deque<E>> : SampleOfRange<std::deque<E>, E>
{
};
template <class E>
struct Sample<std::list<E>> : SampleOfRange<std::list<E>, E>
{
};
template <class E>
struct Sample<std::forward_list<E>>
{
  static std::forward_list<E> make(int i)
  {
    std::forward_list<E> made;
    for (int k = count; k-- > 0;) made.push_front(Sample<E>::make(10 * i + k));
    return made;
  }
  static bool is(const std::forward_list<E>& value, int i)
  {
    int k = 0;
    for (const E& element : value) {
      if (!Sample<E>::is(element, 10 * i + k++)) return false;
    }
    return k == count;
  }
};

/// Keys are texts, or numbers for tables.
template <class Map, class K, class V>
struct SampleOfMap
{
  static Map make(int i)
  {
    Map made;
    for (int k = 0; k < count; ++k) made.emplace(Sample<K>::make(k), Sample<V>::make(10 * i + k));
    return made;
  }
  static bool is(const Map& value, int i)
  {
    for (int k = 0; k < count; ++k) {
      const auto found = value.find(Sample<K>::make(k));
      if (found == value.end() || !Sample<V>::is(found->second, 10 * i + k)) return false;
    }
    return value.size() == count;
  }
};
template <class K, class V>
struct Sample<std::map<K, V>> : SampleOfMap<std::map<K, V>, K, V>
{
};
template <class K, class V>
struct Sample<std::multimap<K, V>> : SampleOfMap<std::multimap<K, V>, K, V>
{
};
template <class K, class V>
struct Sample<std::unordered_map<K, V>> : SampleOfMap<std::unordered_map<K, V>, K, V>
{
};
template <class Set, class K>
struct SampleOfSet
{
  static Set make(int i)
  {
    Set made;
    for (int k = 0; k < count; ++k) made.insert(Sample<K>::make(10 * i + k));
    return made;
  }
  static bool is(const Set& value, int i)
  {
    for (int k = 0; k < count; ++k) {
      if (value.count(Sample<K>::make(10 * i + k)) != 1) return false;
    }
    return value.size() == count;
  }
};
template <class K>
struct Sample<std::set<K>> : SampleOfSet<std::set<K>, K>
{
};
template <class K>
struct Sample<std::unordered_set<K>> : SampleOfSet<std::unordered_set<K>, K>
{
};
template <class E>
struct Sample<std::optional<E>>
{
  static std::optional<E> make(int i) { return Sample<E>::make(i); }
  static bool is(const std::optional<E>& value, int i) { return value && Sample<E>::is(*value, i); }
};
template <class E>
struct Sample<std::unique_ptr<E>>
{
  static std::unique_ptr<E> make(int i) { return std::make_unique<E>(Sample<E>::make(i)); }
  static bool is(const std::unique_ptr<E>& value, int i)
  {
    return value && Sample<E>::is(*value, i);
  }
};
template <class E>
struct Sample<std::variant<int, E>>
{
  static std::variant<int, E> make(int i) { return Sample<E>::make(i); }
  static bool is(const std::variant<int, E>& value, int i)
  {
    const E* const part = std::get_if<E>(&value);
    return part != nullptr && Sample<E>::is(*part, i);
  }
};
template <class E>
struct Sample<std::array<E, 2>>
{
  static std::array<E, 2> make(int i) { return {Sample<E>::make(i), Sample<E>::make(i + 1)}; }
  static bool is(const std::array<E, 2>& value, int i)
  {
    return Sample<E>::is(value[0], i) && Sample<E>::is(value[1], i + 1);
  }
};
template <class E>
struct Sample<std::pair<int, E>>
{
  static std::pair<int, E> make(int i) { return {i, Sample<E>::make(i)}; }
  static bool is(const std::pair<int, E>& value, int i)
  {
    return value.first == i && Sample<E>::is(value.second, i);
  }
};
template <class E>
struct Sample<std::tuple<E, int>>
{
  static std::tuple<E, int> make(int i) { return {Sample<E>::make(i), i}; }
  static bool is(const std::tuple<E, int>& value, int i)
  {
    return Sample<E>::is(std::get<0>(value), i) && std::get<1>(value) == i;
  }
};

template <class T>
struct Message
{
  int number = 0;
  T part;
  std::vector<T> parts;
};

}  // namespace audited

namespace agnocast::test {
namespace {

using audited::Message;
using audited::Sample;
using audited::text;

/// Publishes what `fill` makes of a message; a subscriber in another process must read it so that
/// `is_right`. Returns how many parts were moved.
template <class T>
std::uint64_t moved_when(const std::function<void(Publisher<T>&, ipc_shared_ptr<T>&)>& fill,
                         const std::function<bool(const T&)>& is_right,
                         const PublisherOptions& options = {})
{
  Process reader([&](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<T>("/audited", QoS(4));
    channel.say("ready");
    channel.hear();
    auto message = subscription->take();
    require(eventually([&] { return message || (message = subscription->take()); }),
            "a message is there");
    require(is_right(*message), "it reads as it was written");
    channel.say("done");
  });
  EXPECT_EQ(reader.hear(), "ready");
  Process writer([&](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<T>("/audited", QoS(4), options);
    auto message = publisher->borrow_loaned_message();
    fill(*publisher, message);
    require(publisher->publish(std::move(message)) == PublishStatus::published, "it is published");
    channel.say(std::to_string(publisher->moved_count()));
    channel.hear();
  });
  const std::string moved = writer.hear();
  reader.say("take");
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
  return moved.empty() ? 0 : std::stoull(moved);
}

enum class Origin { before_the_loan, private_scope, other_thread };

template <class T>
T made_by(Origin origin, int i, T& before)
{
  switch (origin) {
    case Origin::before_the_loan:
      return std::move(before);
    case Origin::other_thread: {
      std::optional<T> made;
      std::thread([&] { made.emplace(Sample<T>::make(i)); }).join();
      return std::move(*made);
    }
    default: {
      const PrivateHeapScope in_private;
      return Sample<T>::make(i);
    }
  }
}

template <class T>
void expect_readable_from_all_origins()
{
  for (const Origin origin :
       {Origin::before_the_loan, Origin::private_scope, Origin::other_thread}) {
    std::uint64_t moved = moved_when<Message<T>>(
      [&](Publisher<Message<T>>& publisher, ipc_shared_ptr<Message<T>>& message) {
        message.reset();
        T part = Sample<T>::make(1);
        std::vector<T> parts;
        parts.push_back(Sample<T>::make(2));
        parts.push_back(Sample<T>::make(3));
        T spare = Sample<T>::make(4);
        message = publisher.borrow_loaned_message();
        message->number = 7;
        message->part = made_by(origin, 1, part);
        message->parts = std::move(parts);
        message->parts.push_back(made_by(origin, 4, spare));
      },
      [](const Message<T>& message) {
        return message.number == 7 && Sample<T>::is(message.part, 1) && message.parts.size() == 3 &&
               Sample<T>::is(message.parts[0], 2) && Sample<T>::is(message.parts[1], 3) &&
               Sample<T>::is(message.parts[2], 4);
      });
    EXPECT_GE(moved, 1U) << static_cast<int>(origin);
  }
}

template <class E>
void expect_readable_in_all_containers()
{
  expect_readable_from_all_origins<std::vector<E>>();
  expect_readable_from_all_origins<std::deque<E>>();
  expect_readable_from_all_origins<std::list<E>>();
  expect_readable_from_all_origins<std::forward_list<E>>();
  expect_readable_from_all_origins<std::map<int, E>>();
  expect_readable_from_all_origins<std::map<std::string, E>>();
  expect_readable_from_all_origins<std::multimap<std::string, E>>();
  expect_readable_from_all_origins<std::unordered_map<std::string, E>>();
  expect_readable_from_all_origins<std::optional<E>>();
  expect_readable_from_all_origins<std::variant<int, E>>();
  expect_readable_from_all_origins<std::unique_ptr<E>>();
  expect_readable_from_all_origins<std::array<E, 2>>();
  expect_readable_from_all_origins<std::pair<int, E>>();
  expect_readable_from_all_origins<std::tuple<E, int>>();
}

TEST(Audit, MakesPrivateStringsReadableInEveryContainer)
{
  expect_readable_from_all_origins<std::string>();
  expect_readable_in_all_containers<std::string>();
}

TEST(Audit, MakesPrivateVectorsReadableInEveryContainer)
{
  expect_readable_in_all_containers<std::vector<int>>();
}

TEST(Audit, MakesPrivateNestedMapsReadableInEveryContainer)
{
  expect_readable_in_all_containers<std::map<std::string, std::vector<std::string>>>();
}

TEST(Audit, MakesPrivateContainersOfScalarsReadable)
{
  expect_readable_from_all_origins<std::vector<bool>>();
  expect_readable_from_all_origins<std::deque<int>>();
  expect_readable_from_all_origins<std::list<int>>();
  expect_readable_from_all_origins<std::forward_list<int>>();
  expect_readable_from_all_origins<std::set<int>>();
  expect_readable_from_all_origins<std::set<std::string>>();
  expect_readable_from_all_origins<std::unordered_set<int>>();
  expect_readable_from_all_origins<std::unordered_set<std::string>>();
  expect_readable_from_all_origins<std::unordered_map<int, int>>();
}

struct Scan
{
  std::string frame_id;
  std::vector<float> ranges;
  std::map<std::string, std::vector<std::string>> notes;
};

TEST(Audit, LeavesAMessageAloneThatWasFilledInTheLoan)
{
  const auto moved = moved_when<Scan>(
    [](Publisher<Scan>&, ipc_shared_ptr<Scan>& scan) {
      scan->frame_id = text(1);
      scan->ranges.assign(1000, 2.5F);
      scan->notes["some"].push_back(text(2));
    },
    [](const Scan& scan) {
      return scan.frame_id == text(1) && scan.ranges == std::vector<float>(1000, 2.5F) &&
             scan.notes.at("some").at(0) == text(2);
    });
  EXPECT_EQ(moved, 0U);
}

TEST(Audit, CountsEachPartThatItMoves)
{
  const auto moved = moved_when<Scan>(
    [](Publisher<Scan>& publisher, ipc_shared_ptr<Scan>& scan) {
      scan.reset();
      std::string frame_id = text(1);
      std::vector<float> ranges(1000, 2.5F);
      std::map<std::string, std::vector<std::string>> notes;
      notes[text(3)] = {text(4), text(5)};
      scan = publisher.borrow_loaned_message();
      scan->frame_id = std::move(frame_id);
      scan->ranges = std::move(ranges);
      scan->notes = std::move(notes);
    },
    [](const Scan& scan) {
      return scan.frame_id == text(1) && scan.ranges.size() == 1000 &&
             scan.notes.at(text(3)) == std::vector<std::string>{text(4), text(5)};
    });
  // The frame, the ranges, the map's nodes, its key, its vector, and two texts in that. What a move
  // constructor carried over into a moved node is looked at again.
  EXPECT_EQ(moved, 7U);
}

TEST(Audit, RefusesInsteadIfAskedTo)
{
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    PublisherOptions options;
    options.audit = Audit::refuse;
    const auto publisher = node->create_publisher<Scan>("/audited", QoS(4), options);
    std::vector<float> ranges(1000, 2.5F);
    auto scan = publisher->borrow_loaned_message();
    scan->ranges = std::move(ranges);
    require(publisher->publish(std::move(scan)) == PublishStatus::refused, "it is refused");
    require(static_cast<bool>(scan), "the message is kept");  // NOLINT(bugprone-use-after-move)
    require(scan->ranges.size() == 1000, "with all that is in it");
    scan->ranges = std::vector<float>(500, 1.F);
    require(publisher->publish(std::move(scan)) == PublishStatus::published, "now it is not");
    require(publisher->moved_count() == 0, "nothing was moved");
    channel.say("done");
  });
  EXPECT_EQ(writer.hear(), "done");
  EXPECT_EQ(writer.wait(), 0);
}

struct WithPointer
{
  const int* number;
};

TEST(Audit, RefusesARawPointerIntoPrivateMemory)
{
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<WithPointer>("/audited", QoS(4));
    auto message = publisher->borrow_loaned_message();
    const int number = 5;
    message->number = &number;
    require(publisher->publish(std::move(message)) == PublishStatus::refused, "it is refused");
    message->number = new int(6);
    require(publisher->publish(std::move(message)) == PublishStatus::published, "now it is not");
    channel.say("done");
  });
  EXPECT_EQ(writer.hear(), "done");
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

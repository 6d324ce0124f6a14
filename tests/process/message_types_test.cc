// What a message may be made of: each type is filled in one process and read in another, at the
// same addresses, down to every block that its containers own.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Addresses = std::vector<const void*>;

std::string text_of(const Addresses& addresses)
{
  std::string text;
  for (const void* address : addresses) {
    text += std::to_string(reinterpret_cast<std::uintptr_t>(address)) + " ";
  }
  return text;
}

template <class T>
using Fill = void (*)(T&);
/// Requires the content and says where its parts lie.
template <class T>
using Check = Addresses (*)(const T&);

template <class T>
std::string checked(const T& message, Check<T> check)
{
  Addresses addresses = check(message);
  addresses.push_back(&message);
  return text_of(addresses);
}

template <class T>
void publish_one(Channel& channel, Fill<T> fill, Check<T> check)
{
  const auto node = std::make_shared<Node>("writer");
  const auto publisher = node->create_publisher<T>("/types", QoS(1));
  {
    auto message = publisher->borrow_loaned_message();
    fill(*message);
    std::string addresses;
    {
      const PrivateHeapScope here;
      addresses = checked<T>(*message, check);
      for (const void* part : check(*message)) require(in_shared_heap(part), "in the shared heap");
    }
    publisher->publish(std::move(message));
    channel.say(addresses);
  }
  require(channel.hear() == "read", "the reader has read");
  require(eventually([&] { return publisher->retained_count() == 0; }), "the message is freed");
  channel.say("freed");
}

template <class T>
void take_one(Channel& channel, Check<T> check)
{
  const auto node = std::make_shared<Node>("reader");
  const auto subscription = node->create_subscription<T>("/types", QoS(1));
  WaitSet wait_set;
  wait_set.add(*subscription);
  channel.say("ready");
  const std::string expected = channel.hear().value_or("");
  require(wait_set.wait(patience), "a message comes");
  const auto message = subscription->take();
  require(static_cast<bool>(message), "the message can be taken");
  require(checked<T>(*message, check) == expected, "every part has the publisher's address");
  channel.say("same");
}

template <class T>
void is_read_in_place(Fill<T> fill, Check<T> check)
{
  Process reader([=](Channel& channel) { take_one<T>(channel, check); });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([=](Channel& channel) { publish_one<T>(channel, fill, check); });
  reader.say(writer.hear());
  ASSERT_EQ(reader.hear(), "same");
  EXPECT_EQ(reader.wait(), 0);
  writer.say("read");
  EXPECT_EQ(writer.hear(), "freed");
  EXPECT_EQ(writer.wait(), 0);
}

const std::string long_text = "a text that is too long for the small buffer of a std::string";

TEST(MessageTypes, AString)
{
  is_read_in_place<std::string>([](std::string& m) { m = long_text; },
                                [](const std::string& m) -> Addresses {
                                  require(m == long_text, "text");
                                  return {m.data()};
                                });
}

struct Sequences
{
  std::vector<int> vector;
  std::deque<int> deque;
  std::list<std::string> list;
  std::vector<bool> bits;
};

TEST(MessageTypes, VectorDequeListAndVectorOfBool)
{
  is_read_in_place<Sequences>(
    [](Sequences& m) {
      for (int i = 0; i < 1000; ++i) {
        m.vector.push_back(i);
        m.deque.push_front(i);
        m.bits.push_back(i % 3 == 0);
      }
      for (int i = 0; i < 50; ++i) m.list.push_back(long_text + std::to_string(i));
    },
    [](const Sequences& m) -> Addresses {
      Addresses found{m.vector.data()};
      require(m.vector.size() == 1000 && m.deque.size() == 1000 && m.bits.size() == 1000, "sizes");
      for (std::size_t i = 0; i < 1000; ++i) {
        require(m.vector[i] == static_cast<int>(i), "vector");
        require(m.deque[i] == 999 - static_cast<int>(i), "deque");
        require(m.bits[i] == (i % 3 == 0), "bits");
        found.push_back(&m.deque[i]);
      }
      int i = 0;
      for (const std::string& item : m.list) {
        require(item == long_text + std::to_string(i++), "list");
        found.insert(found.end(), {&item, item.data()});
      }
      require(i == 50, "list size");
      return found;
    });
}

struct Associations
{
  std::map<std::string, double> map;
  std::unordered_map<std::string, std::vector<int>> hashed;
  std::set<int> set;
};

TEST(MessageTypes, MapUnorderedMapAndSet)
{
  is_read_in_place<Associations>(
    [](Associations& m) {
      for (int i = 0; i < 300; ++i) {
        m.map[long_text + std::to_string(i)] = i * 0.5;
        m.hashed[std::to_string(i)] = {i, i + 1};
        m.set.insert(i * i);
      }
    },
    [](const Associations& m) -> Addresses {
      require(m.map.size() == 300 && m.hashed.size() == 300 && m.set.size() == 300, "sizes");
      Addresses found;
      for (int i = 0; i < 300; ++i) {
        const auto& item = *m.map.find(long_text + std::to_string(i));
        const auto& hashed = *m.hashed.find(std::to_string(i));
        require(item.second == i * 0.5, "map");
        require(hashed.second == std::vector<int>({i, i + 1}), "unordered_map");
        found.insert(found.end(), {&item, item.first.data(), &hashed, hashed.second.data(),
                                   &*m.set.find(i * i)});
      }
      return found;
    });
}

struct Choices
{
  std::optional<std::string> present;
  std::optional<std::string> absent;
  std::variant<int, std::string, std::vector<double>> variant;
  std::array<std::string, 3> array;
  std::pair<std::string, std::vector<int>> pair;
  std::tuple<int, std::string, std::map<int, int>> tuple;
  std::unique_ptr<std::vector<std::string>> owned;
};

TEST(MessageTypes, OptionalVariantArrayPairTupleAndUniquePtr)
{
  is_read_in_place<Choices>(
    [](Choices& m) {
      m.present = long_text;
      m.variant = std::vector<double>(100, 2.5);
      m.array[2] = long_text + "2";
      m.pair = {long_text, {1, 2, 3}};
      m.tuple = {5, long_text, {{6, 7}}};
      m.owned = std::make_unique<std::vector<std::string>>(10, long_text);
    },
    [](const Choices& m) -> Addresses {
      const auto& numbers = std::get<std::vector<double>>(m.variant);
      require(m.present == long_text && !m.absent, "optional");
      require(numbers == std::vector<double>(100, 2.5), "variant");
      require(m.array[2] == long_text + "2" && m.array[0].empty(), "array");
      require(m.pair.first == long_text && m.pair.second == std::vector<int>({1, 2, 3}), "pair");
      require(std::get<0>(m.tuple) == 5 && std::get<2>(m.tuple).at(6) == 7, "tuple");
      require(*m.owned == std::vector<std::string>(10, long_text), "unique_ptr");
      return {m.present->data(),
              numbers.data(),
              m.array[2].data(),
              m.pair.second.data(),
              m.owned.get(),
              m.owned->data(),
              std::get<1>(m.tuple).data(),
              &std::get<2>(m.tuple).at(6)};
    });
}

struct Inner
{
  std::string name;
  std::vector<std::array<float, 3>> points;
};
struct Outer
{
  Inner first;
  std::vector<Inner> more;
  std::vector<Outer> children;
};

TEST(MessageTypes, NestedAndRecursiveStructs)
{
  is_read_in_place<Outer>(
    [](Outer& m) {
      m.first = {long_text, {{1, 2, 3}}};
      m.more.resize(5, m.first);
      m.children.resize(2);
      m.children[1].first.name = long_text + "child";
    },
    [](const Outer& m) -> Addresses {
      require(m.more.size() == 5 && m.more[4].points.at(0)[2] == 3, "nested");
      require(m.children.at(1).first.name == long_text + "child", "recursive");
      return {m.more.data(), m.more[4].name.data(), m.more[4].points.data(), m.children.data(),
              m.children[1].first.name.data()};
    });
}

using Maps = std::vector<std::map<std::string, std::vector<double>>>;

TEST(MessageTypes, AVectorOfMapsOfStringsToVectors)
{
  is_read_in_place<Maps>(
    [](Maps& m) {
      m.resize(20);
      for (std::size_t i = 0; i < m.size(); ++i) {
        for (std::size_t k = 0; k <= i; ++k)
          m[i][long_text + std::to_string(k)].assign(k + 1, 0.25);
      }
    },
    [](const Maps& m) -> Addresses {
      require(m.size() == 20, "size");
      Addresses found{m.data()};
      for (std::size_t i = 0; i < m.size(); ++i) {
        require(m[i].size() == i + 1, "map size");
        for (std::size_t k = 0; k <= i; ++k) {
          const auto& item = *m[i].find(long_text + std::to_string(k));
          require(item.second == std::vector<double>(k + 1, 0.25), "numbers");
          found.insert(found.end(), {item.first.data(), item.second.data()});
        }
      }
      return found;
    });
}

}  // namespace
}  // namespace agnocast::test

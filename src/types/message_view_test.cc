// Walks over real objects, and over damaged ones.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/message_view.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "agnocast/error.hpp"
#include "agnocast/message_text.hpp"
#include "types/test_arena.hpp"
#include "types/test_messages.hpp"

namespace agnocast {
namespace {

using internal::ArenaScope;
using internal::TestArena;
using test_message::Everything;

constexpr std::size_t arena_bytes = std::size_t{1} << 22;

/// A message with all that it owns in one range; not destroyed, its memory goes as a whole.
template <class T>
class InArena
{
 public:
  template <class Fill>
  explicit InArena(Fill&& give) : arena_(arena_bytes)
  {
    const ArenaScope scope(arena_);
    message_ = new T();
    give(*message_);
  }
  [[nodiscard]] MessageView view() const
  {
    return {type_description<T>(), message_, arena_.range()};
  }
  T& operator*() { return *message_; }
  T* operator->() { return message_; }
  TestArena& arena() { return arena_; }

 private:
  TestArena arena_;
  T* message_ = nullptr;
};

InArena<Everything> everything(int count)
{
  return InArena<Everything>([&](Everything& e) { test_message::give_values(e, count); });
}

template <class T>
std::string yaml(const T& object)
{
  return to_yaml({type_description<T>(), &object, MemoryRange::anywhere()});
}

TEST(MessageView, FindsNothingWrongWithRealObjects)
{
  for (const int count : {0, 1, 2, 3, 7, 43, 64, 200}) {
    const auto message = everything(count);
    EXPECT_EQ(verify(message.view()).value_or(""), "") << count;
    MessageVisitor all;
    EXPECT_EQ(walk(message.view(), all).value_or(""), "") << count;
  }
}

TEST(MessageView, NamesThePartThatPointsElsewhere)
{
  struct Named
  {
    std::string name;
  };
  struct Message
  {
    std::vector<Named> points;
    std::map<std::string, std::vector<int>> channels;
  };
  InArena<Message> message([](Message& m) {
    m.points.resize(5);
    m.channels["a"] = {1};
    m.channels["b"] = {1};
  });
  ASSERT_EQ(verify(message.view()), std::nullopt);
  std::vector<int> elsewhere(100, 1);
  message->channels["b"].swap(elsewhere);
  EXPECT_EQ(verify(message.view()), "channels[1].value: points outside of the sender's memory");
  std::string name(100, 'x');
  message->points[3].name.swap(name);
  EXPECT_EQ(verify(message.view()), "points[3].name: points outside of the sender's memory");
  MessageVisitor all;
  EXPECT_EQ(walk(message.view(), all), verify(message.view()));
  message->points[3].name.swap(name);
  message->channels["b"].swap(elsewhere);
}

TEST(MessageView, EndsWhereListsLeadInACircle)
{
  struct Node
  {
    std::unique_ptr<Node> next;
  };
  InArena<Node> message([](Node& node) { node.next = std::make_unique<Node>(); });
  std::memcpy(static_cast<void*>(&message->next->next), &message->next, sizeof(void*));
  EXPECT_NE(verify(message.view()), std::nullopt);

  InArena<std::forward_list<int>> list([](auto& l) { l = {1, 2, 3}; });
  void* const second = *reinterpret_cast<void**>(*reinterpret_cast<void**>(&*list));
  *reinterpret_cast<void**>(second) = second;
  EXPECT_EQ(verify(list.view()),
            "the message leads in a circle, or to the same memory more than once");
}

TEST(MessageView, PassesOverPlainElements)
{
  struct Message
  {
    std::vector<test_message::Point> points;
  };
  InArena<Message> message([](Message& m) { m.points.resize(100'000); });
  const MessageVerifier verifier(type_description<Message>());
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(verifier.verify(&*message, message.arena().range()), std::nullopt);
  }
  // 10^8 points one by one would take longer than a tenth of a second.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100));
}

// What is passed as fine must also be fine for code of the C++ type, which reads it afterwards.
TEST(MessageView, SurvivesEveryDamageOfAMessage)
{
  auto message = everything(6);
  const std::vector<std::byte> whole(message.arena().begin(),
                                     message.arena().begin() + message.arena().used());
  const MessageVerifier verifier(type_description<Everything>());
  std::mt19937 random(1);
  int fine = 0;
  const int rounds = 20'000;
  for (int round = 0; round < rounds; ++round) {
    for (unsigned flips = 1 + random() % 4; flips != 0; --flips) {
      std::byte& byte = message.arena().begin()[random() % whole.size()];
      byte = random() % 2 == 0 ? static_cast<std::byte>(random())
                               : byte ^ static_cast<std::byte>(1U << random() % 8);
    }
    try {
      static_cast<void>(to_yaml(message.view()));
    } catch (const Error&) {
    }
    if (!verifier.verify(&*message, message.arena().range())) {
      ++fine;
      const Everything copy_of_parts = [&] {
        Everything copy;
        for (const auto& channel : message->channels) copy.text += channel.first;
        copy.lines = message->lines;
        copy.forward = message->forward;
        copy.by_name = message->by_name;
        copy.by_number = message->by_number;
        copy.many = message->many;
        copy.tree = message->tree;
        copy.list = message->list;
        copy.levels = message->levels;
        return copy;
      }();
      static_cast<void>(message->by_name.count("a"));
      static_cast<void>(message->by_number.count(17));
      static_cast<void>(message->channels.count("aaaaaaa1"));
    }
    std::memcpy(message.arena().begin(), whole.data(), whole.size());
  }
  EXPECT_GT(fine, 0);
  EXPECT_LT(fine, rounds);
}

TEST(MessageView, SurvivesASenderThatWritesMeanwhile)
{
  auto message = everything(20);
  std::byte* const bytes = message.arena().begin();
  const std::size_t count = message.arena().used();
  const MessageView view = message.view();
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    std::mt19937 random(2);
    const std::vector<std::byte> whole(bytes, bytes + count);
    while (!stop) {
      const std::size_t at = random() % (count / 8) * 8;
      const std::uint64_t other = reinterpret_cast<std::uint64_t>(bytes) + random() % count;
      std::uint64_t right = 0;
      std::memcpy(&right, &whole[at], 8);
      auto* const word = reinterpret_cast<volatile std::uint64_t*>(bytes + at);
      *word = other;
      *word = right;
    }
  });
  for (int i = 0; i < 300; ++i) {
    static_cast<void>(verify(view));
    try {
      static_cast<void>(to_json(view));
    } catch (const Error&) {
    }
  }
  stop = true;
  writer.join();
}

TEST(MessageView, SelectsAPart)
{
  auto message = everything(4);
  const auto at = [&](std::string_view path) {
    const MessageView part = select(message.view(), path);
    return part.address;
  };
  EXPECT_EQ(at(""), &*message);
  EXPECT_EQ(at("points[2].y"), &message->points[2].y);
  EXPECT_EQ(at("matrix[1][2]"), &message->matrix[1][2]);
  EXPECT_EQ(at("queue[1].x"), &message->queue[1].x);
  EXPECT_EQ(at("list[3]"), &message->list.back());
  EXPECT_EQ(at("channels[aaaaaaa1][0].x"), &message->channels["aaaaaaa1"][0]->x);
  EXPECT_EQ(at("levels[high]"), &message->levels.find(test_message::Level::high)->second);
  EXPECT_EQ(at("by_number[17]"), &message->by_number[17]);
  EXPECT_EQ(at("owned.z"), &message->owned->z);
  EXPECT_EQ(at("tree.children[1].name"), &message->tree.children[1].name);
  EXPECT_EQ(at("tuple.1"), &std::get<1>(message->tuple));
  for (const char* wrong :
       {"pionts", "points[4]", "points[", "points[x]", "text.x", "by_number[18]", "bits[0]",
        "channels[aaaaaaa1][1].x", "points[-1]", "points..x", ".text", "points[2]y.z"}) {
    EXPECT_THROW((void)select(message.view(), wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace agnocast

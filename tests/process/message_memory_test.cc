// Where a message's memory comes from and that it goes: types without any of their own, std::pmr
// containers over the shared heap, and a message of one gibibyte.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

template <class T>
ipc_shared_ptr<const T> wait_and_take(Subscription<T>& subscription)
{
  WaitSet wait_set;
  wait_set.add(subscription);
  require(wait_set.wait(patience), "a message comes");
  auto message = subscription.take();
  require(static_cast<bool>(message), "the message can be taken");
  return message;
}

std::string text_of(const void* address)
{
  return std::to_string(reinterpret_cast<std::uintptr_t>(address));
}

template <class T>
void comes_at_the_same_address(void (*fill)(T&), void (*check)(const T&))
{
  Process reader([=](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<T>("/plain", QoS(1));
    channel.say("ready");
    const auto message = wait_and_take(*subscription);
    check(*message);
    channel.say(text_of(message.get()));
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([=](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<T>("/plain", 1);
    auto message = publisher->borrow_loaned_message();
    fill(*message);
    const std::string address = text_of(message.get());
    publisher->publish(std::move(message));
    channel.say(address);
    channel.hear();
  });
  const std::string address = writer.hear();
  EXPECT_EQ(reader.hear(), address);
  EXPECT_EQ(reader.wait(), 0);
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(PlainMessage, AnInt)
{
  comes_at_the_same_address<int>([](int& m) { m = -42; },
                                 [](const int& m) { require(m == -42, "value"); });
}

struct Pod
{
  double position[3];
  std::uint8_t flags;
  alignas(256) std::int64_t stamp;
};

TEST(PlainMessage, AStructWithAStrictAlignment)
{
  comes_at_the_same_address<Pod>(
    [](Pod& m) {
      m = {{1.5, 2.5, 3.5}, 7, 1234567890123};
    },
    [](const Pod& m) {
      require(m.position[2] == 3.5 && m.flags == 7 && m.stamp == 1234567890123, "values");
      require(reinterpret_cast<std::uintptr_t>(&m) % 256 == 0, "alignment");
    });
}

struct Empty
{
};

TEST(PlainMessage, AnEmptyStruct)
{
  comes_at_the_same_address<Empty>([](Empty&) {}, [](const Empty&) {});
}

struct Pmr
{
  std::pmr::vector<std::pmr::string> texts{shared_memory_resource()};
  std::pmr::vector<double> numbers{shared_memory_resource()};
};

TEST(MessageMemory, PmrContainersOverTheSharedHeapAreReadInPlace)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Pmr>("/pmr", QoS(1));
    channel.say("ready");
    const auto message = wait_and_take(*subscription);
    require(message->texts.size() == 200, "size");
    for (std::size_t i = 0; i < 200; ++i) {
      require(message->texts[i] == std::string(i, 'x').c_str(), "texts");
    }
    require(message->numbers == std::pmr::vector<double>(5000, 0.125), "numbers");
    channel.say(text_of(&message->texts[199]) + text_of(message->texts[199].data()) +
                text_of(message->numbers.data()));
    channel.hear();
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    PublisherOptions options;
    options.require_hook = false;
    const auto publisher = node->create_publisher<Pmr>("/pmr", 1, options);
    auto message = publisher->borrow_loaned_message();
    {
      const PrivateHeapScope only_the_resource_may_use_the_shared_heap;
      for (std::size_t i = 0; i < 200; ++i) message->texts.emplace_back(std::string(i, 'x'));
      message->numbers.assign(5000, 0.125);
    }
    require(in_shared_heap(message->texts.data()), "texts are shared");
    require(in_shared_heap(message->texts[199].data()), "each text is shared");
    require(in_shared_heap(message->numbers.data()), "numbers are shared");
    const std::string addresses = text_of(&message->texts[199]) +
                                  text_of(message->texts[199].data()) +
                                  text_of(message->numbers.data());
    publisher->publish(std::move(message));
    channel.say(addresses);
    channel.hear();
  });
  const std::string addresses = writer.hear();
  EXPECT_EQ(reader.hear(), addresses);
  reader.say("end");
  EXPECT_EQ(reader.wait(), 0);
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(MessageMemory, TheSharedResourceServesEverySizeAndAlignment)
{
  Process process([](Channel& channel) {
    std::pmr::memory_resource* const resource = shared_memory_resource();
    for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
      for (const std::size_t size : {1u, 63u, 4096u, 3'000'000u}) {
        auto* const block = static_cast<char*>(resource->allocate(size, alignment));
        require(in_shared_heap(block), "in the shared heap");
        require(reinterpret_cast<std::uintptr_t>(block) % alignment == 0, "aligned");
        block[0] = block[size - 1] = 'x';
        resource->deallocate(block, size, alignment);
      }
    }
    require(shared_heap_statistics().used_bytes < 100'000, "all is freed");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

constexpr std::size_t gibibyte = std::size_t{1} << 30;
constexpr std::size_t stride = (std::size_t{1} << 20) + 4099;  // a sparse look over all of it

std::uint8_t value_at(std::size_t i)
{
  return static_cast<std::uint8_t>(i * 31 + 7);
}

TEST(MessageMemory, AMessageOfOneGibibyteIsReadInPlaceAndFreed)
{
  using Bytes = std::vector<std::uint8_t>;
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Bytes>("/gibibyte", QoS(1));
    channel.say("ready");
    for (int round = 0; round < 2; ++round) {
      const auto message = wait_and_take(*subscription);
      require(message->size() == gibibyte, "size");
      for (std::size_t i = 0; i < gibibyte; i += stride) {
        require(message->data()[i] == value_at(i), "content");
      }
      require(message->front() == value_at(0) && message->back() == value_at(gibibyte - 1), "ends");
      channel.say(text_of(message->data()));
    }
    channel.hear();
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Bytes>("/gibibyte", 1);
    for (int round = 0; round < 2; ++round) {
      auto message = publisher->borrow_loaned_message();
      message->resize(gibibyte);
      for (std::size_t i = 0; i < gibibyte; i += stride) (*message)[i] = value_at(i);
      message->back() = value_at(gibibyte - 1);
      const void* const data = message->data();
      require(shared_heap_statistics().used_bytes >= gibibyte, "counted as used");
      publisher->publish(std::move(message));
      channel.say(text_of(data));
      require(eventually([&] { return publisher->retained_count() == 0; }), "read and freed");
      require(shared_heap_statistics().used_bytes < gibibyte / 100, "its memory is free");
      require(shared_heap_statistics().secured_bytes < gibibyte * 5 / 4, "and is used again");
    }
    channel.say("freed");
    channel.hear();
  });
  for (int round = 0; round < 2; ++round) {
    const std::string address = writer.hear();
    EXPECT_EQ(reader.hear(), address);
  }
  EXPECT_EQ(writer.hear(), "freed");
  for (Process* process : {&reader, &writer}) {
    process->say("end");
    EXPECT_EQ(process->wait(), 0);
    const std::string area = "shm:agnocast@" + std::to_string(process->pid()) + "\n";
    EXPECT_EQ(shared_objects().find(area), std::string::npos) << "its area is gone";
  }
}

}  // namespace
}  // namespace agnocast::test

// Messages that are larger, or deeper, than a thread's stack.
//
// Compiled without optimization, where the compiler keeps every object that the source names.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <pthread.h>

#include <agnocast/agnocast.hpp>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

/// Runs `body` in a process, on a thread with a stack of that size.
void runs_on_a_stack_of(std::size_t stack_bytes, const std::function<void()>& body)
{
  Process process([&](Channel& channel) {
    struct Job
    {
      const std::function<void()>& body;
      std::string error;
    };
    Job job{body, "done"};
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    require(::pthread_attr_setstacksize(&attributes, stack_bytes) == 0, "the stack has a size");
    pthread_t thread{};
    const auto run = [](void* given) -> void* {
      Job& own = *static_cast<Job*>(given);
      try {
        own.body();
      } catch (const std::exception& error) {
        own.error = error.what();
      }
      return nullptr;
    };
    require(::pthread_create(&thread, &attributes, run, &job) == 0, "a thread");
    ::pthread_join(thread, nullptr);
    channel.say(job.error);
  });
  EXPECT_EQ(process.hear(2 * patience), "done");
  EXPECT_EQ(process.wait(), 0);
}

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t small_stack = std::size_t{2} << 20;  // its frames are larger
#else
constexpr std::size_t small_stack = std::size_t{256} << 10;
#endif

struct Image
{
  std::uint64_t number;
  std::array<std::uint8_t, 3840 * 2160 * 3> pixels;
};

struct Stereo
{
  std::pair<Image, std::uint64_t> left;
  std::tuple<std::uint64_t, Image> right;
  std::uint64_t number;
};

template <class T>
void is_published_and_taken()
{
  const auto node = std::make_shared<Node>("node");
  const auto publisher = node->create_publisher<T>("/large", 1);
  const auto subscription = node->create_subscription<T>("/large", QoS(1));
  auto message = publisher->borrow_loaned_message();
  message->number = 7;
  publisher->publish(std::move(message));
  require(subscription->take()->number == 7, "it arrived");
}

TEST(LargeMessage, OfAFixedSizeAboveTheStacksIsPublishedAndTaken)
{
  runs_on_a_stack_of(small_stack, is_published_and_taken<Image>);
}

TEST(LargeMessage, OfPairsAndTuplesAboveTheStacksSizeIsPublishedAndTaken)
{
  runs_on_a_stack_of(small_stack, is_published_and_taken<Stereo>);
}

struct Link
{
  std::uint64_t number;
  std::unique_ptr<Link> next;
};

/// Its destructor is no recursion, as it must not be for a chain of that length.
struct Chain
{
  std::unique_ptr<Link> first;
  ~Chain()
  {
    while (first) first = std::move(first->next);
  }
};

constexpr std::uint64_t chain_length = 1'000'000;

/// Puts `count` links before those that are there.
void lengthen(Chain& chain, std::uint64_t count)
{
  for (std::uint64_t i = 0; i < count; ++i) {
    auto link = std::make_unique<Link>();
    link->number = chain.first ? chain.first->number + 1 : 1;
    link->next = std::move(chain.first);
    chain.first = std::move(link);
  }
}

void require_shared_chain(const Chain& chain)
{
  std::uint64_t number = chain_length;
  for (const Link* link = chain.first.get(); link != nullptr; link = link->next.get()) {
    if (link->number != number-- || !in_shared_heap(link))
      require(false, "link after link is there");
  }
  require(number == 0, "all of them");
}

TEST(DeepMessage, OfAMillionPartsWithinEachOtherIsAuditedAndArrives)
{
  runs_on_a_stack_of(small_stack, [] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Chain>("/deep", 1);
    const auto subscription = node->create_subscription<Chain>("/deep", QoS(1));
    auto message = publisher->borrow_loaned_message();
    lengthen(*message, chain_length);
    require(publisher->publish(std::move(message)) == PublishStatus::published, "published");
    require(publisher->moved_count() == 0, "all of it was shared");
    require_shared_chain(*subscription->take());
  });
}

TEST(DeepMessage, OfPrivatePartsFarInsideIsMovedOrRefusedAsAWhole)
{
  runs_on_a_stack_of(small_stack, [] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Chain>("/deep", 1);
    const auto subscription = node->create_subscription<Chain>("/deep", QoS(1));
    PublisherOptions options;
    options.audit = Audit::refuse;
    const auto strict = node->create_publisher<Chain>("/strict", 1, options);
    constexpr std::uint64_t in_private = 1'000;
    for (Publisher<Chain>* to : {publisher.get(), strict.get()}) {
      Chain chain;
      lengthen(chain, in_private);
      auto message = to->borrow_loaned_message();
      message->first = std::move(chain.first);
      lengthen(*message, chain_length - in_private);
      const auto wanted = to == strict.get() ? PublishStatus::refused : PublishStatus::published;
      require(to->publish(std::move(message)) == wanted, "published or refused");
    }
    require(publisher->moved_count() == in_private, "those that were not shared were moved");
    require_shared_chain(*subscription->take());
  });
}

struct Tree
{
  std::uint64_t number = 0;
  std::vector<Tree> branches;
};

std::uint64_t sum_of(const Tree& tree)
{
  std::uint64_t sum = 0;
  std::vector<const Tree*> waiting{&tree};
  while (!waiting.empty()) {
    const Tree& next = *waiting.back();
    waiting.pop_back();
    require(next.branches.empty() || in_shared_heap(next.branches.data()), "it is shared");
    sum += next.number;
    for (const Tree& branch : next.branches) waiting.push_back(&branch);
  }
  return sum;
}

TEST(DeepMessage, OfContainersInContainersIsMovedWhereverItWasPrivate)
{
  runs_on_a_stack_of(small_stack, [] {
    constexpr std::uint64_t depth = 200;
    Tree made_before;
    Tree* end = &made_before;
    for (std::uint64_t i = 1; i <= depth; ++i) {
      end->branches.resize(3);
      for (Tree& branch : end->branches) branch.number = i;
      end = &end->branches[i % 3];
    }
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Tree>("/tree", 1);
    const auto subscription = node->create_subscription<Tree>("/tree", QoS(1));
    auto message = publisher->borrow_loaned_message();
    *message = std::move(made_before);
    publisher->publish(std::move(message));
    require(publisher->moved_count() == depth, "each vector was moved once");
    require(sum_of(*subscription->take()) == 3 * depth * (depth + 1) / 2, "all branches are there");
  });
}

}  // namespace
}  // namespace agnocast::test

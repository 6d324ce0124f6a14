// Loans and threads: a loan that moves, workers that help to fill it, and what stays private.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Texts = std::vector<std::string>;

std::string text_of(std::size_t i)
{
  return "a text that does not fit into the string object, number " + std::to_string(i);
}

bool new_memory_is_shared()
{
  const auto block = std::make_unique<std::vector<char>>(1000);
  return in_shared_heap(block.get()) && in_shared_heap(block->data());
}

void fill(Texts& message, std::size_t count)
{
  for (std::size_t i = 0; i < count; ++i) message.push_back(text_of(i));
}

// A template: a lambda that owns a loan cannot be copied, so it is no std::function.
template <class Body>
void run_in_thread(Body&& body)
{
  std::exception_ptr thrown;
  std::thread thread([&] {
    try {
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

/// Runs `body` as the publisher of /texts; another process must read `count` messages of 50 texts.
void publishes(const std::function<void(Publisher<Texts>&)>& body, int count)
{
  Process reader([&](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto subscription = node->create_subscription<Texts>("/texts", QoS(1000));
    WaitSet wait_set;
    wait_set.add(*subscription);
    channel.say("ready");
    for (int left = count; left > 0; --left) {
      require(wait_set.wait(patience), "a message comes");
      const auto message = subscription->take();
      require(message->size() == 50, "size");
      for (std::size_t i = 0; i < 50; ++i) require((*message)[i] == text_of(i), "content");
    }
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([&](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Texts>("/texts", 10);
    body(*publisher);
    require(!new_memory_is_shared(), "no loan is open any more");
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "published");
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

TEST(Loan, MovedToAnotherThreadTakesItsWindowAlong)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      auto message = publisher.borrow_loaned_message();
      fill(*message, 10);
      run_in_thread([&publisher, moved = std::move(message)]() mutable {
        require(!new_memory_is_shared(), "closed here until the loan is used");
        for (std::size_t i = 10; i < 50; ++i) moved->push_back(text_of(i));
        require(new_memory_is_shared(), "open here now");
        require(in_shared_heap(moved->data()) && in_shared_heap(moved->back().data()), "shared");
        publisher.publish(std::move(moved));
        require(!new_memory_is_shared(), "closed here");
      });
      require(!new_memory_is_shared(), "and closed where it came from");
    },
    1);
}

TEST(Loan, MayBePublishedOrDroppedByAThreadThatNeverLookedIntoIt)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      auto message = publisher.borrow_loaned_message();
      auto dropped = publisher.borrow_loaned_message();
      fill(*message, 50);
      fill(*dropped, 50);
      run_in_thread([&] { publisher.publish(std::move(message)); });
      require(new_memory_is_shared(), "the other loan is still open");
      run_in_thread([&] { dropped.reset(); });
      require(!new_memory_is_shared(), "its window is closed from afar");
    },
    1);
}

TEST(Loan, OutlivesTheThreadThatBorrowedIt)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      for (int round = 0; round < 20; ++round) {
        ipc_shared_ptr<Texts> message;
        run_in_thread([&] {
          message = publisher.borrow_loaned_message();
          fill(*message, 25);
        });
        require(!new_memory_is_shared(), "not open here yet");
        for (std::size_t i = 25; i < 50; ++i) message->push_back(text_of(i));
        publisher.publish(std::move(message));
      }
    },
    20);
}

TEST(Loan, ManyThreadsFillAndPublishOnOnePublisherAtOnce)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      std::vector<std::thread> threads;
      for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < 100; ++i) {
            auto message = publisher.borrow_loaned_message();
            fill(*message, 50);
            publisher.publish(std::move(message));
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    },
    800);
}

TEST(SharedHeapScope, LetsWorkersHelpToFillAMessage)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      auto message = publisher.borrow_loaned_message();
      message->resize(50);
      Texts& content = *message;
      for (std::size_t worker = 0; worker < 5; ++worker) {
        run_in_thread([&content, worker] {
          require(!new_memory_is_shared(), "private before the scope");
          {
            const SharedHeapScope shared;
            const SharedHeapScope nested;
            for (std::size_t i = worker; i < 50; i += 5) content[i] = text_of(i);
            require(in_shared_heap(content[worker].data()), "in the shared heap");
          }
          require(!new_memory_is_shared(), "private after the scope");
        });
      }
      publisher.publish(std::move(message));
    },
    1);
}

TEST(SharedHeapScope, JoinsTheDomainByItself)
{
  Process process([](Channel& channel) {
    require(shared_heap_statistics().limit_bytes == 0, "not joined yet");
    {
      const SharedHeapScope shared;
      require(new_memory_is_shared(), "shared");
    }
    require(shared_heap_statistics().limit_bytes != 0, "joined");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(PrivateHeapScope, KeepsCachesAndLogsOutOfSharedMemory)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      auto message = publisher.borrow_loaned_message();
      Texts log;
      {
        const PrivateHeapScope here;
        log.push_back(text_of(0));
        require(!in_shared_heap(log[0].data()) && !new_memory_is_shared(), "private");
        {
          const SharedHeapScope shared;  // as a loan: it does not end the private scope
          require(!new_memory_is_shared(), "private");
          const PrivateHeapScope nested;
          require(!new_memory_is_shared(), "private twice");
        }
        require(!new_memory_is_shared(), "private still");
      }
      require(new_memory_is_shared(), "the loan is open");
      fill(*message, 50);
      publisher.publish(std::move(message));
      const PrivateHeapScope without_loan;
      require(!new_memory_is_shared(), "private without a loan as well");
    },
    1);
}

TEST(PrivateHeapScope, EndsInTheOrderThatScopesDoAlthoughALoanEndsWithin)
{
  publishes(
    [](Publisher<Texts>& publisher) {
      auto message = publisher.borrow_loaned_message();
      fill(*message, 50);
      {
        const PrivateHeapScope here;
        publisher.publish(std::move(message));
        require(!new_memory_is_shared(), "private");
      }
      require(!new_memory_is_shared(), "the loan ended within the scope");
    },
    1);
}

}  // namespace
}  // namespace agnocast::test

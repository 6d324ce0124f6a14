// Loans: several at once, nested, dropped, and used in ways the contract forbids.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Bytes = std::vector<char>;

bool new_memory_is_shared()
{
  const auto block = std::make_unique<Bytes>(1000);
  return in_shared_heap(block.get()) && in_shared_heap(block->data());
}

/// Throws unless `use` throws a UsageError whose text contains `part`.
void refused(const std::function<void()>& use, const std::string& part)
{
  try {
    use();
  } catch (const UsageError& error) {
    require(std::string(error.what()).find(part) != std::string::npos,
            "'" + std::string(error.what()) + "' speaks of '" + part + "'");
    return;
  }
  require(false, "a UsageError about '" + part + "'");
}

/// Runs `body` as the publisher of /a and /b; another process must read `from_a` and `from_b`.
void publishes(const std::function<void(Publisher<Bytes>&, Publisher<Bytes>&)>& body,
               const std::vector<std::string>& from_a, const std::vector<std::string>& from_b)
{
  Process reader([&](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    const auto a = node->create_subscription<Bytes>("/a", QoS(20));
    const auto b = node->create_subscription<Bytes>("/b", QoS(20));
    channel.say("ready");
    channel.hear();
    const auto read = [](Subscription<Bytes>& subscription, const std::vector<std::string>& texts) {
      for (const std::string& text : texts) {
        const auto message = subscription.take();
        require(static_cast<bool>(message), "'" + text + "' is there");
        require(std::string(message->begin(), message->end()) == text, "it says '" + text + "'");
      }
      require(!subscription.take(), "there is nothing more");
    };
    read(*a, from_a);
    read(*b, from_b);
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([&](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto a = node->create_publisher<Bytes>("/a", 20);
    const auto b = node->create_publisher<Bytes>("/b", 20);
    require(!new_memory_is_shared(), "no loan is open yet");
    body(*a, *b);
    require(!new_memory_is_shared(), "no loan is open any more");
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "published");
  reader.say("read");
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

void write(const ipc_shared_ptr<Bytes>& message, const std::string& text)
{
  message->assign(text.begin(), text.end());
  require(in_shared_heap(message->data()), "content is shared");
}

TEST(Loan, SeveralMayBeOpenAtOnceOnSeveralTopicsAndEndInAnyOrder)
{
  publishes(
    [](Publisher<Bytes>& a, Publisher<Bytes>& b) {
      std::vector<ipc_shared_ptr<Bytes>> loans;
      for (int i = 0; i < 6; ++i) {
        loans.push_back((i % 2 == 0 ? a : b).borrow_loaned_message());
      }
      for (std::size_t i = 0; i < 6; ++i) write(loans[i], "loan " + std::to_string(i));
      a.publish(std::move(loans[4]));
      require(new_memory_is_shared(), "others are still open");
      b.publish(std::move(loans[1]));
      a.publish(std::move(loans[0]));
      loans[2].reset();
      b.publish(std::move(loans[5]));
      require(new_memory_is_shared(), "one is still open");
      b.publish(std::move(loans[3]));
      require(!new_memory_is_shared(), "none is open");
    },
    {"loan 4", "loan 0"}, {"loan 1", "loan 5", "loan 3"});
}

TEST(Loan, MayBeNestedInTheFillingOfAnother)
{
  publishes(
    [](Publisher<Bytes>& a, Publisher<Bytes>& b) {
      auto outer = a.borrow_loaned_message();
      write(outer, "out");
      for (const char* text : {"first", "second"}) {
        auto inner = b.borrow_loaned_message();
        write(inner, text);
        b.publish(std::move(inner));
      }
      const std::string end(100, 'e');
      outer->insert(outer->end(), end.begin(), end.end());
      require(in_shared_heap(outer->data()), "the outer loan is still open");
      a.publish(std::move(outer));
    },
    {"out" + std::string(100, 'e')}, {"first", "second"});
}

TEST(Loan, ThatAnExceptionDropsClosesItsWindow)
{
  publishes(
    [](Publisher<Bytes>& a, Publisher<Bytes>& b) {
      const std::size_t used = shared_heap_statistics().used_bytes;
      for (int i = 0; i < 100; ++i) {
        try {
          auto outer = a.borrow_loaned_message();
          auto inner = b.borrow_loaned_message();
          inner->resize(100'000);
          outer->resize(100'000);
          throw std::runtime_error("while filling");
        } catch (const std::runtime_error&) {
          require(!new_memory_is_shared(), "the windows are closed");
        }
      }
      require(shared_heap_statistics().used_bytes < used + 100'000, "the memory is free again");
      auto message = a.borrow_loaned_message();
      write(message, "after");
      a.publish(std::move(message));
    },
    {"after"}, {});
}

struct ThrowsOnce
{
  ThrowsOnce()
  {
    text.assign(1000, 'x');
    if (thrown == 0 && ++thrown > 0) throw std::domain_error("constructor");
  }
  static inline int thrown = 0;
  std::string text;
};

TEST(Loan, OfATypeWhoseConstructorThrowsIsNoLoan)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<ThrowsOnce>("/throws", 1);
    const auto subscription = node->create_subscription<ThrowsOnce>("/throws", 1);
    bool thrown = false;
    try {
      const auto message = publisher->borrow_loaned_message();
    } catch (const std::domain_error&) {
      thrown = true;
    }
    require(thrown && !new_memory_is_shared(), "thrown, and its window is closed");
    publisher->publish(publisher->borrow_loaned_message());
    require(subscription->take()->text == std::string(1000, 'x'), "the next one works");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(Loan, ThatIsEmptyPublishedOrForeignIsRefusedAndAllElseGoesOn)
{
  publishes(
    [](Publisher<Bytes>& a, Publisher<Bytes>& b) {
      refused([&] { a.publish(nullptr); }, "/a");
      auto message = a.borrow_loaned_message();
      write(message, "one");
      refused([&] { b.publish(std::move(message)); }, "/a");
      require(static_cast<bool>(message), "a refused loan stays what it was");
      message->resize(1);
      require(new_memory_is_shared(), "and stays open");
      write(message, "two");
      a.publish(std::move(message));
      require(!message, "what was handed over is emptied");
      refused([&] { a.publish(std::move(message)); }, "empty");
      require(!new_memory_is_shared(), "the window is closed");
      message = a.borrow_loaned_message();
      write(message, "three");
      a.publish(std::move(message));
      message = b.borrow_loaned_message();
      write(message, "four");
      b.publish(std::move(message));
    },
    {"two", "three"}, {"four"});
}

// A loan has one owner, so nothing that could be looked at is left of it once it is published; a
// received message has as many as one likes. What stands here does not compile is what showed other
// messages, in silence, when it did.
using Borrowed = ipc_shared_ptr<Bytes>;
using Received = ipc_shared_ptr<const Bytes>;
static_assert(!std::is_copy_constructible_v<Borrowed> && !std::is_copy_assignable_v<Borrowed>);
static_assert(!std::is_constructible_v<Received, const Borrowed&>);
static_assert(!std::is_constructible_v<Received, Borrowed&>);
static_assert(!std::is_constructible_v<Received, Borrowed>);
static_assert(!std::is_assignable_v<Received&, const Borrowed&>);
static_assert(!std::is_assignable_v<Received&, Borrowed>);
static_assert(!std::is_constructible_v<std::shared_ptr<const Bytes>, Borrowed>);
static_assert(std::is_nothrow_move_constructible_v<Borrowed>);
static_assert(std::is_nothrow_move_assignable_v<Borrowed>);
static_assert(std::is_nothrow_copy_constructible_v<Received>);
static_assert(std::is_nothrow_copy_assignable_v<Received>);
static_assert(std::is_nothrow_move_constructible_v<Received>);
static_assert(!std::is_constructible_v<Borrowed, Received>);

TEST(Loan, IsMovedAndAReceivedMessageIsCopied)
{
  Process process([](Channel& channel) {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Bytes>("/a", 1);
    const auto subscription = node->create_subscription<Bytes>("/a", QoS(1));
    auto loan = publisher->borrow_loaned_message();
    const Bytes* const address = loan.get();
    Borrowed moved = std::move(loan);
    require(loan == nullptr && loan.use_count() == 0, "moved from");
    require(moved.get() == address && moved.use_count() == 1, "moved to");
    write(moved, "first");
    publisher->publish(std::move(moved));
    require(moved == nullptr && moved.use_count() == 0, "nothing is left of it");

    Received received = subscription->take();
    {
      const Received copy = received;
      require(received.use_count() == 2 && copy == received, "two");
    }
    require(received.use_count() == 1, "one");
    for (int i = 0; i < 40; ++i) {
      auto other = publisher->borrow_loaned_message();
      write(other, "other " + std::to_string(i));
      publisher->publish(std::move(other));
    }
    require(std::string(received->begin(), received->end()) == "first", "as it was published");
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

TEST(HoldLimit, ATakePastItSaysSoAndWorksAfterARelease)
{
  Process reader([](Channel& channel) {
    const auto node = std::make_shared<Node>("reader");
    SubscriptionOptions options;
    options.hold_limit = 3;
    const auto subscription = node->create_subscription<Bytes>("/a", QoS(10), options);
    channel.say("ready");
    channel.hear();
    std::vector<ipc_shared_ptr<const Bytes>> held;
    for (std::size_t i = 1; i <= 3; ++i) {
      held.push_back(subscription->take());
      require(held.back()->size() == i && subscription->held_count() == i, "within the limit");
    }
    for (int i = 0; i < 3; ++i) {
      refused([&] { (void)subscription->take(); }, "3");
      refused([&] { (void)subscription->take(); }, "hold");
    }
    require(subscription->lost_count() == 0, "it stays unread");
    held.erase(held.begin() + 1);
    held.push_back(subscription->take());
    require(held.back()->size() == 4, "the one that was refused");
    refused([&] { (void)subscription->take_latest(); }, "3");
    held.clear();
    require(subscription->take_latest()->size() == 8, "the newest");
    require(!subscription->has_message() && subscription->held_count() == 0, "all is read");
    channel.say("done");
  });
  ASSERT_EQ(reader.hear(), "ready");
  Process writer([](Channel& channel) {
    const auto node = std::make_shared<Node>("writer");
    const auto publisher = node->create_publisher<Bytes>("/a", 10);
    for (std::size_t i = 1; i <= 8; ++i) {
      auto message = publisher->borrow_loaned_message();
      message->resize(i);
      publisher->publish(std::move(message));
    }
    channel.say("published");
    channel.hear();
  });
  ASSERT_EQ(writer.hear(), "published");
  reader.say("take");
  EXPECT_EQ(reader.hear(), "done");
  writer.say("end");
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

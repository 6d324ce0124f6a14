// What the library allocates for itself while the user has a loan open: nothing of it lies in the
// shared heap, and a shared heap that is full stops none of it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <agnocast/generic.hpp>
#include <cstdlib>
#include <functional>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Bytes = std::vector<char>;

void runs(const std::function<void()>& body)
{
  Process process([&](Channel& channel) {
    body();
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

struct Entry
{
  const char* name;
  std::function<void()> use;
};

TEST(LibraryMemory, IsPrivateAlsoWhileALoanIsOpen)
{
  runs([] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Bytes>("/a", 10);
    const auto subscription = node->create_subscription<Bytes>("/a", QoS(10));
    publisher->publish(publisher->borrow_loaned_message());
    auto received = subscription->take();
    std::shared_ptr<Publisher<Bytes>> second;
    std::shared_ptr<Subscription<Bytes>> third;
    std::optional<TypeDescription> description;
    std::exception_ptr error;
    ipc_shared_ptr<Bytes> other;
    const std::vector<Entry> entries{
      {"create_publisher", [&] { second = node->create_publisher<Bytes>("/b", 10); }},
      {"subscription_count", [&] { (void)second->subscription_count(); }},
      {"find_description", [&] { description = find_description("/a"); }},
      {"hook_in_force", [] { (void)hook_in_force(); }},
      {"SharedHeapScope", [] { const SharedHeapScope scope; }},
      {"shared_memory_resource", [] { (void)shared_memory_resource(); }},
      {"a refused publish",
       [&] {
         try {
           publisher->publish(nullptr);
         } catch (const UsageError&) {
           error = std::current_exception();
         }
       }},
      {"a release", [&] { received.reset(); }},
    };
    const auto loan = publisher->borrow_loaned_message();
    for (const Entry& entry : entries) {
      const std::size_t before = shared_heap_statistics().used_blocks;
      entry.use();
      const std::size_t after = shared_heap_statistics().used_blocks;
      require(after == before, std::string(entry.name) + " took " +
                                 std::to_string(static_cast<long>(after - before)) + " blocks");
    }
    const auto text = std::make_unique<Bytes>(100);
    require(in_shared_heap(text.get()), "the loan is still open");
    error = nullptr;
  });
}

/// Takes all that there is, down to the smallest block.
void fill_shared_heap()
{
  std::pmr::memory_resource* const heap = shared_memory_resource();
  for (std::size_t bytes = std::size_t{1} << 20; bytes >= 16;
       bytes -= bytes > 8192 ? bytes / 2 : 16) {
    try {
      for (;;) (void)heap->allocate(bytes);
    } catch (const std::bad_alloc&) {
    }
  }
}

TEST(LibraryMemory, DoesNotNeedRoomInTheSharedHeap)
{
  runs([] {
    ::setenv("AGNOCAST_WINDOW", "0x550000000000:0x4000000000:0x4000000", 1);  // 64 MiB for each
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Bytes>("/a", 10);
    SubscriptionOptions options;
    options.hold_limit = 2;
    const auto subscription = node->create_subscription<Bytes>("/a", QoS(10), options);
    WaitSet wait_set;
    wait_set.add(*subscription);
    for (int i = 0; i < 4; ++i) publisher->publish(publisher->borrow_loaned_message());
    std::vector<ipc_shared_ptr<const Bytes>> held;
    for (int i = 0; i < 2; ++i) held.push_back(subscription->take());
    require(!subscription->has_message(), "all that may be held is held");
    bool refused = false;
    std::shared_ptr<Publisher<Bytes>> second;
    const std::vector<Entry> entries{
      {"the release that makes room", [&] { held.clear(); }},
      {"an error",
       [&] {
         try {
           publisher->publish(nullptr);
         } catch (const UsageError&) {
           refused = true;
         }
       }},
      {"create_publisher", [&] { second = node->create_publisher<Bytes>("/b", 10); }},
      {"subscription_count", [&] { (void)publisher->subscription_count(); }},
    };
    auto loan = publisher->borrow_loaned_message();
    fill_shared_heap();
    for (const Entry& entry : entries) {
      try {
        entry.use();
      } catch (const std::bad_alloc&) {
        const PrivateHeapScope in_private;
        require(false, std::string(entry.name) + " needs no shared memory");
      }
    }
    const PublishStatus status = publisher->publish(std::move(loan));
    require(status == PublishStatus::published && refused, "published, and the other refused");
    require(static_cast<bool>(subscription->take()), "taken");
  });
}

}  // namespace
}  // namespace agnocast::test

// Whose memory an allocation is, when scopes, loans and the library's own work stand within each
// other.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/agnocast.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

using Texts = std::vector<std::string>;

bool new_memory_is_shared()
{
  const auto block = std::make_unique<Texts>(1);
  return in_shared_heap(block.get());
}

void runs(const std::function<void()>& body)
{
  Process process([&](Channel& channel) {
    body();
    channel.say("done");
  });
  EXPECT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

void nest(int scopes, const std::function<void()>& innermost)
{
  const PrivateHeapScope in_private;
  require(!new_memory_is_shared(), "private inside of every scope");
  if (scopes > 1) {
    nest(scopes - 1, innermost);
  } else {
    innermost();
  }
  require(!new_memory_is_shared(), "and after the inner ones");
}

TEST(PrivateScope, HoldsHoweverManyStandWithinEachOther)
{
  runs([] {
    const auto node = std::make_shared<Node>("node");
    const auto publisher = node->create_publisher<Texts>("/texts", 1);
    auto message = publisher->borrow_loaned_message();
    nest(1'000, [&] {
      const SharedHeapScope shared;
      const auto inner = publisher->borrow_loaned_message();
      require(!new_memory_is_shared(), "also with what is opened inside");
      inner->emplace_back(100, 'x');
      require(!in_shared_heap(inner->data()), "and for the content of a loan");
    });
    require(new_memory_is_shared(), "the loan is still open");
    message.reset();
    require(!new_memory_is_shared(), "and closed");
  });
}

TEST(PrivateScope, DoesNotHideTheHook)
{
  runs([] {
    const PrivateHeapScope in_private;
    require(hook_in_force(), "it is in force");
    require(!new_memory_is_shared(), "the scope holds");
  });
}

}  // namespace
}  // namespace agnocast::test

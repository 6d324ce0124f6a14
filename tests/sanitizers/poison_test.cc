// What AddressSanitizer is told of the shared heap; in builds with it only.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sanitizer/asan_interface.h>

#include <agnocast/agnocast.hpp>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

bool is_open(const std::byte* first, std::size_t bytes)
{
  for (std::size_t i = 0; i < bytes; ++i) {
    if (__asan_address_is_poisoned(first + i) != 0) return false;
  }
  return true;
}

/// Allocates and frees often enough that the thread's cache serves most of it.
void expect_open_to_their_size(void* (*allocate)(std::size_t), void (*release)(void*))
{
  Process user([&](Channel&) {
    for (const std::size_t bytes : {1, 20, 33, 100, 4000, 8192, 8193, 70'001}) {
      for (int round = 0; round < 100; ++round) {
        std::byte* block = nullptr;
        {
          const SharedHeapScope scope;
          block = static_cast<std::byte*>(allocate(bytes));
        }
        const std::string which =
          " of " + std::to_string(bytes) + " in round " + std::to_string(round);
        require(in_shared_heap(block), "a block" + which + " is shared");
        require(is_open(block, bytes), "a block" + which + " is open");
        if (bytes % 16 != 0) {
          require(!is_open(block + bytes, 1), "what follows a block" + which + " is not open");
        }
        release(block);
        require(!is_open(block, 1), "a freed block" + which + " is not open");
      }
    }
  });
  EXPECT_EQ(user.wait(), 0);
}

TEST(Poison, LeavesABlockOfMallocOpenForTheBytesAskedFor)
{
  expect_open_to_their_size(&std::malloc, &std::free);
}

TEST(Poison, LeavesABlockOfOperatorNewOpenForTheBytesAskedFor)
{
  expect_open_to_their_size([](std::size_t bytes) { return ::operator new(bytes); },
                            [](void* block) { ::operator delete(block); });
}

}  // namespace
}  // namespace agnocast::test

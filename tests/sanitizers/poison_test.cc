// What AddressSanitizer is told of the shared heap; in builds with it only.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sanitizer/asan_interface.h>

#include <agnocast/agnocast.hpp>
#include <cstddef>
#include <cstdlib>

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
void expect_blocks_are_open_to_their_size(void* (*allocate)(std::size_t), void (*release)(void*))
{
  for (const std::size_t bytes : {1, 20, 33, 100, 4000, 8192, 8193, 70'001}) {
    for (int round = 0; round < 100; ++round) {
      std::byte* block = nullptr;
      {
        const SharedHeapScope scope;
        block = static_cast<std::byte*>(allocate(bytes));
      }
      ASSERT_TRUE(in_shared_heap(block));
      ASSERT_TRUE(is_open(block, bytes)) << bytes << " bytes, round " << round;
      if (bytes % 16 != 0) {
        ASSERT_TRUE(__asan_address_is_poisoned(block + bytes) != 0) << bytes << " bytes";
      }
      release(block);
      ASSERT_TRUE(__asan_address_is_poisoned(block) != 0) << bytes << " bytes";
    }
  }
}

TEST(Poison, LeavesABlockOfMallocOpenForTheBytesAskedFor)
{
  expect_blocks_are_open_to_their_size(&std::malloc, &std::free);
}

TEST(Poison, LeavesABlockOfOperatorNewOpenForTheBytesAskedFor)
{
  expect_blocks_are_open_to_their_size([](std::size_t bytes) { return ::operator new(bytes); },
                                       [](void* block) { ::operator delete(block); });
}

}  // namespace
}  // namespace agnocast::test

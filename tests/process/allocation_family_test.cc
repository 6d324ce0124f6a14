// The whole malloc family, inside and outside of a loan, across both heaps and between threads.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <malloc.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"

namespace agnocast::test {
namespace {

/// Runs `body` in a process that has joined the domain.
void in_a_process(const std::function<void(Publisher<int>&)>& body)
{
  Process process([&](Channel& channel) {
    const auto node = std::make_shared<Node>("allocator");
    const auto publisher = node->create_publisher<int>("/allocation", 1);
    require(hook_in_force(), "the hook is in force");
    body(*publisher);
    channel.say("done");
  });
  ASSERT_EQ(process.hear(), "done");
  EXPECT_EQ(process.wait(), 0);
}

// Of big blocks not every byte is looked at: it took seconds, and on a busy machine longer than the
// test waits.
std::size_t next(std::size_t index)
{
  return index + (index < 50'000 ? 1 : 251);
}

void write(void* block, std::size_t size, unsigned seed)
{
  auto* const bytes = static_cast<unsigned char*>(block);
  for (std::size_t i = 0; i < size; i = next(i)) {
    bytes[i] = static_cast<unsigned char>(i * 7 + seed);
  }
}

void check(const void* block, std::size_t size, unsigned seed)
{
  const auto* const bytes = static_cast<const unsigned char*>(block);
  for (std::size_t i = 0; i < size; i = next(i)) {
    require(bytes[i] == static_cast<unsigned char>(i * 7 + seed), "content is preserved");
  }
}

bool is_aligned(const void* block, std::size_t alignment)
{
  return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

constexpr std::size_t sizes[] = {1, 16, 24, 100, 1000, 4096, 40'000, 300'000, 5'000'000};

/// Everything that the family gives out must lie in the shared heap, or else nowhere in it.
void family_gives(bool shared)
{
  struct Block
  {
    void* start;
    std::size_t size;
    void (*release)(void*);
  };
  std::vector<Block> blocks;
  const auto got = [&](void* block, std::size_t size, std::size_t alignment,
                       void (*release)(void*) = std::free) {
    require(block != nullptr && in_shared_heap(block) == shared, "from the right heap");
    require(is_aligned(block, alignment), "aligned");
    require(::malloc_usable_size(block) >= size, "usable size");
    write(block, size, static_cast<unsigned>(blocks.size()));
    blocks.push_back({block, size, release});
  };
  blocks.reserve(1000);
  const std::size_t page = 4096;
  for (const std::size_t size : sizes) {
    got(std::malloc(size), size, 16);
    void* const zeroed = std::calloc(size, 3);
    for (std::size_t i = 0; i < 3 * size; i = next(i)) {
      require(static_cast<char*>(zeroed)[i] == 0, "calloc clears");
    }
    got(zeroed, 3 * size, 16);
    got(std::realloc(nullptr, size), size, 16);
    got(::reallocarray(nullptr, size, 2), 2 * size, 16);
    for (std::size_t alignment = 16; alignment <= 65'536; alignment *= 16) {
      void* aligned = nullptr;
      require(::posix_memalign(&aligned, alignment, size) == 0, "posix_memalign");
      got(aligned, size, alignment);
      const std::size_t whole = (size + alignment - 1) / alignment * alignment;
      got(std::aligned_alloc(alignment, whole), whole, alignment);
      got(::memalign(alignment, size), size, alignment);
    }
    got(::valloc(size), size, page);
    got(::pvalloc(size), size, page);
    got(::operator new(size), size, 16, [](void* block) { ::operator delete(block); });
    got(::operator new (size, std::align_val_t{256}), size, 256,
        [](void* block) { ::operator delete (block, std::align_val_t{256}); });
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    check(blocks[i].start, blocks[i].size, static_cast<unsigned>(i));
    blocks[i].release(blocks[i].start);
  }
}

TEST(AllocationFamily, GivesSharedMemoryDuringALoanAndPrivateMemoryOtherwise)
{
  in_a_process([](Publisher<int>& publisher) {
    family_gives(false);
    {
      const auto loan = publisher.borrow_loaned_message();
      family_gives(true);
      const PrivateHeapScope here;
      family_gives(false);
    }
    family_gives(false);
    const SharedHeapScope shared;
    family_gives(true);
  });
}

TEST(AllocationFamily, KeepsContentsWhenABlockIsReallocatedAcrossBothHeaps)
{
  in_a_process([](Publisher<int>& publisher) {
    for (const std::size_t before : sizes) {
      for (const std::size_t after : sizes) {
        for (const bool begins_in_loan : {true, false}) {
          std::optional<ipc_shared_ptr<int>> loan;
          if (begins_in_loan) loan = publisher.borrow_loaned_message();
          void* block = std::malloc(before);
          require(in_shared_heap(block) == begins_in_loan, "where it begins");
          write(block, before, 3);
          if (begins_in_loan) {
            loan.reset();
          } else {
            loan = publisher.borrow_loaned_message();
          }
          block = std::realloc(block, after);
          require(block != nullptr, "reallocated");
          check(block, std::min(before, after), 3);
          write(block, after, 4);
          if (begins_in_loan) {
            loan = publisher.borrow_loaned_message();
          } else {
            loan.reset();
          }
          block = ::reallocarray(block, before, 2);
          check(block, std::min(2 * before, after), 4);
          std::free(block);
        }
      }
    }
  });
}

TEST(AllocationFamily, RefusesImpossibleSizesWithoutHarm)
{
  in_a_process([](Publisher<int>& publisher) {
    for (const bool in_loan : {false, true}) {
      ipc_shared_ptr<int> loan;
      if (in_loan) loan = publisher.borrow_loaned_message();
      volatile std::size_t huge = SIZE_MAX / 2 + 10;
      // Volatile: the compiler would tell us that what a realloc was given may be gone.
      void* volatile block = std::malloc(100);
      write(block, 100, 5);
      // Called through a pointer that the compiler cannot see through: Clang removes pairs it
      // knows.
      void* (*volatile allocate)(std::size_t) = std::malloc;
      require(allocate(huge) == nullptr, "malloc");
      void* (*volatile allocate_zeroed)(std::size_t, std::size_t) = std::calloc;
      require(allocate_zeroed(huge, 4) == nullptr, "calloc overflows");
      require(::reallocarray(block, huge, 4) == nullptr, "reallocarray overflows");
      require(std::realloc(block, huge) == nullptr, "realloc");
      void* aligned = nullptr;
      require(::posix_memalign(&aligned, 3, 10) == EINVAL, "not a power of two");
      require(::posix_memalign(&aligned, 64, huge) == ENOMEM, "posix_memalign");
      bool thrown = false;
      try {
        ::operator delete(::operator new(huge));
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      require(thrown, "new throws bad_alloc");
      check(block, 100, 5);
      std::free(block);
      std::free(nullptr);
      void* const nothing = std::malloc(0);
      std::free(nothing);
    }
  });
}

TEST(AllocationFamily, FreesBlocksOfEitherHeapOnAnyThread)
{
  in_a_process([](Publisher<int>& publisher) {
    const std::size_t used = shared_heap_statistics().used_bytes;
    for (int round = 0; round < 50; ++round) {
      std::vector<void*> blocks(2000);
      {
        const auto loan = publisher.borrow_loaned_message();
        for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i] = std::malloc(i * 3 + 1);
      }
      for (std::size_t i = 1; i < blocks.size(); i += 2) blocks[i] = std::malloc(i * 3 + 1);
      for (std::size_t i = 0; i < blocks.size(); ++i) write(blocks[i], i * 3 + 1, 1);
      std::vector<std::thread> threads;
      for (std::size_t t = 0; t < 4; ++t) {
        threads.emplace_back([&blocks, t] {
          for (std::size_t i = t; i < blocks.size(); i += 4) std::free(blocks[i]);
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    require(shared_heap_statistics().used_bytes < used + 1'000'000, "all memory is free again");
  });
}

TEST(AllocationFamily, ServesManyThreadsInAndOutOfScopesAtOnce)
{
  in_a_process([](Publisher<int>&) {
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (unsigned t = 0; t < 8; ++t) {
      threads.emplace_back([&wrong, t] {
        for (unsigned i = 0; i < 3000; ++i) {
          std::optional<SharedHeapScope> scope;
          if (i % 2 == 0) scope.emplace();
          const std::size_t size = (i * 131 + t * 17) % 5000 + 1;
          void* block = std::malloc(size);
          if (in_shared_heap(block) != (i % 2 == 0)) ++wrong;
          write(block, size, t);
          scope.reset();
          block = std::realloc(block, size * 2);
          try {
            check(block, size, t);
          } catch (const std::exception&) {
            ++wrong;
          }
          std::free(block);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    require(wrong == 0, std::to_string(wrong) + " blocks are wrong");
  });
}

TEST(SharedHeap, TellsWhatIsUsedAndWhatEverWas)
{
  in_a_process([](Publisher<int>& publisher) {
    const SharedHeapStatistics before = shared_heap_statistics();
    {
      auto loan = publisher.borrow_loaned_message();
      std::vector<char> big(50'000'000);
      // Clang removes a vector that nobody uses.
      char* volatile first = big.data();
      require(first != nullptr, "allocated");
      const SharedHeapStatistics during = shared_heap_statistics();
      require(during.used_bytes >= before.used_bytes + 50'000'000, "used");
      require(during.secured_bytes >= during.used_bytes, "secured");
      require(during.limit_bytes >= during.secured_bytes, "limit");
      require(during.peak_bytes >= during.used_bytes, "peak");
    }
    const SharedHeapStatistics after = shared_heap_statistics();
    require(after.used_bytes < before.used_bytes + 1'000'000, "free again");
    require(after.peak_bytes >= 50'000'000, "the peak is remembered");
    int on_stack = 0;
    require(!in_shared_heap(&on_stack) && !in_shared_heap(nullptr), "what it is not");
  });
}

}  // namespace
}  // namespace agnocast::test

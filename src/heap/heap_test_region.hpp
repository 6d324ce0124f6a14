// A region of plain memory and a host with limits, for the tests of the heap.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstddef>

#include "heap/heap.hpp"

namespace agnocast::internal {

// Maps a region of which only what was secured can be touched; anything else is a segment fault.
class TestRegion
{
 public:
  explicit TestRegion(std::size_t bytes, std::size_t secure_limit = SIZE_MAX)
    : limit(secure_limit), bytes_(bytes)
  {
    ++regions_;
    void* const p = mmap(nullptr, bytes, PROT_NONE, kPrivate, -1, 0);
    EXPECT_NE(p, MAP_FAILED);
    base_ = static_cast<std::byte*>(p);
  }
  TestRegion(const TestRegion&) = delete;
  TestRegion& operator=(const TestRegion&) = delete;
  ~TestRegion()
  {
    munmap(base_, bytes_);
    if (--regions_ == 0) {
      EXPECT_EQ(mapped_, 0U) << "private memory was not given back";
    }
  }

  std::byte* base() const { return base_; }
  std::size_t bytes() const { return bytes_; }
  HeapHost host()
  {
    return {&map_private, &unmap_private, &secure, this, &map_read_only, &make_writable};
  }

  std::atomic<std::size_t> limit;
  static inline std::atomic<bool> refuse_mapping{false};

 private:
  static constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

  static void* map_private(std::size_t bytes)
  {
    if (refuse_mapping) return nullptr;
    void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kPrivate, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    mapped_ += bytes;
    return p;
  }
  static void* map_read_only(std::size_t bytes)
  {
    void* const p = map_private(bytes);
    if (p != nullptr) mprotect(p, bytes, PROT_READ);
    return p;
  }
  static bool make_writable(void* memory, std::size_t bytes)
  {
    return mprotect(memory, bytes, PROT_READ | PROT_WRITE) == 0;
  }
  static void unmap_private(void* memory, std::size_t bytes)
  {
    munmap(memory, bytes);
    mapped_ -= bytes;
  }
  static bool secure(void* context, std::size_t end)
  {
    auto* const self = static_cast<TestRegion*>(context);
    if (end > self->limit || end > self->bytes_) return false;
    return mprotect(self->base_, end, PROT_READ | PROT_WRITE) == 0;
  }

  std::byte* base_ = nullptr;
  std::size_t bytes_;
  static inline std::atomic<std::size_t> mapped_{0};
  static inline std::atomic<int> regions_{0};
};

// A heap over such a region, audited when the test ends.
class TestHeap
{
 public:
  explicit TestHeap(std::size_t bytes, std::size_t secure_limit = SIZE_MAX)
    : region(bytes, secure_limit), heap_(Heap::create(region.base(), bytes, 0, region.host()))
  {
    EXPECT_NE(heap_, nullptr);
  }
  TestHeap(const TestHeap&) = delete;
  TestHeap& operator=(const TestHeap&) = delete;
  ~TestHeap()
  {
    EXPECT_STREQ(heap_->audit(), nullptr);
    Heap::destroy(heap_);
  }
  Heap* operator->() const { return heap_; }
  Heap& operator*() const { return *heap_; }

  TestRegion region;

 private:
  Heap* heap_;
};

inline constexpr std::size_t kKiB = std::size_t{1} << 10;
inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline constexpr std::size_t kGiB = std::size_t{1} << 30;

}  // namespace agnocast::internal

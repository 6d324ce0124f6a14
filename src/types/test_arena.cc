// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "types/test_arena.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace agnocast::internal {
namespace {

thread_local TestArena* open_arena = nullptr;
TestArena* living_arena = nullptr;  // so that what outlives the scope can be freed

}  // namespace

TestArena::TestArena(std::size_t bytes) : bytes_(bytes)
{
  void* const mapped =
    ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) std::abort();
  begin_ = static_cast<std::byte*>(mapped);
  living_arena = this;
}

TestArena::~TestArena()
{
  living_arena = nullptr;
  ::munmap(begin_, bytes_);
}

void* TestArena::allocate(std::size_t bytes, std::size_t alignment)
{
  const std::size_t at = (used_ + alignment - 1) / alignment * alignment;
  if (at + bytes > bytes_) throw std::bad_alloc();
  used_ = at + bytes;
  return begin_ + at;
}

bool TestArena::holds(const void* address) const noexcept
{
  const auto* const at = static_cast<const std::byte*>(address);
  return at >= begin_ && at < begin_ + bytes_;
}

ArenaScope::ArenaScope(TestArena& arena) noexcept
{
  open_arena = &arena;
}
ArenaScope::~ArenaScope()
{
  open_arena = nullptr;
}

}  // namespace agnocast::internal

namespace {

void* allocate(std::size_t bytes, std::size_t alignment)
{
  if (agnocast::internal::open_arena != nullptr) {
    return agnocast::internal::open_arena->allocate(bytes, alignment);
  }
  void* const block =
    alignment <= 16
      ? std::malloc(bytes == 0 ? 1 : bytes)
      : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void deallocate(void* block) noexcept
{
  const auto* const arena = agnocast::internal::living_arena;
  if (arena == nullptr || !arena->holds(block)) std::free(block);
}

}  // namespace

// Replaced as the standard allows; the forms that are not here call these.
void* operator new(std::size_t bytes)
{
  return allocate(bytes, 16);
}
void* operator new(std::size_t bytes, std::align_val_t alignment)
{
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept
{
  deallocate(block);
}
void operator delete(void* block, std::size_t) noexcept
{
  deallocate(block);
}
void operator delete(void* block, std::align_val_t) noexcept
{
  deallocate(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept
{
  deallocate(block);
}

// A fixed random script: which block to replace next, and by how large a one.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>

#include "harness/process.hpp"

namespace bench {

/// Memory that the measured allocator has no part in, touched in advance.
template <typename T>
class OwnPages
{
 public:
  explicit OwnPages(std::size_t count) : count_(count)
  {
    void* const memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) throw Failure("no memory to measure in");
    values_ = static_cast<T*>(memory);
  }
  OwnPages(const OwnPages&) = delete;
  OwnPages& operator=(const OwnPages&) = delete;
  ~OwnPages() { munmap(values_, bytes()); }

  T& operator[](std::size_t i) const { return values_[i]; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] T* begin() const noexcept { return values_; }
  [[nodiscard]] T* end() const noexcept { return values_ + count_; }

 private:
  [[nodiscard]] std::size_t bytes() const noexcept { return count_ * sizeof(T); }
  std::size_t count_;
  T* values_ = nullptr;
};

struct Step
{
  std::uint32_t slot;
  std::uint32_t size_bytes;
};

/// Sizes from 16 B on: up to 256 B uniform; beyond that every power of two equally often.
class Script
{
 public:
  Script(std::size_t live, std::size_t bytes_max, unsigned seed, std::size_t steps = 65'536)
    : steps_(steps)
  {
    std::mt19937 random(seed);
    std::uniform_int_distribution<std::uint32_t> slot(0, static_cast<std::uint32_t>(live - 1));
    std::uniform_int_distribution<std::uint32_t> small(16, 256);
    std::uniform_real_distribution<double> exponent(4, std::log2(static_cast<double>(bytes_max)));
    for (Step& step : steps_) {
      step.slot = slot(random);
      step.size_bytes =
        bytes_max <= 256 ? small(random) : static_cast<std::uint32_t>(std::exp2(exponent(random)));
    }
  }
  [[nodiscard]] const Step& operator[](std::uint64_t i) const { return steps_[i % steps_.size()]; }
  [[nodiscard]] std::size_t size() const noexcept { return steps_.size(); }

 private:
  OwnPages<Step> steps_;
};

/// Of the whole process.
inline long minor_page_faults()
{
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

}  // namespace bench

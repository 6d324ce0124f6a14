// The processes of one measurement of `load`, and what they share.
//
// The driver forks them and never joins a domain itself, so each is a process like any other. They
// share one page: the driver writes go and quit; a process counts itself in `ready`, and the
// figures are written by the one process whose figures they are.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/process.hpp"

namespace bench {

inline constexpr std::size_t load_samples_max = 65'536;

struct LoadPage
{
  std::atomic<std::uint32_t> ready;
  std::atomic<std::uint32_t> go;
  std::atomic<std::uint32_t> quit;
  std::atomic<std::uint64_t> numbers[8];  ///< figures, by the measurement's own rule
  std::atomic<std::uint64_t> counts[2];   ///< of samples_ns: without and with the load
  std::uint64_t samples_ns[2][load_samples_max];

  void add_sample(std::size_t series, std::uint64_t ns)
  {
    const std::uint64_t place = counts[series].fetch_add(1);
    if (place < load_samples_max) samples_ns[series][place] = ns;
  }
  /// Sorted.
  [[nodiscard]] std::vector<double> samples(std::size_t series) const;
};

/// A page of its own for each measurement.
using SharedLoadPage = std::unique_ptr<LoadPage, void (*)(LoadPage*)>;
SharedLoadPage make_load_page();

/// A forked process; killed at the end of its scope if it has not ended.
class Role
{
 public:
  /// `settings` ("NAME=value") are added to its environment.
  Role(const std::vector<std::string>& settings, const std::function<void()>& body);
  explicit Role(const std::function<void()>& body) : Role({}, body) {}
  Role(Role&& other) noexcept;
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;
  ~Role();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// Throws Failure unless it has ended well.
  void join();
  /// Processor time of all its threads, so far.
  [[nodiscard]] std::uint64_t cpu_ns() const;
  /// How often its threads slept and woke up, so far.
  [[nodiscard]] std::uint64_t wake_ups() const;

 private:
  pid_t pid_;
};

/// Polls, seldom; throws Failure after 60 s.
void await(const char* what, const std::function<bool()>& holds);
void await_ready(const LoadPage& page, std::uint32_t count);
/// Sleeps until the driver says so; ends the process quietly if it never does.
void await_go(const LoadPage& page);
void await_quit(const LoadPage& page);
void tell_to_quit(LoadPage& page);

}  // namespace bench

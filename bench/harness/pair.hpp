// The two processes of one system that is measured.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/exchange.hpp"
#include "harness/process.hpp"

namespace bench {

/// A system that can be measured.
struct System
{
  std::string name;     ///< "agnocast", "iceoryx", "cacheline", ...
  std::string program;  ///< path of its end program
  std::vector<std::string> first_arguments;
  std::string version;
  bool is_limit = false;              ///< of the machine, nothing that anybody uses
  std::vector<std::string> daemon;    ///< a program that it needs running, with arguments
  std::string daemon_ready_line;      ///< what the daemon prints when it can be used
  std::vector<std::string> settings;  ///< added to the environment of its ends
  bool scales = false;                ///< takes part in scale sweeps, see scale_serve.hpp
  std::vector<std::string> first_scale_arguments;
  std::vector<std::string> scale_settings;
};

/// Two processes of a system that are started, connected and wait for tasks.
class Pair
{
 public:
  /// Throws Failure if they do not get ready.
  Pair(const System& system, std::size_t biggest_bytes);
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  [[nodiscard]] bool can(const Task& task) const;
  /// The round trips of one task, in nanoseconds. Throws Failure if an end dies or hangs.
  std::vector<std::uint64_t> run(const Task& task);
  /// Lets both processes exit, and throws Failure if they do not do so cleanly.
  void quit();
  /// How often other threads took the core from one of the two; valid after quit().
  [[nodiscard]] long disturbances() const;

 private:
  Child start(const System& system, const char* side, std::size_t biggest_bytes,
              const std::vector<std::string>& settings);
  void check();

  Exchange exchange_;
  std::vector<int> fds_;
  std::unique_ptr<Child> daemon_;
  std::vector<Child> ends_;
};

}  // namespace bench

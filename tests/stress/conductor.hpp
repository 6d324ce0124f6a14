// Starts the actors of a stress, starts those again that ended, and judges. It never joins the
// domain: the program is not even linked with the library.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "stress/board.hpp"

namespace agnocast::stress {

struct Plan
{
  double seconds = 60;
  std::uint32_t processes = 2;
  std::uint32_t threads = 7;
  std::uint64_t seed = 0;
  std::uint32_t patience_s = 30;
  bool hands_over_loans = true;
  bool keep_going = false;
};

class Conductor
{
 public:
  explicit Conductor(const Plan& plan);
  /// True if nothing was found.
  bool run();

 private:
  struct Process
  {
    pid_t pid = 0;
    std::uint64_t seed = 0;
    std::uint64_t started_ns = 0;
  };

  void start(std::size_t process);
  void reap();
  /// True if one shows no sign of life; then the stacks of all of them are printed.
  bool look_for_hangs();
  void let_all_end();
  void kill_all();
  void judge_remains();
  void fail(const std::string& what);
  [[nodiscard]] bool has_found() const;
  void print_findings();
  void print_said();
  void print_summary() const;
  [[nodiscard]] std::uint64_t total(Count what) const;

  const Plan plan_;
  Random random_;
  Board* board_ = nullptr;
  int board_fd_ = -1;
  int errors_fd_ = -1;
  const std::uint32_t domain_;
  const time_t began_at_ = ::time(nullptr);
  const std::uint64_t began_ns_ = now_ns();
  std::string program_;
  std::vector<Process> processes_;
  std::vector<pid_t> pids_;
  std::vector<std::string> failures_;
};

}  // namespace agnocast::stress

// Starts the actors of a storm, stops and kills them at random, and judges what is left. It never
// joins the domain: the program is not even linked with the library.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "storm/board.hpp"

namespace agnocast::storm {

struct Plan
{
  double seconds = 60;
  std::uint32_t processes = 20;
  std::uint32_t topics = 6;
  std::uint64_t seed = 0;
  double kills_per_second = 40;
  std::uint64_t kills = 0;  ///< ends when there were so many, if not 0
  std::uint32_t patience_s = 60;
  bool verbose = false;
  bool keep_going = false;
};

class Conductor
{
 public:
  explicit Conductor(const Plan& plan);
  /// True if nothing was found.
  bool run();

 private:
  struct Actor
  {
    pid_t pid = 0;
    Kind kind = Kind::publisher;
    std::uint64_t started_ns = 0;
    std::uint64_t resumed_ns = 0;
    std::uint64_t starts = 0;
    bool stopped = false;
    bool doomed = false;  ///< killed, not reaped yet
    bool ending = false;  ///< was asked to end
  };
  enum class Deed { kill, stop, resume, resume_and_kill };
  struct Due
  {
    std::uint64_t at_ns;
    std::size_t seat;
    std::uint64_t starts;  ///< which of the processes of the seat is meant
    Deed deed;
    bool operator<(const Due& other) const { return at_ns > other.at_ns; }
  };

  void start(std::size_t seat, Kind kind);
  Kind random_kind();
  void start_missing();
  void plan_kills();
  void plan_one(std::size_t seat, std::uint64_t at_ns);
  void do_due();
  void reap();
  void look_at_end(std::size_t seat, int status);
  void look_for_hangs();
  void describe(std::size_t seat, const char* why);
  void rest_until(std::uint64_t at_ns);
  bool enter(Phase phase, Phase reached);
  void storm();
  void end_victims();
  void judge_middle();
  void judge_end();
  void fail(const std::string& what);
  [[nodiscard]] std::vector<pid_t> live() const;
  [[nodiscard]] std::vector<pid_t> all_started() const;
  [[nodiscard]] std::uint64_t total(Count what) const;
  void print_warnings();
  void print_summary();

  const Plan plan_;
  Random random_;
  Board* board_ = nullptr;
  int board_fd_ = -1;
  int errors_fd_ = -1;
  std::uint32_t domain_;
  std::string program_;
  std::vector<Actor> actors_;  ///< by seat; the stable ones first
  std::vector<pid_t> pids_;
  std::priority_queue<Due> due_;
  std::uint64_t next_kill_ns_ = 0;
  std::uint64_t began_ns_ = 0;
  const time_t began_at_ = ::time(nullptr);
  double stormed_s_ = 0;
  std::uint64_t kills_ = 0, stops_ = 0, started_ = 0, ends_ = 0, hangs_ = 0;
  std::vector<std::string> failures_;
};

}  // namespace agnocast::storm

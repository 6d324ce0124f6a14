// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "storm/conductor.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "support/domain.hpp"

namespace agnocast::storm {

namespace {

constexpr std::size_t stable_subscribers = 2;
constexpr std::size_t stable_publishers = 2;
constexpr std::size_t stable_actors = stable_subscribers + stable_publishers;
constexpr std::uint64_t ms = 1'000'000;

}  // namespace

Conductor::Conductor(const Plan& plan)
  : plan_(plan),
    random_(plan.seed),
    domain_(2'000'000 + static_cast<std::uint32_t>(::getpid())),
    actors_(std::max<std::size_t>(plan.processes, stable_actors + 1))
{
  board_fd_ = ::memfd_create("storm_board", 0);
  errors_fd_ = ::memfd_create("storm_errors", MFD_CLOEXEC);
  if (board_fd_ < 0 || errors_fd_ < 0 || ::ftruncate(board_fd_, sizeof(Board)) != 0 ||
      (board_ = Board::map(board_fd_)) == nullptr || actors_.size() > seats_max) {
    throw std::runtime_error("the storm cannot be set up");
  }
  board_->topics = plan.topics;
  board_->patience_s = plan.patience_s;
  const char* heap = std::getenv("AGNOCAST_HEAP");
  board_->heap_all = heap != nullptr && std::string(heap) == "all" ? 1 : 0;
  ::setenv("AGNOCAST_DOMAIN_ID", std::to_string(domain_).c_str(), 1);
  ::setenv("AGNOCAST_MEMPOOL_SIZE", "2048000", 0);  // small, so that the heaps grow
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);               // children of those that are killed come to us
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  program_ = std::string(path, length > 0 ? static_cast<std::size_t>(length) : 0) + "_actor";
}

void Conductor::fail(const std::string& what)
{
  failures_.push_back(what);
  std::printf("FAILED: %s\n", what.c_str());
  std::fflush(stdout);
}

void Conductor::start(std::size_t seat, Kind kind)
{
  const std::string arguments[] = {program_, std::to_string(static_cast<int>(kind)),
                                   std::to_string(board_fd_), std::to_string(seat),
                                   std::to_string(random_.next())};
  std::vector<char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  Actor& actor = actors_[seat];
  actor = {0, kind, now_ns(), now_ns(), actor.starts + 1, false, false, false};
  Seat& place = board_->seats[seat];
  place.kind.store(static_cast<std::uint32_t>(kind));
  place.alive_ns.store(now_ns());
  std::strcpy(place.doing, "start");
  actor.pid = ::vfork();
  if (actor.pid == 0) {
    ::dup2(errors_fd_, STDERR_FILENO);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  if (actor.pid < 0) throw std::runtime_error("no process can be started");
  pids_.push_back(actor.pid);
  ++started_;
}

Kind Conductor::random_kind()
{
  const std::uint64_t dice = random_.below(100);
  if (dice < 35) return Kind::publisher;
  if (dice < 70) return Kind::subscriber;
  if (dice < 80) return Kind::relay;
  if (dice < 93) return Kind::joiner;
  return Kind::forker;
}

void Conductor::start_missing()
{
  for (std::size_t seat = stable_actors; seat < actors_.size(); ++seat) {
    if (actors_[seat].pid != 0) continue;
    start(seat, random_kind());
    // A part dies while it starts, so that every step of joining is met.
    if (random_.chance(25)) {
      due_.push({now_ns() + random_.below(25'000'000), seat, actors_[seat].starts, Deed::kill});
    }
  }
}

void Conductor::plan_one(std::size_t seat, std::uint64_t at_ns)
{
  const std::uint64_t starts = actors_[seat].starts;
  if (!random_.chance(12)) return due_.push({at_ns, seat, starts, Deed::kill});
  const std::uint64_t until = at_ns + random_.between(1, 150) * ms;
  due_.push({at_ns, seat, starts, Deed::stop});
  const std::uint64_t how = random_.below(4);
  if (how == 0) {
    due_.push({until, seat, starts, Deed::kill});  // while it is stopped
  } else {
    due_.push({until, seat, starts, how == 1 ? Deed::resume_and_kill : Deed::resume});
  }
}

void Conductor::plan_kills()
{
  const std::uint64_t now = now_ns();
  while (next_kill_ns_ <= now) {
    const std::size_t victims = actors_.size() - stable_actors;
    // One, or several at the same moment, or all within a short time.
    const std::uint64_t dice = random_.below(100);
    const std::size_t count = dice < 85 ? 1 : dice < 97 ? random_.between(2, 5) : victims;
    const std::uint64_t spread = dice < 97 ? 1 : 20 * ms;
    const std::size_t first = random_.below(victims);
    for (std::size_t i = 0; i < count; ++i) {
      plan_one(stable_actors + (first + i) % victims, next_kill_ns_ + random_.below(spread));
    }
    // Exponential intervals; a mean that allows for the groups and for those killed at their start.
    const double mean = 1.3 / std::max(plan_.kills_per_second, 0.001);
    const double unit = (static_cast<double>(random_.below(1u << 30)) + 1) / (1u << 30);
    next_kill_ns_ += static_cast<std::uint64_t>(-std::log(unit) * mean * 1e9);
  }
}

void Conductor::do_due()
{
  while (!due_.empty() && due_.top().at_ns <= now_ns()) {
    const Due due = due_.top();
    due_.pop();
    Actor& actor = actors_[due.seat];
    if (actor.pid == 0 || actor.starts != due.starts || actor.doomed) continue;
    if (due.deed == Deed::stop) {
      ::kill(actor.pid, SIGSTOP);
      actor.stopped = true;
      ++stops_;
      continue;
    }
    if (due.deed != Deed::kill) {
      ::kill(actor.pid, SIGCONT);
      actor.stopped = false;
      actor.resumed_ns = now_ns();
    }
    if (due.deed == Deed::resume) continue;
    ::kill(actor.pid, SIGKILL);
    actor.doomed = true;
  }
}

void Conductor::look_at_end(std::size_t seat, int status)
{
  Actor& actor = actors_[seat];
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && actor.doomed) {
    ++kills_;
  } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    ++ends_;
  } else {
    fail("seat " + std::to_string(seat) + " (" + name_of(actor.kind) + ", process " +
         std::to_string(actor.pid) + ", " + board_->seats[seat].doing + ") ended with status " +
         std::to_string(status) + " that nobody asked for");
  }
  actor.pid = 0;
}

void Conductor::reap()
{
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    for (std::size_t seat = 0; seat < actors_.size(); ++seat) {
      if (actors_[seat].pid == pid) look_at_end(seat, status);
    }
  }
}

void Conductor::rest_until(std::uint64_t at_ns)
{
  const timespec time{static_cast<time_t>(at_ns / 1'000'000'000),
                      static_cast<long>(at_ns % 1'000'000'000)};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

// Runs the phase until every stable actor has finished it.
bool Conductor::enter(Phase phase, Phase reached)
{
  board_->phase.store(static_cast<std::uint32_t>(phase));
  const std::uint64_t deadline = now_ns() + 3 * plan_.patience_s * 1'000 * ms;
  for (;;) {
    reap();
    bool all = true;
    for (std::size_t seat = 0; seat < stable_actors; ++seat) {
      if (actors_[seat].starts == 0) continue;
      if (actors_[seat].pid == 0) return false;
      all = all && board_->seats[seat].reached.load() >= static_cast<std::uint32_t>(reached) + 1;
    }
    if (all) return true;
    if (now_ns() > deadline) {
      ++hangs_;
      for (std::size_t seat = 0; seat < stable_actors; ++seat) {
        if (board_->seats[seat].reached.load() <= static_cast<std::uint32_t>(reached))
          describe(seat, "does not come to the end of its phase");
      }
      return false;
    }
    look_for_hangs();
    rest_until(now_ns() + 2 * ms);
  }
}

void Conductor::look_for_hangs()
{
  for (std::size_t seat = 0; seat < actors_.size(); ++seat) {
    Actor& actor = actors_[seat];
    if (actor.pid == 0 || actor.stopped || actor.doomed) continue;
    const std::uint64_t alive = std::max(board_->seats[seat].alive_ns.load(), actor.resumed_ns);
    if (now_ns() < alive + plan_.patience_s * 1'000 * ms) continue;
    ++hangs_;
    describe(seat, "shows no sign of life");
    ::kill(actor.pid, SIGKILL);
    actor.doomed = true;
  }
}

std::vector<pid_t> Conductor::live() const
{
  std::vector<pid_t> pids;
  for (const Actor& actor : actors_) {
    if (actor.pid != 0) pids.push_back(actor.pid);
  }
  return pids;
}

std::vector<pid_t> Conductor::all_started() const
{
  std::vector<pid_t> pids = pids_;
  const std::size_t forked = std::min<std::size_t>(board_->forked_count.load(), forked_max);
  for (std::size_t i = 0; i < forked; ++i) pids.push_back(board_->forked[i].load());
  return pids;
}

void Conductor::storm()
{
  board_->phase.store(static_cast<std::uint32_t>(Phase::storm));
  began_ns_ = next_kill_ns_ = now_ns();
  const std::uint64_t end = began_ns_ + static_cast<std::uint64_t>(plan_.seconds * 1e9);
  std::uint64_t next_audit = began_ns_;
  while (now_ns() < end && (plan_.kills == 0 || kills_ < plan_.kills)) {
    reap();
    start_missing();
    plan_kills();
    do_due();
    if (now_ns() > next_audit) {
      next_audit = now_ns() + 500 * ms;
      look_for_hangs();
      if (plan_.verbose) {
        std::printf(
          "%6.1f s: %llu kills, %llu received, %u findings\n",
          static_cast<double>(now_ns() - began_ns_) / 1e9, static_cast<unsigned long long>(kills_),
          static_cast<unsigned long long>(total(Count::received)), board_->findings_count.load());
        std::fflush(stdout);
      }
    }
    const bool found = !failures_.empty() || hangs_ != 0 || board_->findings_count.load() != 0;
    if (found && !plan_.keep_going) break;
    std::uint64_t next = std::min(now_ns() + 2 * ms, next_kill_ns_);
    if (!due_.empty()) next = std::min(next, due_.top().at_ns);
    rest_until(next);
  }
  stormed_s_ = static_cast<double>(now_ns() - began_ns_) / 1e9;
}

// Half of them are asked to end in order, the others are killed.
void Conductor::end_victims()
{
  for (std::size_t seat = stable_actors; seat < actors_.size(); ++seat) {
    Actor& actor = actors_[seat];
    if (actor.pid == 0 || actor.doomed) continue;
    ::kill(actor.pid, SIGCONT);
    actor.stopped = false;
    actor.resumed_ns = now_ns();
    // One that has not installed its handlers yet would die of SIGTERM.
    const bool is_up = actor.started_ns + 2'000 * ms < now_ns();
    actor.ending = is_up && seat % 2 == 0;
    actor.doomed = !actor.ending;
    ::kill(actor.pid, actor.ending ? SIGTERM : SIGKILL);
  }
  while (live().size() > stable_actors) {
    reap();
    look_for_hangs();
    rest_until(now_ns() + 2 * ms);
  }
}

// The victims are gone, the stable ones live: nothing else may be left in the domain. Those that
// died unseen by any living process are removed by the next one that joins.
void Conductor::judge_middle()
{
  const std::size_t seat = stable_actors;
  start(seat, Kind::tidier);
  while (actors_[seat].pid != 0) {
    reap();
    look_for_hangs();
    rest_until(now_ns() + 2 * ms);
  }
  std::string left;
  const std::uint64_t deadline = now_ns() + plan_.patience_s * 1'000 * ms;
  do {
    reap();  // grandchildren
    left = test::registry_fault(domain_, live());
    if (left.empty()) left = test::remains_in(domain_, all_started(), live(), began_at_);
    if (left.empty()) return;
    rest_until(now_ns() + 20 * ms);
  } while (now_ns() < deadline);
  fail("left in the domain while the stable processes live: " + left);
}

void Conductor::judge_end()
{
  board_->phase.store(static_cast<std::uint32_t>(Phase::end));
  const std::uint64_t deadline = now_ns() + plan_.patience_s * 1'000 * ms;
  while (!live().empty() && now_ns() < deadline) {
    reap();
    rest_until(now_ns() + 2 * ms);
  }
  for (std::size_t seat = 0; seat < actors_.size(); ++seat) {
    if (actors_[seat].pid == 0) continue;
    ++hangs_;
    describe(seat, "does not end");
    ::kill(actors_[seat].pid, SIGKILL);
  }
  while (!live().empty()) {
    for (Actor& actor : actors_) actor.doomed = true;
    reap();
  }
  if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) fail("processes are left");
  const std::string registry = "/dev/shm/agnocast_registry." + std::to_string(domain_);
  for (const std::string& file : {registry, registry + ".lock"}) {
    if (::access(file.c_str(), F_OK) == 0) fail("the registry is left: " + file);
  }
  const std::string left = test::remains_in(domain_, all_started(), {}, began_at_);
  if (!left.empty()) fail("left after the end: " + left);
}

bool Conductor::run()
{
  std::printf("storm: seed %llu, domain %u\n", static_cast<unsigned long long>(plan_.seed),
              domain_);
  std::fflush(stdout);
  for (std::size_t seat = 0; seat < stable_subscribers; ++seat)
    start(seat, Kind::stable_subscriber);
  bool well = enter(Phase::gather, Phase::gather);
  for (std::size_t seat = stable_subscribers; seat < stable_actors; ++seat)
    start(seat, Kind::stable_publisher);
  well = well && enter(Phase::gather, Phase::gather) && enter(Phase::warm_up, Phase::warm_up);
  if (well) rest_until(now_ns() + 1'000 * ms);
  well = well && enter(Phase::measure, Phase::measure);
  if (well) {
    storm();
    end_victims();
    judge_middle();
    well = enter(Phase::drain, Phase::drain);
  }
  if (!well) fail("the stable processes did not come through");
  judge_end();
  const std::uint32_t findings = board_->findings_count.load();
  for (std::uint32_t i = 0; i < std::min<std::size_t>(findings, findings_max); ++i) {
    std::printf("FOUND: %s\n", board_->findings[i].text);
  }
  print_warnings();
  print_summary();
  return failures_.empty() && findings == 0 && hangs_ == 0;
}

}  // namespace agnocast::storm

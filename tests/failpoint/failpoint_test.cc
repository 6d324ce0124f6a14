// Ends or stops a process at each step between two stores that others can see, with partners that
// go on working, and then looks at everything: what was delivered, what is held, what is left.
//
// The failpoints are those that the library is compiled with; one that no role reaches fails the
// test. AGNOCAST_FAILPOINTS=all tries each of the times a failpoint is reached, up to 40; without
// it the first, the second and the last, and of the registry's stores each one.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <tuple>

#include "failpoint/partners.hpp"
#include "failpoint/roles.hpp"
#include "lifecycle/lifecycle.hpp"
#include "support/domain.hpp"

namespace agnocast::test {
namespace {

using internal::os::Failpoint;
using internal::os::failpoints;
using internal::os::no_failpoint;

std::uint32_t find_failpoint(const std::string& name)
{
  for (std::size_t i = 0; i < failpoints().count; ++i) {
    if (failpoints().first[i].name == name) return static_cast<std::uint32_t>(i);
  }
  return no_failpoint;
}

// The domain of roles that are alone.
std::string own_domain()
{
  return std::to_string(2'000'000 + ::getpid());
}

enum class Ending { running, stopped, ended };

Ending look_at_process(pid_t pid)
{
  siginfo_t info = {};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      info.si_pid == pid) {
    return Ending::ended;
  }
  info = {};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG) == 0 &&
      info.si_pid == pid) {
    return Ending::stopped;
  }
  return Ending::running;
}

class FailpointTest : public testing::Test
{
 protected:
  void SetUp() override
  {
    ::setenv("AGNOCAST_MEMPOOL_SIZE", "4000000", 1);
    tally_ = &Tally::create();
    subscriber_ = std::make_unique<Process>([this](Channel& c) { receive_steadily(*tally_, c); });
    ASSERT_EQ(subscriber_->hear(), "ready");
    publisher_ = std::make_unique<Process>([this](Channel& c) { publish_steadily(*tally_, c); });
    ASSERT_EQ(publisher_->hear(), "ready");
    ASSERT_TRUE(partners_go_on());
  }

  void TearDown() override
  {
    publisher_.reset();
    subscriber_.reset();
    tidy();
    ::munmap(tally_, sizeof(Tally));
  }

  // One victim; true if it reached the armed failpoint often enough. Of a role that is stopped
  // first, only what comes after that counts.
  bool run(const Role& role, std::uint32_t armed, std::uint32_t nth, int signal)
  {
    auto& watch = tally_->failpoints;
    for (auto& count : watch.reached) count = 0;
    tally_->victim_published = tally_->victim_received = 0;
    tally_->be_slow = false;
    tally_->visits = tally_->visits_wanted.load();
    const bool is_stopped_first = !role.stopped_first.empty();
    before_.clear();
    watch.armed = is_stopped_first ? find_failpoint(role.stopped_first) : armed;
    watch.nth = is_stopped_first ? 1 : nth;
    watch.signal = is_stopped_first ? SIGSTOP : signal;

    const auto in_domain = [&](const std::function<void(Channel&)>& body) {
      return std::make_unique<Process>([&, body, domain = own_domain()](Channel& channel) {
        if (role.alone) ::setenv("AGNOCAST_DOMAIN_ID", domain.c_str(), 1);
        body(channel);
      });
    };
    std::set<pid_t> dead;
    if (role.finds_remains) {
      auto process = in_domain(stay_until_killed);
      EXPECT_EQ(process->hear(), "ready");
      process->kill();
      dead.insert(process->pid());
    }
    std::unique_ptr<Process> mortal;
    if (role.has_mortal) {
      mortal = in_domain(stay_until_killed);
      EXPECT_EQ(mortal->hear(), "ready");
      dead.insert(mortal->pid());
    }
    auto victim = in_domain([&](Channel& channel) {
      internal::os::watch_failpoints(tally_->failpoints);
      role.body(*tally_, channel);
    });
    dead.insert(victim->pid());
    bool overtaken = !is_stopped_first;
    Ending ending = Ending::running;
    EXPECT_TRUE(eventually([&] {
      ending = look_at_process(victim->pid());
      if (ending == Ending::stopped) {
        EXPECT_TRUE(partners_go_on()) << "while the victim is stopped";
        if (!overtaken) {
          copy_counts(before_);
          watch.signal = signal;
          watch.nth = nth + (armed == no_failpoint ? 0 : before_[armed]);
          watch.armed = armed;
          overtaken = true;
        }
        victim->signal(SIGCONT);
      } else if (mortal && victim->channel().hear(std::chrono::milliseconds(5)) == "kill") {
        mortal->kill();
      }
      return ending == Ending::ended;
    }))
      << "the victim comes to an end";
    if (mortal) {
      mortal->say("leave");
      mortal->wait();
    }
    const int status = victim->wait();
    const bool is_reached =
      armed != no_failpoint && watch.armed == armed && watch.reached[armed] >= watch.nth;
    if (status != 0 || (is_reached && signal == SIGKILL && role.name != "Forker")) {
      EXPECT_EQ(status, is_reached ? -signal : 0);
    }
    look_at_everything(dead);
    if (role.alone) found_again();
    return is_reached;
  }

  std::vector<std::uint32_t> times_reached(const Role& role)
  {
    run(role, no_failpoint, 0, 0);
    std::vector<std::uint32_t> reached;
    copy_counts(reached);
    for (std::size_t i = 0; i < before_.size(); ++i) reached[i] -= before_[i];
    return reached;
  }

  std::size_t tidied_ = 0;  ///< runs after which the next joiner had something to clean up

 private:
  bool partners_go_on()
  {
    const std::uint64_t published = tally_->published;
    const std::uint64_t received = tally_->received;
    return eventually(
      [&] { return tally_->published >= published + 5 && tally_->received >= received + 5; });
  }

  void copy_counts(std::vector<std::uint32_t>& counts) const
  {
    const auto& reached = tally_->failpoints.reached;
    counts.assign(reached.begin(),
                  reached.begin() + static_cast<std::ptrdiff_t>(failpoints().count));
  }

  void pause()
  {
    tally_->pause = true;
    EXPECT_TRUE(eventually([&] { return tally_->publisher_paused && tally_->subscriber_paused; }))
      << "the partners come to rest";
  }

  void resume()
  {
    tally_->pause = false;
    EXPECT_TRUE(
      eventually([&] { return !tally_->publisher_paused && !tally_->subscriber_paused; }));
  }

  void tidy()
  {
    Process joiner([](Channel&) { Node("tidier").create_publisher<Sample>("/tidy", QoS(1)); });
    EXPECT_EQ(joiner.wait(), 0) << joiner.hear();
  }

  std::string remains(const std::set<pid_t>& dead) const
  {
    std::string text;
    for (const pid_t pid : dead) text += remains_of(pid);
    const auto domain = static_cast<std::uint32_t>(std::stoul(std::getenv("AGNOCAST_DOMAIN_ID")));
    const std::vector<pid_t> live{publisher_->pid(), subscriber_->pid()};
    if (registered_processes(domain).size() < live.size()) text += "a partner is missing; ";
    return text + registry_fault(domain, live);
  }

  void look_at_everything(const std::set<pid_t>& dead)
  {
    EXPECT_TRUE(partners_go_on()) << "after the victim";
    const auto all_delivered = [&] { return tally_->victim_received >= tally_->victim_published; };
    EXPECT_TRUE(eventually(all_delivered))
      << tally_->victim_published << " published by the victim, " << tally_->victim_received
      << " received";
    EXPECT_LE(tally_->victim_received, tally_->victim_published + 1);
    // What died before it was anybody's partner is cleaned up by who comes next.
    if (!eventually([&] { return remains(dead).empty(); }, std::chrono::milliseconds(200))) {
      tidy();
      ++tidied_;
    }
    EXPECT_TRUE(eventually([&] { return remains(dead).empty(); })) << "left: " << remains(dead);
    pause();
    EXPECT_EQ(tally_->retained, 0) << "messages that are not freed";
    EXPECT_TRUE(eventually([&] { return tally_->used_blocks == 0; }))
      << tally_->used_blocks << " blocks of the steady publisher's heap are in use";
    resume();
    EXPECT_EQ(tally_->corrupted, 0);
    EXPECT_EQ(tally_->disordered, 0);
    EXPECT_EQ(tally_->failed, 0);
    tally_->corrupted = tally_->disordered = tally_->failed = 0;
  }

  // The victim was alone: its domain must serve the next who comes, and then be gone.
  void found_again()
  {
    Process next([domain = own_domain()](Channel& channel) {
      ::setenv("AGNOCAST_DOMAIN_ID", domain.c_str(), 1);
      channel.say(outcome_of_joining("/again"));
    });
    EXPECT_EQ(next.hear(), "nothing thrown");
    EXPECT_EQ(next.wait(), 0);
    const std::string path = "/dev/shm/agnocast_registry." + own_domain();
    EXPECT_FALSE(file_exists(path)) << path;
    EXPECT_FALSE(file_exists(path + ".lock")) << path;
  }

  Tally* tally_ = nullptr;
  std::unique_ptr<Process> publisher_, subscriber_;
  std::vector<std::uint32_t> before_;  ///< counts of a role when it was stopped first
};

TEST_F(FailpointTest, EachHasANameOfItsOwnAndIsReachedByARole)
{
  std::set<std::string> unreached;
  for (std::size_t i = 0; i < failpoints().count; ++i) {
    const Failpoint& failpoint = failpoints().first[i];
    EXPECT_TRUE(unreached.insert(failpoint.name).second)
      << failpoint.name << " is there twice: " << failpoint.file << ":" << failpoint.line;
  }
  EXPECT_GT(unreached.size(), 80u);
  for (const Role& role : roles()) {
    SCOPED_TRACE(role.name);
    const auto times = times_reached(role);
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (times[i] != 0) unreached.erase(failpoints().first[i].name);
    }
  }
  for (const std::string& name : unreached) ADD_FAILURE() << "no role reaches " << name;
}

class Victim : public FailpointTest,
               public testing::WithParamInterface<std::tuple<std::size_t, int>>
{
};

std::vector<std::uint32_t> times_to_try(const Failpoint& failpoint, std::uint32_t reached)
{
  static const bool all = std::getenv("AGNOCAST_FAILPOINTS") != nullptr;
  std::set<std::uint32_t> times;
  const bool is_store = std::strstr(failpoint.name, "stored") != nullptr;
  const std::uint32_t each = all || is_store ? 40 : 2;
  for (std::uint32_t nth = 1; nth <= std::min(reached, each); ++nth) times.insert(nth);
  if (reached != 0) times.insert(reached);
  return {times.begin(), times.end()};
}

TEST_P(Victim, MayEndOrPauseAtAnyStepAndItsPartnersGoOn)
{
  const Role& role = roles()[std::get<0>(GetParam())];
  const int signal = std::get<1>(GetParam());
  // What happens now and then, such as cleaning up after another test, is no step of this role.
  auto reached = times_reached(role);
  for (int again = 0; again < 2; ++again) {
    const auto times = times_reached(role);
    for (std::size_t i = 0; i < reached.size(); ++i) reached[i] = std::min(reached[i], times[i]);
  }
  // Every joiner sweeps, but only some roles are sure to find something.
  const bool cleans = role.finds_remains || role.has_mortal || role.name == "Heir";
  for (std::size_t i = 0; i < reached.size() && !cleans; ++i) {
    if (std::strncmp(failpoints().first[i].name, "clean.", 6) == 0) reached[i] = 0;
  }
  std::size_t runs = 0;
  std::size_t faults = 0;
  for (std::uint32_t i = 0; i < reached.size() && !HasFailure(); ++i) {
    const Failpoint& failpoint = failpoints().first[i];
    for (const std::uint32_t nth : times_to_try(failpoint, reached[i])) {
      const testing::ScopedTrace trace(
        failpoint.file, failpoint.line,
        std::string(failpoint.name) + ", time " + std::to_string(nth));
      // What depends on who is faster may happen less often than it did when we counted.
      bool is_reached = false;
      for (int attempt = 0; attempt < (nth == 1 ? 20 : 1) && !is_reached && !HasFailure();
           ++attempt) {
        is_reached = run(role, i, nth, signal);
        ++runs;
      }
      faults += is_reached ? 1 : 0;
      EXPECT_TRUE(is_reached || nth != 1) << "reached in three runs, and then not in twenty";
      if (HasFailure()) break;
    }
  }
  std::printf("%s: %zu faults in %zu runs, %zu left something to the next joiner\n",
              role.name.c_str(), faults, runs, tidied_);
}

INSTANTIATE_TEST_SUITE_P(Roles, Victim,
                         testing::Combine(testing::Range<std::size_t>(0, roles().size()),
                                          testing::Values(SIGKILL, SIGSTOP)),
                         [](const auto& test) {
                           return roles()[std::get<0>(test.param)].name +
                                  (std::get<1>(test.param) == SIGKILL ? "Killed" : "Stopped");
                         });

}  // namespace
}  // namespace agnocast::test

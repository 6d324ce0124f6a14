// Machines that a test makes up: namespaces of its own, limits, system calls that are not there.
// All of it is put on in a child, a "world", which then starts the processes under test.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {

/// Why this machine cannot play that part: the test is skipped.
class Cannot : public std::runtime_error
{
 public:
  using std::runtime_error::runtime_error;
};

/// Runs \p body in a process of its own. "all well", "cannot: <why>", or what went wrong.
std::string in_world(const std::function<void()>& body);

/// The outcome of a world is "all well", or the test is skipped because it cannot be had.
#define EXPECT_ALL_WELL(body)                                                         \
  do {                                                                                \
    const std::string outcome_of_world = agnocast::test::in_world(body);              \
    if (outcome_of_world.rfind("cannot: ", 0) == 0) GTEST_SKIP() << outcome_of_world; \
    EXPECT_EQ(outcome_of_world, "all well");                                          \
  } while (false)

/// Enters namespaces (CLONE_NEW...) of its own; as an ordinary user in a user namespace too, in
/// which it looks like root. Throws Cannot with the kernel's reason.
void enter_namespaces(int flags);
/// Mount and ipc namespaces, and a /dev/shm of its own with these tmpfs options.
void enter_own_shm(const std::string& options);
/// For the rest of the process and its children: no capabilities. Root is bound by limits then.
void become_ordinary();

void set_limit(int resource, rlim_t soft);

/// A system call that fails with \p error from now on, for this thread and all it starts. With
/// \p argument, only where argument number `argument.first` is `argument.second`.
void refuse_system_call(long number, int error, std::pair<int, std::uint32_t> argument = {-1, 0});

/// Fills /dev/shm with a file until nothing fits any more.
class Filler
{
 public:
  Filler();
  ~Filler();
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;
  /// Takes what is free, but for about \p spare bytes.
  void fill(std::size_t spare = 0);
  /// Gives everything back.
  void clear();

 private:
  int fd_;
};

/// Descriptors of the process but for the one that counts them.
std::size_t open_descriptors();
/// As daemons do, from 3 to \p last; the pipes to the test stay.
void close_all_but_pipes(int last = 1023);
/// Opens descriptors until no more can be had; closed with the object.
class AllDescriptors
{
 public:
  AllDescriptors();
  ~AllDescriptors() { clear(); }
  AllDescriptors(const AllDescriptors&) = delete;
  AllDescriptors& operator=(const AllDescriptors&) = delete;
  void clear();

 private:
  std::vector<int> taken_;
};

/// A line of /proc/self/status such as "VmRSS", in kB.
std::size_t status_kb(const std::string& field);
std::size_t mapping_count();

/// Everything that \p body writes to standard error meanwhile.
std::string standard_error_of(const std::function<void()>& body);
std::size_t count_of(const std::string& text, const std::string& part);

/// True in the long run (AGNOCAST_TEST_LONG=1).
bool is_long_run();

/// A process that publishes report after report, numbered from 1 and as fast as told, and answers
/// orders: "publish <n>", "retained", "used", "leave".
class Talker
{
 public:
  explicit Talker(std::string topic = "/machine", QoS qos = QoS(50));
  /// "published", or what the publish threw.
  std::string publish(std::uint64_t count = 1);
  std::uint64_t used() { return std::stoull(ask("used")); }
  std::uint64_t retained() { return std::stoull(ask("retained")); }
  std::string ask(const std::string& order);
  void leave();
  Process& process() { return process_; }

 private:
  Process process_;
};

/// Takes what is there and requires it to be whole and to go on after \p last; the last number.
std::uint64_t take_all(Subscription<Report>& subscription, std::uint64_t last);
/// The same until \p last has been taken.
void await_number(Subscription<Report>& subscription, std::uint64_t& last, std::uint64_t wanted);

}  // namespace agnocast::test

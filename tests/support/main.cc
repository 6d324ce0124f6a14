// The main() of every test program: a domain of its own, and a look at what is left behind.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "support/process.hpp"
#include "support/watchdog.hpp"

namespace {

// What the domain of this program and its children have in /dev/shm and among the message queues.
std::string own_objects()
{
  static const std::string domain = std::to_string(1'000'000 + ::getpid());
  std::vector<std::string> files;
  for (const std::string end : {"", ".lock", "@2001", "@2002", "@2003"}) {
    files.push_back("agnocast_registry." + domain + end);
  }
  std::string found;
  for (const pid_t pid : agnocast::test::started_processes()) {
    const std::string id = std::to_string(pid);
    files.push_back("agnocast@" + id);
    files.push_back("agnocast_doorbell@" + id);
    const std::string queue = "/new_publisher@" + id;
    if (const mqd_t got = ::mq_open(queue.c_str(), O_RDONLY); got >= 0) {
      ::mq_close(got);
      found += "queue " + queue + "\n";
    }
  }
  for (const std::string& file : files) {
    if (::access(("/dev/shm/" + file).c_str(), F_OK) == 0) found += "/dev/shm/" + file + "\n";
  }
  return found;
}

class LeavesNothingBehind : public testing::EmptyTestEventListener
{
  void OnTestEnd(const testing::TestInfo&) override
  {
    // A child that was told to end may still be at it.
    EXPECT_TRUE(agnocast::test::eventually([] { return own_objects().empty(); }))
      << "left behind:\n"
      << own_objects();
  }
};

}  // namespace

int main(int argc, char** argv)
{
  ::setenv("AGNOCAST_DOMAIN_ID", std::to_string(1'000'000 + ::getpid()).c_str(), 1);
  for (const char* name : {"AGNOCAST_HEAP", "AGNOCAST_MEMPOOL_SIZE", "MEMPOOL_SIZE",
                           "AGNOCAST_ACCESS", "AGNOCAST_WINDOW"}) {
    ::unsetenv(name);
  }
#ifdef AGNOCAST_TEST_WINDOW
  ::setenv("AGNOCAST_WINDOW", AGNOCAST_TEST_WINDOW, 1);
#endif
  ::signal(SIGPIPE, SIG_IGN);  // a child that is gone is told by what it does not say
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new LeavesNothingBehind());
  testing::UnitTest::GetInstance()->listeners().Append(new agnocast::test::Watchdog());
  return RUN_ALL_TESTS();
}

// Forks of forks, forks among threads, fork and exec, and the death of a forked child's parent.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "lifecycle/forking.hpp"

namespace agnocast::test {
namespace {

class ForkAgain : public ForcefulTest
{
};

TEST_F(ForkAgain, AForkedChildCanForkAgain)
{
  EXPECT_EQ(in_process([] {
              Parent parent;
              parent.talk_to_itself(1);
              const int status = in_fork([&]() -> std::string {
                Parent child("/child");
                child.talk_to_itself(2);
                const int inner = in_fork([&]() -> std::string {
                  Parent grandchild("/grandchild");
                  grandchild.talk_to_itself(3);
                  return "";
                });
                child.talk_to_itself(4);
                return inner == 0 ? "" : "the grandchild's status is " + std::to_string(inner);
              });
              require(status == 0, "the child's status is " + std::to_string(status));
              parent.talk_to_itself(5);
              return std::string("all well");
            }),
            "all well");
}

TEST_F(ForkAgain, AForkedChildCanExecuteAProgram)
{
  EXPECT_EQ(in_process([] {
              Parent parent;
              auto loan = parent.publisher->borrow_loaned_message();
              fill(*loan, 3);
              const int status = in_fork([]() -> std::string {
                ::execl("/bin/true", "true", nullptr);
                return "no exec";
              });
              require(status == 0, "true's status is " + std::to_string(status));
              require(std::system("exit 3") == 3 << 8, "system() works too");
              loan.reset();
              parent.talk_to_itself(4);
              return std::string("all well");
            }),
            "all well");
}

TEST_F(ForkAgain, ForksAmongAllocatingThreadsDoNotHang)
{
  EXPECT_EQ(in_process([] {
              Parent parent;
              std::atomic<bool> stop{false};
              std::vector<std::thread> threads;
              for (int t = 0; t < 4; ++t) {
                threads.emplace_back([&stop, t] {
                  const SharedHeapScope scope;
                  while (!stop) {
                    Report report;
                    fill(report, static_cast<std::uint64_t>(t), 100);
                  }
                });
              }
              int failed = 0;
              for (int i = 0; i < 20; ++i) {
                failed += in_fork([]() -> std::string {
                            Parent child("/child");
                            child.talk_to_itself(2);
                            return "";
                          }) != 0;
              }
              stop = true;
              for (auto& thread : threads) thread.join();
              require(failed == 0, "all children are well");
              parent.talk_to_itself(6);
              return std::string("all well");
            }),
            "all well");
}

TEST_F(ForkAgain, PeersLearnOfADeathAlthoughAForkedChildLives)
{
  Process parent([](Channel& channel) {
    Parent joined;
    publish_report(*joined.publisher, 1);
    const pid_t child = ::fork();
    if (child == 0) {
      channel.say("child " + std::to_string(::getpid()));
      channel.hear();  // lives until the test says so, or its patience ends
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  });
  Process peer([](Channel& channel) {
    Node node("peer");
    auto subscription = node.create_subscription<Report>("/fork", QoS(5));
    require(eventually([&] { return subscription->publisher_count() == 1; }), "a publisher");
    channel.say("connected");
    require(eventually([&] { return subscription->publisher_count() == 0; }), "its death");
    channel.say("noticed");
    channel.hear();
  });
  ASSERT_TRUE(contains(parent.hear(), {"child "}));
  ASSERT_EQ(peer.hear(), "connected");
  parent.kill();
  EXPECT_EQ(peer.hear(), "noticed");
  parent.say("end");
  peer.say("leave");
  EXPECT_EQ(peer.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

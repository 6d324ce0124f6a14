// fork() of processes that use the library: the child is a stranger that can join by itself.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <thread>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class Fork : public ForcefulTest
{
};

// Forks in a child of the test; the status of the grandchild that ran \p body, which ends with
// _exit() or, to run destructors of libraries, with exit().
int in_fork(const std::function<std::string()>& body, bool in_order = true)
{
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::string text = "an exception";
    try {
      text = body();
    } catch (const std::exception& error) {
      text = error.what();
    }
    if (!text.empty()) std::fprintf(stderr, "forked child: %s\n", text.c_str());
    if (in_order) std::exit(text.empty() ? 0 : 1);
    ::_exit(text.empty() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

struct Parent
{
  Node node{"parent"};
  std::shared_ptr<Publisher<Report>> publisher = node.create_publisher<Report>("/fork", QoS(5));
  std::shared_ptr<Subscription<Report>> subscription =
    node.create_subscription<Report>("/fork", QoS(5));

  void talk_to_itself(std::uint64_t number)
  {
    publish_report(*publisher, number);
    const auto message = subscription->take();
    require(message && is_whole(*message, number), "the parent talks to itself");
  }
};

TEST_F(Fork, AChildKeepsItsViewOfTheHeapWhileTheParentGoesOnWriting)
{
  EXPECT_EQ(in_process([] {
    Parent parent;
    auto loan = parent.publisher->borrow_loaned_message();
    fill(*loan, 3);
    Report* raw = loan.get();
    int up[2];
    int down[2];
    require(::pipe(up) == 0 && ::pipe(down) == 0, "pipes");
    const pid_t pid = ::fork();
    if (pid == 0) {
      char byte = 'r';
      if (::write(up[1], &byte, 1) != 1 || ::read(down[0], &byte, 1) != 1) ::_exit(2);
      bool whole = true;
      for (int i = 0; i < 20; ++i) whole = whole && is_whole(*raw, 3);
      ::_exit(whole ? 0 : 1);
    }
    char byte = 0;
    require(::read(up[0], &byte, 1) == 1, "the child is there");
    for (std::uint64_t i = 4; i < 30; ++i) fill(*loan, i);
    loan.reset();
    for (std::uint64_t i = 1; i < 30; ++i) parent.talk_to_itself(i);
    require(::write(down[1], &byte, 1) == 1, "the child is told");
    int status = -1;
    ::waitpid(pid, &status, 0);
    require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child saw nothing of it");
    return std::string("all well");
  }), "all well");
}

TEST_F(Fork, AChildCanGrowAndFreeInheritedBlocks)
{
  EXPECT_EQ(in_process([] {
    Parent parent;
    auto loan = parent.publisher->borrow_loaned_message();
    fill(*loan, 3);
    std::vector<std::uint64_t> moved = std::move(loan->values);
    auto* block = static_cast<char*>(std::malloc(100));
    std::snprintf(block, 100, "inherited");
    require(in_shared_heap(block), "the block lies in the shared heap");
    const int status = in_fork([&]() -> std::string {
      moved.resize(5000, 3);
      if (moved != std::vector<std::uint64_t>(5000, 3)) return "the vector has changed";
      moved = {};
      block = static_cast<char*>(std::realloc(block, 100'000));
      if (block == nullptr || std::string(block) != "inherited") return "realloc lost the content";
      std::free(block);
      return "";
    });
    require(status == 0, "the child's status is " + std::to_string(status));
    require(moved == std::vector<std::uint64_t>(1000, 3), "the parent's vector is untouched");
    std::free(block);
    loan.reset();
    parent.talk_to_itself(9);
    return std::string("all well");
  }), "all well");
}

TEST_F(Fork, InheritedObjectsRefuseToWorkAndDoNotDisturbTheParent)
{
  EXPECT_EQ(in_process([] {
    auto parent = std::make_unique<Parent>();
    publish_report(*parent->publisher, 1);
    auto message = parent->subscription->take();
    auto loan = parent->publisher->borrow_loaned_message();
    fill(*loan, 2);
    const int status = in_fork([&]() -> std::string {
      const std::vector<std::string> expected{"UsageError", "/fork", "create one of your own"};
      std::string said = outcome_of([&] { static_cast<void>(parent->publisher->borrow_loaned_message()); });
      if (!contains(said, expected)) return "borrow: " + said;
      said = outcome_of([&] { parent->publisher->publish(std::move(loan)); });
      if (!contains(said, expected)) return "publish: " + said;
      said = outcome_of([&] { static_cast<void>(parent->subscription->take()); });
      if (!contains(said, expected)) return "take: " + said;
      if (!is_whole(*message, 1)) return "the held message is broken";
      parent->publisher->reclaim();
      loan.reset();
      message.reset();
      parent.reset();
      return "";
    });
    require(status == 0, "the child's status is " + std::to_string(status));
    require(is_whole(*message, 1) && is_whole(*loan, 2), "the parent's messages are whole");
    require(file_exists(area_path(::getpid())) && file_exists(registry_path()), "still registered");
    require(parent->publisher->subscription_count() == 1, "and connected");
    parent->publisher->publish(std::move(loan));
    const auto second = parent->subscription->take();
    require(second && is_whole(*second, 2), "and can talk");
    return std::string("all well");
  }), "all well");
}

TEST_F(Fork, AChildCanJoinAndTalkToItsParentAndToAThirdProcess)
{
  Process third([](Channel& channel) {
    Node node("third");
    auto subscription = node.create_subscription<Report>("/fork", QoS(20));
    channel.say("ready");
    auto message = await_message(*subscription);
    require(message && is_whole(*message, 11), "the forked child's message");
    message = await_message(*subscription);
    require(message && is_whole(*message, 12), "then its parent's");
    channel.say("all well");
    channel.hear();
  });
  ASSERT_EQ(third.hear(), "ready");
  EXPECT_EQ(in_process([] {
    Parent parent;
    const int status = in_fork([]() -> std::string {
      Node node("forked_child");
      auto publisher = node.create_publisher<Report>("/fork", QoS(5));
      if (publisher->subscription_count() != 2) return "not connected";
      publish_report(*publisher, 11);
      return "";
    });
    require(status == 0, "the child's status is " + std::to_string(status));
    const auto message = await_message(*parent.subscription);
    require(message && is_whole(*message, 11), "the child's message reached its parent");
    publish_report(*parent.publisher, 12);
    return std::string("all well");
  }), "all well");
  EXPECT_EQ(third.hear(), "all well");
  third.say("leave");
  EXPECT_EQ(third.wait(), 0);
}

TEST_F(Fork, AForkedChildCanForkAgain)
{
  EXPECT_EQ(in_process([] {
    Parent parent;
    parent.talk_to_itself(1);
    const int status = in_fork([&]() -> std::string {
      Parent child;
      child.talk_to_itself(2);
      const int inner = in_fork([&]() -> std::string {
        Parent grandchild;
        grandchild.talk_to_itself(3);
        return "";
      });
      child.talk_to_itself(4);
      return inner == 0 ? "" : "the grandchild's status is " + std::to_string(inner);
    });
    require(status == 0, "the child's status is " + std::to_string(status));
    parent.talk_to_itself(5);
    return std::string("all well");
  }), "all well");
}

TEST_F(Fork, AForkedChildCanExecuteAProgram)
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
  }), "all well");
}

TEST_F(Fork, ForksAmongAllocatingThreadsDoNotHang)
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
        Parent child;
        child.talk_to_itself(2);
        return "";
      }) != 0;
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    require(failed == 0, "all children are well");
    parent.talk_to_itself(6);
    return std::string("all well");
  }), "all well");
}

TEST_F(Fork, PeersLearnOfADeathAlthoughAForkedChildLives)
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

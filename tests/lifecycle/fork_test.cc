// fork() of processes that use the library: the child is a stranger that can join by itself.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <thread>

#include "lifecycle/forking.hpp"

namespace agnocast::test {
namespace {

class Fork : public ForcefulTest
{
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
            }),
            "all well");
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
                if (block == nullptr || std::string(block) != "inherited")
                  return "realloc lost the content";
                std::free(block);
                return "";
              });
              require(status == 0, "the child's status is " + std::to_string(status));
              require(moved == std::vector<std::uint64_t>(1000, 3),
                      "the parent's vector is untouched");
              std::free(block);
              loan.reset();
              parent.talk_to_itself(9);
              return std::string("all well");
            }),
            "all well");
}

TEST_F(Fork, InheritedObjectsRefuseToWorkAndDoNotDisturbTheParent)
{
  EXPECT_EQ(
    in_process([] {
      auto parent = std::make_unique<Parent>();
      publish_report(*parent->publisher, 1);
      auto message = parent->subscription->take();
      auto loan = parent->publisher->borrow_loaned_message();
      fill(*loan, 2);
      const int status = in_fork([&]() -> std::string {
        const std::vector<std::string> expected{"UsageError", "/fork", "create one of your own"};
        std::string said =
          outcome_of([&] { static_cast<void>(parent->publisher->borrow_loaned_message()); });
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
      require(file_exists(area_path(::getpid())) && registry_exists(), "still registered");
      require(parent->publisher->subscription_count() == 1, "and connected");
      parent->publisher->publish(std::move(loan));
      const auto second = parent->subscription->take();
      require(second && is_whole(*second, 2), "and can talk");
      return std::string("all well");
    }),
    "all well");
}

// A child cannot read what its parent publishes: the parent's addresses hold its private copy.
TEST_F(Fork, AChildCanJoinAndTalkToAThirdProcessBesideItsParent)
{
  Process third([](Channel& channel) {
    Node node("third");
    auto of_child = node.create_subscription<Report>("/child", QoS(20));
    auto of_parent = node.create_subscription<Report>("/fork", QoS(20));
    auto answers = node.create_publisher<Report>("/answers", QoS(20));
    channel.say("ready");
    auto message = await_message(*of_child);
    require(message && is_whole(*message, 11), "the forked child's message");
    publish_report(*answers, 13);
    message = await_message(*of_parent);
    require(message && is_whole(*message, 12), "its parent's");
    message.reset();
    channel.say("all well");
    channel.hear();
  });
  ASSERT_EQ(third.hear(), "ready");
  EXPECT_EQ(in_process([] {
              Parent parent;
              const int status = in_fork([]() -> std::string {
                Node node("forked_child");
                auto answers = node.create_subscription<Report>("/answers", QoS(5));
                auto publisher = node.create_publisher<Report>("/child", QoS(5));
                publish_report(*publisher, 11);
                const auto answer = await_message(*answers);
                return answer && is_whole(*answer, 13) ? "" : "no answer";
              });
              require(status == 0, "the child's status is " + std::to_string(status));
              publish_report(*parent.publisher, 12);
              require(eventually([&] {
                        while (parent.subscription->take()) {
                        }
                        return parent.publisher->retained_count() == 0;
                      }),
                      "it is taken by both");
              return std::string("all well");
            }),
            "all well");
  ASSERT_EQ(third.hear(), "all well");
  third.say("leave");
  EXPECT_EQ(third.wait(), 0);
}

}  // namespace
}  // namespace agnocast::test

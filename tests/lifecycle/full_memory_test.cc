// A /dev/shm that is full, too small, read-only or missing; each in a mount namespace of its own.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <sys/mount.h>

#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class FullMemory : public testing::Test
{
 protected:
  void SetUp() override
  {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can mount";
    const std::string said = in_process([] { return own_shm("size=8m") ? "yes" : "no"; });
    if (said != "yes") GTEST_SKIP() << "mounts in a namespace of its own are not permitted here";
  }

  // Gives the calling process a /dev/shm of its own.
  static bool own_shm(const std::string& options)
  {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", "/dev/shm", "tmpfs", 0, options.c_str()) == 0;
  }

  static std::string join_in(const std::string& options, const std::string& mempool = "")
  {
    return in_process([&] {
      require(own_shm(options), "a mount");
      if (!mempool.empty()) ::setenv("AGNOCAST_MEMPOOL_SIZE", mempool.c_str(), 1);
      return outcome_of_joining();
    });
  }
};

TEST_F(FullMemory, AFullSharedMemoryThrowsAndWorksAgainAfterARelease)
{
  EXPECT_EQ(
    in_process([] {
      require(own_shm("size=24m"), "a mount");
      ::setenv("AGNOCAST_MEMPOOL_SIZE", "102400", 1);
      Node node("greedy");
      auto publisher = node.create_publisher<Report>("/greedy", QoS(1000));
      auto subscription = node.create_subscription<Report>("/greedy", QoS(1000));
      for (int round = 0; round < 3; ++round) {
        std::uint64_t published = 0;
        std::string outcome = "nothing thrown";
        while (outcome == "nothing thrown" && published < 1000) {
          outcome = outcome_of([&] {
            publish_report(*publisher, published + 1, 20'000);
            ++published;
          });
        }
        if (outcome == "nothing thrown") return std::string("it was never full");
        if (!contains(outcome, {"bad_alloc"}) && !contains(outcome, {"ResourceError", "remount"})) {
          return outcome;
        }
        std::uint64_t taken = 0;
        while (const auto message = subscription->take()) {
          ++taken;
          if (!is_whole(*message, taken, 20'000)) return std::string("a message is broken");
        }
        if (taken != published) return std::string("a message is missing");
        publisher->reclaim();
      }
      return std::string("all well");
    }),
    "all well");
}

TEST_F(FullMemory, ALoanThatFindsNoRoomSaysWhoHoldsWhatAndWhatToDo)
{
  struct Block
  {
    unsigned char bytes[1'000'000];
  };
  EXPECT_TRUE(contains(in_process([] {
                         require(own_shm("size=24m"), "a mount");
                         ::setenv("AGNOCAST_MEMPOOL_SIZE", "102400", 1);
                         Node node("greedy");
                         auto publisher = node.create_publisher<Block>("/blocks", QoS(1000));
                         auto subscription = node.create_subscription<Block>("/blocks", QoS(1000));
                         return outcome_of([&] {
                           for (int i = 0; i < 1000; ++i)
                             publisher->publish(publisher->borrow_loaned_message());
                         });
                       }),
                       {"ResourceError", "/blocks", "kept", "remount", "/dev/shm"}));
}

TEST_F(FullMemory, AMempoolLargerThanSharedMemoryIsRefusedWithBothSizes)
{
  const std::string said = join_in("size=8m", "100000000");
  EXPECT_TRUE(
    contains(said, {"ResourceError", "101 MB", "9 MB", "AGNOCAST_MEMPOOL_SIZE", "remount"}));
}

TEST_F(FullMemory, ASharedMemoryWithoutRoomForARegistryIsRefused)
{
  EXPECT_TRUE(contains(join_in("size=64k"), {"Error", "/dev/shm", "full", "remount"}));
}

TEST_F(FullMemory, ASharedMemoryWithoutInodesIsRefused)
{
  EXPECT_TRUE(contains(join_in("nr_inodes=2"), {"RegistryError", "/dev/shm", "full"}));
  EXPECT_TRUE(contains(join_in("nr_inodes=3"), {"ResourceError", "/dev/shm", "full"}));
}

TEST_F(FullMemory, AReadOnlySharedMemoryIsRefused)
{
  EXPECT_TRUE(contains(join_in("ro"), {"Error", "read-only", "remount,rw"}));
}

TEST_F(FullMemory, AMissingSharedMemoryIsRefused)
{
  EXPECT_TRUE(contains(
    in_process([] {
      require(::unshare(CLONE_NEWNS) == 0, "a namespace");
      require(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
      require(::mount("tmpfs", "/dev", "tmpfs", 0, nullptr) == 0, "an empty /dev");
      return outcome_of_joining();
    }),
    {"Error", "no /dev/shm", "mount -t tmpfs"}));
}

}  // namespace
}  // namespace agnocast::test

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "runtime/workers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "os/futex.hpp"
#include "support/process.hpp"

namespace agnocast::internal {
namespace {

TEST(Workers, DoTheLibrarysOwnJobsWhileAnyNumberOfDestructorsDoNotReturn)
{
  auto& workers = *new Workers();  // lives as long as its threads, as the process's own
  workers.schedule({});
  static std::atomic<bool> may_return{false};
  static std::atomic<int> running{0};
  static std::atomic<bool> is_done{false};
  static std::array<char, 20> keys;
  for (const char& key : keys) {
    workers.add(&key, Workers::Runs::user_code, [] {
      ++running;
      while (!may_return) os::sleep_ns(1'000'000);
      --running;
    });
  }
  const auto look = [&](const std::function<bool()>& condition) {
    return test::eventually([&] {
      static_cast<void>(workers.relieve());
      return condition();
    });
  };
  ASSERT_TRUE(look([] { return running == 7; }));
  os::sleep_ns(100'000'000);
  EXPECT_TRUE(workers.relieve());
  workers.add(&workers, Workers::Runs::library_code, [] { is_done = true; });
  EXPECT_TRUE(look([] { return is_done.load(); }));
  EXPECT_EQ(running, 7) << "one thread is the library's";
  may_return = true;
  EXPECT_TRUE(look([&] { return running == 0 && !workers.relieve(); }));
}

}  // namespace
}  // namespace agnocast::internal

// The main() of every test program: a domain of its own, and a look at what is left behind.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "support/process.hpp"

namespace {

class LeavesNothingBehind : public testing::EmptyTestEventListener
{
  void OnTestEnd(const testing::TestInfo&) override
  {
    // Other test programs may run beside this one; what matters is gone in a moment or stays.
    EXPECT_TRUE(agnocast::test::eventually([] { return own_objects().empty(); }))
      << "left behind:\n"
      << own_objects();
  }

  static std::string own_objects()
  {
    const std::string registry = std::string("shm:agnocast_registry.") + std::getenv("AGNOCAST_DOMAIN_ID");
    return agnocast::test::shared_objects().find(registry + "\n") != std::string::npos ? registry
                                                                                       : std::string();
  }

};

}  // namespace

int main(int argc, char** argv)
{
  ::setenv("AGNOCAST_DOMAIN_ID", std::to_string(1'000'000 + ::getpid()).c_str(), 1);
  for (const char* name : {"AGNOCAST_HEAP", "AGNOCAST_MEMPOOL_SIZE", "MEMPOOL_SIZE", "AGNOCAST_ACCESS",
                           "AGNOCAST_WINDOW"}) {
    ::unsetenv(name);
  }
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new LeavesNothingBehind());
  return RUN_ALL_TESTS();
}

// Tells what the processes of a test wait for when it takes suspiciously long.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

namespace agnocast::test {

/// Watches each test of this program from a process of its own, which is nobody's child: tests fork
/// and count their children. When a test has waited for one thing for 20 s, that process prints the
/// stacks of the test program and of all that it has started, to standard error; once for each
/// test, and it ends nothing.
class Watchdog : public testing::EmptyTestEventListener
{
 public:
  void OnTestStart(const testing::TestInfo& test) override;
  void OnTestEnd(const testing::TestInfo& test) override;
};

}  // namespace agnocast::test

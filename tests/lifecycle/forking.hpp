// What the tests of fork() share: a process that is joined, and a fork of it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/wait.h>

#include <memory>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {

// Forks in a child of the test; the status of the grandchild that ran \p body, which ends with
// _exit() or, to run destructors of libraries, with exit().
inline int in_fork(const std::function<std::string()>& body, bool in_order = true)
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

// Joined, with both ends of a topic.
struct Parent
{
  explicit Parent(const std::string& topic = "/fork")
    : publisher(node.create_publisher<Report>(topic, QoS(5))),
      subscription(node.create_subscription<Report>(topic, QoS(5)))
  {
  }

  void talk_to_itself(std::uint64_t number)
  {
    publish_report(*publisher, number);
    const auto message = subscription->take();
    require(message && is_whole(*message, number), "a process talks to itself");
  }

  Node node{"parent"};
  std::shared_ptr<Publisher<Report>> publisher;
  std::shared_ptr<Subscription<Report>> subscription;
};

}  // namespace agnocast::test

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "support/watchdog.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "support/process.hpp"
#include "support/random.hpp"
#include "support/stacks.hpp"

namespace agnocast::test {

namespace {

constexpr std::uint64_t suspicious_ns = 20'000'000'000;

int to_watchdog = -1;

// Lines: "+" and the test that begins; "-": it has ended; ".": what it waited for has come.
void tell(const std::string& line)
{
  const std::string text = line + "\n";
  if (::write(to_watchdog, text.data(), text.size()) < 0) return;  // then nobody watches
}

[[noreturn]] void watch(pid_t tester, int pipe)
{
  std::string test;
  std::string text;
  std::uint64_t since_ns = 0;
  while (::kill(tester, 0) == 0) {
    pollfd polled{pipe, POLLIN, 0};
    char part[512];
    if (::poll(&polled, 1, 500) > 0) {
      const ssize_t size = ::read(pipe, part, sizeof part);
      if (size <= 0) break;
      text.append(part, static_cast<std::size_t>(size));
      for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos;) {
        since_ns = now_ns();
        if (text[0] == '+') test = text.substr(1, end - 1);
        if (text[0] == '-') test.clear();
        text.erase(0, end + 1);
      }
    }
    if (test.empty() || now_ns() < since_ns + suspicious_ns) continue;
    std::fprintf(stderr, "watchdog: %s has waited for 20 s; its processes:\n", test.c_str());
    for (const pid_t process : descendants_of(tester)) print_stacks(process, stderr);
    test.clear();
  }
  ::_exit(0);
}

void start()
{
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  const pid_t tester = ::getpid();
  const pid_t middle = ::fork();
  if (middle == 0) {
    ::close(ends[1]);
    if (::fork() == 0) watch(tester, ends[0]);
    ::_exit(0);
  }
  ::close(ends[0]);
  if (middle > 0) ::waitpid(middle, nullptr, 0);
  to_watchdog = ends[1];
  note_progress = [] { tell("."); };
}

}  // namespace

void Watchdog::OnTestStart(const testing::TestInfo& test)
{
  if (to_watchdog < 0) start();
  tell(std::string("+") + test.test_suite_name() + "." + test.name());
}

void Watchdog::OnTestEnd(const testing::TestInfo&)
{
  tell("-");
}

}  // namespace agnocast::test

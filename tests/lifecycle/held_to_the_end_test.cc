// What a process holds is held until the kernel says that it has ended, and not only until it has
// left the domain: its other threads and libraries may still be at it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <unistd.h>

#include <array>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

struct Numbers
{
  std::vector<int> values;
};

class HeldToTheEnd : public ForcefulTest
{
};

struct Pipe
{
  Pipe() { require(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe"); }
  ~Pipe()
  {
    for (const int end : ends) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void give() const { require(::write(ends[1], "x", 1) == 1, "a byte is given"); }
  std::array<int, 2> ends{};
};

// The next of the words that program.cc says.
char next_word(const Pipe& words)
{
  char word = 0;
  pollfd polled{words.ends[0], POLLIN, 0};
  if (::poll(&polled, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) <= 0) {
    return '?';
  }
  return ::read(words.ends[0], &word, 1) == 1 ? word : '?';
}

TEST_F(HeldToTheEnd, AMessageStaysWholeThoughItsHoldersMainHasEnded)
{
  const Pipe words;
  const Pipe ask;
  const Pipe go_on;
  Process ending([&](Channel&) {
    ::setenv("AGNOCAST_TEST_SLOW_END", "1", 1);
    ::dup2(go_on.ends[0], STDIN_FILENO);
    ::dup2(words.ends[1], STDOUT_FILENO);
    // Descriptor 3 may be one of the pipes' own; nothing else of them is needed any more.
    const int asked = ::fcntl(ask.ends[0], F_DUPFD, 100);
    ::dup2(asked, 3);
    ::execl(AGNOCAST_TEST_ENDS_SLOWLY, AGNOCAST_TEST_ENDS_SLOWLY, nullptr);
    ::_exit(9);
  });
  ASSERT_EQ(next_word(words), 'r');
  Process talker([](Channel& channel) {
    Node node("publisher");
    const auto publisher = node.create_publisher<Numbers>("/slow_end", QoS(1));
    const auto publish = [&](int value) {
      auto loan = publisher->borrow_loaned_message();
      loan->values.assign(100'000, value);
      publisher->publish(std::move(loan));
    };
    publish(7);
    channel.say("published");
    channel.hear();
    for (int i = 0; i < 50; ++i) {
      publish(8);
      publisher->reclaim();
    }
    channel.say("published more");
    channel.hear();
    require(eventually([&] { return publisher->retained_count() == 0; }), "its end is the end");
    channel.say("all well");
  });
  ASSERT_EQ(talker.hear(), "published");
  ASSERT_EQ(next_word(words), 'h');
  ASSERT_EQ(next_word(words), 'e');
  if (!remains_of(ending.pid()).empty()) {
    ending.kill();
    GTEST_SKIP() << "the other library ends first: nothing is tested";
  }
  talker.say("go on");
  ASSERT_EQ(talker.hear(), "published more");
  ask.give();
  EXPECT_EQ(next_word(words), 'w') << "b: the message has changed under its holder";
  go_on.give();
  EXPECT_EQ(ending.wait(), 0);
  talker.say("ended");
  EXPECT_EQ(talker.hear(), "all well");
}

}  // namespace
}  // namespace agnocast::test

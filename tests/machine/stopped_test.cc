// Processes that stand still without being dead, and signals by the thousand.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "machine/machine.hpp"

namespace agnocast::test {
namespace {

class Stopped : public ForcefulTest
{
};

TEST_F(Stopped, SubscriberLetsItsPublisherGoOnInBoundedMemoryAndCountsWhatItMissed)
{
  EXPECT_ALL_WELL([] {
    Process listener([](Channel& channel) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      std::vector<ipc_shared_ptr<const Report>> held;
      channel.say("ready");
      while (held.size() < 5) {
        held.push_back(await_message(*subscription));
        require(held.back() && is_whole(*held.back(), held.size()), "the first five");
      }
      channel.say("holding");
      channel.hear();
      for (std::size_t i = 0; i < 5; ++i) {
        require(is_whole(*held[i], i + 1), "what was held stayed whole");
      }
      const std::uint64_t published = std::stoull(channel.hear().value_or("0"));
      std::uint64_t last = 5;
      std::uint64_t count = 5;
      while (const auto message = subscription->take()) {
        require(message->number > last && is_whole(*message, message->number), "a whole message");
        last = message->number;
        ++count;
      }
      require(last == published, "up to the newest");
      require(count == 55, "the fifty that were kept: " + std::to_string(count));
      require(count + subscription->lost_count() == published,
              std::to_string(subscription->lost_count()) + " lost");
      channel.say("all well");
    });
    require(listener.hear() == "ready", "a listener");
    Talker talker;
    require(talker.publish(5) == "published" && listener.hear() == "holding", "five are held");
    listener.signal(SIGSTOP);
    std::uint64_t published = 5;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::uint64_t used = 0;
    const std::uint64_t least = is_long_run() ? 0 : 20 * 50;
    while (published < least + 5 || (is_long_run() && std::chrono::steady_clock::now() < end)) {
      require(talker.publish(100) == "published", "it goes on");
      published += 100;
      if (published == 305) used = talker.used();
      if (published > 305) require(talker.used() <= used + 300'000, "its memory is bounded");
    }
    require(talker.retained() <= 50 + 5 + 16, "and what it keeps");
    listener.say("go on");
    listener.say(std::to_string(published));
    listener.signal(SIGCONT);
    const std::string said = listener.hear();
    require(said == "all well", said);
    talker.leave();
  });
}

TEST_F(Stopped, ReliableSubscriberUnderKeepAllTimesPublishesOutAndLosesNothing)
{
  EXPECT_ALL_WELL([] {
    Process listener([](Channel& channel) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/all", QoS(1).keep_all(10));
      channel.say("ready");
      std::uint64_t last = 0;
      await_number(*subscription, last, 30);
      require(subscription->lost_count() == 0, "none is lost");
      channel.say("all well");
      channel.hear();
    });
    require(listener.hear() == "ready", "a listener");
    Node node("talker");
    PublisherOptions options;
    options.keep_all_timeout = std::chrono::milliseconds(100);
    auto publisher = node.create_publisher<Report>("/all", QoS(1).keep_all(10), options);
    listener.signal(SIGSTOP);
    std::uint64_t number = 0;
    for (PublishStatus status = PublishStatus::published; number < 30;) {
      auto loan = publisher->borrow_loaned_message();
      fill(*loan, number + 1);
      const auto before = std::chrono::steady_clock::now();
      status = publisher->publish(std::move(loan));
      if (status == PublishStatus::published) {
        ++number;
        continue;
      }
      const auto waited = std::chrono::steady_clock::now() - before;
      require(waited >= std::chrono::milliseconds(99) && waited < patience, "it waits its time");
      require(number >= 9 && number <= 11, "as many as are kept: " + std::to_string(number));
      listener.signal(SIGCONT);
      options.keep_all_timeout = patience;
      require(eventually([&] { return publisher->retained_count() < 5; }), "it goes on");
    }
    const std::string said = listener.hear();
    require(said == "all well", said);
  });
}

TEST_F(Stopped, GroupGoesOnWhereItWas)
{
  EXPECT_ALL_WELL([] {
    Process listener([](Channel& channel) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      WaitSet waits;
      waits.add(*subscription);
      channel.say("ready");
      std::uint64_t last = 0;
      while (last < 200 && waits.wait(patience)) last = take_all(*subscription, last);
      channel.say(std::to_string(last));
      channel.hear();
    });
    require(listener.hear() == "ready", "a listener");
    Talker talker;
    for (int i = 0; i < 20; ++i) {
      for (const int number : {SIGSTOP, SIGCONT}) {
        listener.signal(number);
        talker.process().signal(number);
      }
      require(talker.publish(10) == "published", "published");
    }
    require(listener.hear() == "200", "all come");
    talker.leave();
  });
}

std::atomic<std::uint64_t> handled{0};

void on_signal(int)
{
  handled.fetch_add(1);
}

/// Handlers without SA_RESTART, some on a stack of their own, and a timer that fires 5,000 times a
/// second: every system call of every thread that does not block signals is interrupted.
class SignalStorm
{
 public:
  SignalStorm()
  {
    static char other_stack[65536];
    stack_t stack = {};
    stack.ss_sp = other_stack;
    stack.ss_size = sizeof other_stack;
    require(::sigaltstack(&stack, nullptr) == 0, "sigaltstack");
    for (const int number : {SIGALRM, SIGPIPE, SIGUSR1}) {
      struct sigaction action = {};
      action.sa_handler = on_signal;
      action.sa_flags = number == SIGUSR1 ? SA_ONSTACK : 0;
      require(::sigaction(number, &action, nullptr) == 0, "sigaction");
    }
    const itimerval often{{0, 200}, {0, 200}};
    require(::setitimer(ITIMER_REAL, &often, nullptr) == 0, "setitimer");
    thread_ = std::thread([this, target = ::pthread_self()] {
      while (!stop_) {
        ::pthread_kill(target, SIGUSR1);
        ::kill(::getpid(), SIGPIPE);
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
  }
  ~SignalStorm()
  {
    stop_ = true;
    thread_.join();
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(Stopped, ByASignalStormNothingFailsToJoinCreateWaitTakeOrPublish)
{
  EXPECT_ALL_WELL([] {
    Talker talker("/from_outside");
    const SignalStorm storm;
    auto node = std::make_shared<Node>("stormy");
    std::uint64_t called = 0;
    auto subscription = node->create_subscription<Report>("/from_outside", QoS(50));
    auto spun = node->create_subscription<Report>(
      "/from_outside", QoS(50), [&](const ipc_shared_ptr<const Report>&) { ++called; });
    WaitSet waits;
    waits.add(*subscription);
    std::uint64_t last = 0;
    for (std::uint64_t round = 1; round <= 30; ++round) {
      auto publisher = node->create_publisher<Report>("/new", QoS(5));
      auto reader = node->create_subscription<Report>("/new", QoS(5).keep_all(5));
      publish_report(*publisher, round, 100'000);
      const auto message = reader->take();
      require(message == nullptr || is_whole(*message, round, 100'000), "a message");
      talker.process().say("publish 1");
      require(waits.wait(patience), "a wait that is interrupted goes on");
      await_number(*subscription, last, round);
      while (called < round) require(spin_once(node, patience), "spin_once");
      require(talker.process().hear() == "published", "published");
      const auto before = std::chrono::steady_clock::now();
      require(!waits.wait(std::chrono::milliseconds(5)), "nothing more");
      require(std::chrono::steady_clock::now() - before >= std::chrono::milliseconds(5),
              "the time-out is kept");
    }
    require(handled > 1000, "signals came: " + std::to_string(handled.load()));
    talker.leave();
  });
}

TEST_F(Stopped, ControlThreadLeavesTheProgramsSignalsToTheProgram)
{
  EXPECT_ALL_WELL([] {
    Node node("signals");
    auto publisher = node.create_publisher<Report>("/machine", QoS(5));
    int found = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      if (name != "agnocast") continue;
      ++found;
      std::ifstream status(task.path() / "status");
      std::string blocked;
      for (std::string line; std::getline(status, line);) {
        if (line.rfind("SigBlk:", 0) == 0) blocked = line.substr(8);
      }
      // The kernel does not block SIGKILL and SIGSTOP, the C library not its own 32 and 33; and
      // what an instruction of the thread itself causes must find its handler.
      std::uint64_t mask = std::stoull(blocked, nullptr, 16);
      for (const int number : {SIGKILL, SIGSTOP, SIGILL, SIGFPE, SIGBUS, SIGSEGV, 32, 33})
        mask |= std::uint64_t{1} << (number - 1);
      require(mask == ~std::uint64_t{0}, "blocked are " + blocked);
    }
    require(found == 1, "one control thread");
  });
}

}  // namespace
}  // namespace agnocast::test

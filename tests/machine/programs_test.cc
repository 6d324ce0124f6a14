// Programs that do what programs do: fork twice, run others, close all descriptors, become daemons.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "machine/machine.hpp"

extern char** environ;

namespace agnocast::test {
namespace {

class Programs : public ForcefulTest
{
};

/// Talks to itself for as long as it lives; other threads of the process do what they like.
class SelfTalk
{
 public:
  SelfTalk()
    : node_("self"),
      publisher_(node_.create_publisher<Report>("/self", QoS(10))),
      subscription_(node_.create_subscription<Report>("/self", QoS(10)))
  {
  }
  void once()
  {
    publish_report(*publisher_, ++number_);
    const auto message = subscription_->take();
    require(message && is_whole(*message, number_), "message " + std::to_string(number_));
  }
  Publisher<Report>& publisher() { return *publisher_; }

 private:
  Node node_;
  std::shared_ptr<Publisher<Report>> publisher_;
  std::shared_ptr<Subscription<Report>> subscription_;
  std::uint64_t number_ = 0;
};

int status_of(pid_t child)
{
  int status = -1;
  if (::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void run_other_programs()
{
  const char* true_program[] = {"sh", "-c", "exit 7", nullptr};
  pid_t child = 0;
  require(::posix_spawnp(&child, "sh", nullptr, nullptr, const_cast<char**>(true_program),
                         environ) == 0 &&
            status_of(child) == 7,
          "posix_spawn");
  child = ::vfork();
  if (child == 0) {
    ::execlp("sh", "sh", "-c", "exit 8", nullptr);
    ::_exit(9);
  }
  require(status_of(child) == 8, "vfork and exec");
  require(std::system("exit 5") == 5 << 8, "system");  // NOLINT
  std::FILE* pipe = ::popen("echo heard", "r");
  char text[16] = {};
  require(pipe != nullptr && std::fgets(text, sizeof text, pipe) != nullptr &&
            std::string(text) == "heard\n" && ::pclose(pipe) == 0,
          "popen");
  child = ::fork();
  if (child == 0) {
    ::execlp("sh", "sh", "-c", "exit 6", nullptr);
    ::_exit(9);
  }
  require(status_of(child) == 6, "fork and exec");
}

TEST_F(Programs, ThatRunOthersWhileTheyPublishLoseNothing)
{
  EXPECT_ALL_WELL([] {
    std::atomic<bool> stop{false};
    std::string trouble;
    std::thread talking([&] {
      try {
        for (SelfTalk talk; !stop;) talk.once();
      } catch (const std::exception& error) {
        trouble = error.what();
      }
    });
    for (int i = 0; i < 5; ++i) run_other_programs();
    stop = true;
    talking.join();
    require(trouble.empty(), trouble);
  });
}

TEST_F(Programs, ThatRunOthersWithALoanOpenLoseNothing)
{
  EXPECT_ALL_WELL([] {
    SelfTalk talk;
    auto loan = talk.publisher().borrow_loaned_message();
    fill(*loan, 1);
    run_other_programs();
    require(is_whole(*loan, 1), "the loan is whole");
    talk.publisher().publish(std::move(loan));
  });
}

TEST_F(Programs, ThatForkTwiceAndLetTheMiddleOneGoAreProcessesOfTheirOwn)
{
  EXPECT_ALL_WELL([] {
    SelfTalk talk;
    talk.once();
    Process listener([](Channel& channel) {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/grandchild", QoS(10));
      channel.say("ready");
      std::uint64_t last = 0;
      await_number(*subscription, last, 5);
      require(eventually([&] { return subscription->publisher_count() == 0; }), "it goes");
      channel.say("all well");
    });
    require(listener.hear() == "ready", "a listener");
    const pid_t child = ::fork();
    if (child == 0) {
      if (::fork() != 0) ::_exit(0);
      {
        Node node("grandchild");
        auto publisher = node.create_publisher<Report>("/grandchild", QoS(10));
        for (std::uint64_t i = 1; i <= 5; ++i) publish_report(*publisher, i);
      }
      std::exit(0);
    }
    require(status_of(child) == 0, "the middle one ends");
    talk.once();
    const std::string said = listener.hear();
    require(said == "all well", said);
    talk.once();
  });
}

TEST_F(Programs, ThatCloseAllDescriptorsBeforeJoiningAreServed)
{
  EXPECT_ALL_WELL([] {
    close_all_but_pipes();
    SelfTalk talk;
    for (int i = 0; i < 20; ++i) talk.once();
  });
}

TEST_F(Programs, ThatCloseAllDescriptorsAfterJoiningAreServedAndStillNoticeDeaths)
{
  EXPECT_ALL_WELL([] {
    auto talker = std::make_unique<Talker>();
    Process closer([](Channel& channel) {
      Node node("closer");
      auto subscription = node.create_subscription<Report>("/machine", QoS(50));
      auto late = node.create_subscription<Report>("/late", QoS(50));
      channel.say("ready");
      std::uint64_t last = 0;
      await_number(*subscription, last, 10);
      close_all_but_pipes();
      channel.say("closed");
      await_number(*subscription, last, 20);
      last = 0;
      await_number(*late, last, 10);
      require(subscription->lost_count() == 0 && late->lost_count() == 0, "none is lost");
      channel.say("heard");
      require(eventually([&] { return late->publisher_count() == 0; }), "a death is noticed");
      const auto publisher = node.create_publisher<Report>("/closer", QoS(5));
      const auto reader = node.create_subscription<Report>("/closer", QoS(5));
      publish_report(*publisher, 1, 1'000'000);
      require(static_cast<bool>(reader->take()), "new endpoints and a larger heap work");
      channel.say("all well");
    });
    require(closer.hear() == "ready" && talker->publish(10) == "published", "joined");
    require(closer.hear() == "closed", "all descriptors are closed");
    Talker late("/late");
    require(talker->publish(10) == "published" && late.publish(10) == "published", "published");
    std::string said = closer.hear();
    require(said == "heard", said);
    late.process().kill();
    said = closer.hear();
    require(said == "all well", said);
    require(closer.wait() == 0, "it ends in order");
    require(remains_of(closer.pid()).empty(), "and leaves nothing");
    talker->leave();
  });
}

TEST_F(Programs, ThatCloseAllDescriptorsAndOpenOthersKeepTheOthers)
{
  EXPECT_ALL_WELL([] {
    auto talker = std::make_unique<Talker>();
    Node node("closer");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    require(talker->publish(1) == "published", "published");
    std::uint64_t last = 0;
    await_number(*subscription, last, 1);
    close_all_but_pipes();
    std::vector<int> others;
    for (int i = 0; i < 20; ++i) others.push_back(::open("/tmp", O_RDWR | O_TMPFILE, 0600));
    talker->process().kill();
    require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
    talker = std::make_unique<Talker>();
    require(talker->publish(5) == "published", "published");
    last = 0;
    await_number(*subscription, last, 5);
    for (const int fd : others) {
      struct stat status = {};
      require(::fstat(fd, &status) == 0 && status.st_size == 0 && status.st_nlink == 0,
              "a foreign descriptor is open and untouched");
    }
    talker->leave();
  });
}

// What cannot be told from ours by fstat(), under the numbers that ours had; and a child that still
// has ours.
TEST_F(Programs, ThatCloseAllDescriptorsAndOpenOthersOfTheSameKindKeepThemAndNoticeDeaths)
{
  EXPECT_ALL_WELL([] {
    auto talker = std::make_unique<Talker>();
    Node node("closer");
    auto subscription = node.create_subscription<Report>("/machine", QoS(50));
    require(talker->publish(1) == "published", "published");
    std::uint64_t last = 0;
    await_number(*subscription, last, 1);
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) ::pause();
    }
    close_all_but_pipes();
    std::vector<int> polls;
    std::vector<int> events;
    for (int i = 0; i < 10; ++i) {
      polls.push_back(::epoll_create1(EPOLL_CLOEXEC));
      events.push_back(::eventfd(0, EFD_CLOEXEC));
    }
    for (const int poll : polls) {
      for (const int event : events) {
        epoll_event wanted = {};
        wanted.events = EPOLLIN;
        wanted.data.fd = event;
        require(::epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted) == 0, "watched");
      }
    }
    talker->process().kill();
    require(eventually([&] { return subscription->publisher_count() == 0; }), "death is noticed");
    for (const int event : events) require(::eventfd_write(event, 1) == 0, "it is open");
    for (const int poll : polls) {
      for (int round = 0; round < 2; ++round) {
        epoll_event ready[32] = {};
        require(::epoll_wait(poll, ready, 32, 0) == 10, "and watched as before");
      }
    }
    talker = std::make_unique<Talker>();
    require(talker->publish(5) == "published", "published");
    last = 0;
    await_number(*subscription, last, 5);
    talker->leave();
    ::kill(child, SIGKILL);
    require(::waitpid(child, nullptr, 0) == child, "the child is gone");
  });
}

TEST_F(Programs, ThatCloseAllDescriptorsBetweenLoansAreServed)
{
  EXPECT_ALL_WELL([] {
    SelfTalk talk;
    for (int i = 0; i < 10; ++i) {
      auto loan = talk.publisher().borrow_loaned_message();
      close_all_but_pipes();
      loan.reset();
      talk.once();
      close_all_but_pipes();
    }
  });
}

/// The classic way, with the pipes to the test kept.
void become_daemon(const std::function<void()>& body)
{
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    if (::fork() != 0) ::_exit(0);
    ::umask(0);
    require(::chdir("/") == 0, "chdir");
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
    close_all_but_pipes();
    for (int fd = 0; fd < 3; ++fd) ::open("/dev/null", O_RDWR);
    body();
    std::exit(0);
  }
  require(status_of(child) == 0, "the parent of the daemon ends");
}

TEST_F(Programs, ThatBecomeDaemonsBeforeAndAfterJoiningAreServed)
{
  for (const bool join_first : {false, true}) {
    EXPECT_ALL_WELL([&] {
      Node node("listener");
      auto subscription = node.create_subscription<Report>("/daemon", QoS(10));
      Process founder([&](Channel& channel) {
        std::unique_ptr<SelfTalk> talk;
        if (join_first) {
          talk = std::make_unique<SelfTalk>();
          talk->once();
        }
        become_daemon([&] {
          Node own("daemon");
          auto publisher = own.create_publisher<Report>("/daemon", QoS(10));
          for (std::uint64_t i = 1; i <= 10; ++i) publish_report(*publisher, i);
          channel.say("published");
          channel.hear();
        });
        std::_Exit(0);
      });
      require(founder.hear() == "published", "the daemon works");
      std::uint64_t last = 0;
      await_number(*subscription, last, 10);
      require(subscription->lost_count() == 0, "none is lost");
      founder.say("end");
      require(eventually([&] { return subscription->publisher_count() == 0; }), "it goes");
    });
  }
}

}  // namespace
}  // namespace agnocast::test

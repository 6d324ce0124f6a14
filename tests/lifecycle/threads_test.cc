// The library's own threads: how they are scheduled, what does not hold them up, and that they
// leave the program's static objects alone when it ends.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <thread>

#include "lifecycle/lifecycle.hpp"

namespace agnocast::test {
namespace {

class Threads : public ForcefulTest
{
};

pid_t thread_named(const std::string& name)
{
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string found;
    std::ifstream(entry.path() / "comm") >> found;
    if (found == name) return static_cast<pid_t>(std::stol(entry.path().filename()));
  }
  return 0;
}

cpu_set_t cpus_of(pid_t thread)
{
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  require(::sched_getaffinity(thread, sizeof cpus, &cpus) == 0, "its CPUs");
  return cpus;
}

void join_here()
{
  Node node("joiner");
  const auto publisher = node.create_publisher<Report>("/threads", QoS(1));
}

TEST_F(Threads, AreOrdinaryOnesOnAllCpusWhoeverJoins)
{
  EXPECT_EQ(in_process([] {
              const cpu_set_t at_start = cpus_of(0);
              std::thread([&] {
                cpu_set_t one;
                CPU_ZERO(&one);
                CPU_SET(::sched_getcpu(), &one);
                require(::sched_setaffinity(0, sizeof one, &one) == 0, "pinned");
                sched_param parameter = {};
                parameter.sched_priority = 1;
                // Where that is forbidden, the CPU and the nice value are all there is to see.
                static_cast<void>(::sched_setscheduler(0, SCHED_FIFO, &parameter));
                join_here();
              }).join();
              const pid_t control = thread_named("agnocast");
              require(control != 0, "the thread has its name");
              require(::sched_getscheduler(control) == SCHED_OTHER, "it is an ordinary one");
              const cpu_set_t cpus = cpus_of(control);
              require(CPU_EQUAL(&cpus, &at_start), "and may run anywhere");
              return "well";
            }),
            "well");
}

TEST_F(Threads, RunWhereAndHowTheyAreTold)
{
  EXPECT_EQ(in_process([] {
              ::setenv("AGNOCAST_THREAD_AFFINITY", std::to_string(::sched_getcpu()).c_str(), 1);
              ::setenv("AGNOCAST_THREAD_PRIORITY", "nice:7", 1);
              join_here();
              const pid_t control = thread_named("agnocast");
              const cpu_set_t cpus = cpus_of(control);
              require(CPU_COUNT(&cpus) == 1, "on one CPU");
              require(::getpriority(PRIO_PROCESS, static_cast<id_t>(control)) == 7, "less urgent");
              require(::getpriority(PRIO_PROCESS, 0) != 7, "but the program's thread is not");
              return "well";
            }),
            "well");
}

TEST_F(Threads, ThatCannotRunWhereTheyAreToldAreAnErrorThatSaysWhere)
{
  const std::string outcome = in_process([] {
    ::setenv("AGNOCAST_THREAD_AFFINITY", "8191", 1);
    std::string said = outcome_of_joining();
    ::unsetenv("AGNOCAST_THREAD_AFFINITY");
    return said + "; then " + outcome_of_joining();
  });
  EXPECT_NE(outcome.find("SettingError: AGNOCAST_THREAD_AFFINITY='8191' cannot be used"),
            std::string::npos)
    << outcome;
  EXPECT_NE(outcome.find("may use the CPUs 0"), std::string::npos) << outcome;
  EXPECT_NE(outcome.find("; then nothing thrown"), std::string::npos) << outcome;
}

std::atomic<bool> gate_is_open{true};
std::atomic<int> at_the_gate{0};

struct Slow
{
  int number = 0;
  Slow() = default;
  Slow(const Slow&) = delete;
  Slow& operator=(const Slow&) = delete;
  ~Slow()
  {
    ++at_the_gate;
    while (!gate_is_open) ::usleep(1000);
  }
};

// Takes one message of /slow and one of /threads, and lets go of them at once.
std::unique_ptr<Process> reader()
{
  return std::make_unique<Process>([](Channel& channel) {
    Node node("reader");
    const auto slow = node.create_subscription<Slow>("/slow", QoS(5));
    const auto quick = node.create_subscription<Report>("/threads", QoS(5));
    channel.say("ready");
    require(static_cast<bool>(await_message(*slow)), "the one comes");
    require(static_cast<bool>(await_message(*quick)), "the other comes");
    channel.say("released");
    channel.hear();
  });
}

TEST_F(Threads, AreNotHeldUpByADestructorThatTakesLong)
{
  const auto subscriber = reader();
  ASSERT_EQ(subscriber->hear(), "ready");
  Process talker([](Channel& channel) {
    Node node("publisher");
    const auto slow = node.create_publisher<Slow>("/slow", QoS(5));
    const auto quick = node.create_publisher<Report>("/threads", QoS(5));
    const auto subscription = node.create_subscription<Report>("/late", QoS(5));
    gate_is_open = false;
    slow->publish(slow->borrow_loaned_message());
    require(eventually([] { return at_the_gate == 1; }), "a destructor is at work");
    publish_report(*quick, 1);
    require(eventually([&] { return quick->retained_count() == 0; }), "another topic is freed");
    channel.say("freed");
    const auto newcomer = static_cast<pid_t>(std::stol(channel.hear().value_or("0")));
    require(eventually([&] { return mappings_of(newcomer) > 0; }), "an announcement is heard");
    channel.say("mapped");
    channel.hear();
    require(eventually([&] { return mappings_of(newcomer) == 0; }), "a death is noticed");
    gate_is_open = true;
    require(eventually([&] { return slow->retained_count() == 0; }), "and that goes on as well");
    channel.say("all well");
  });
  ASSERT_EQ(subscriber->hear(), "released");
  ASSERT_EQ(talker.hear(), "freed");
  Process newcomer([](Channel& channel) {
    Node node("newcomer");
    const auto late = node.create_publisher<Report>("/late", QoS(5));
    channel.say("here");
    channel.hear();
  });
  ASSERT_EQ(newcomer.hear(), "here");
  talker.say(std::to_string(newcomer.pid()));
  ASSERT_EQ(talker.hear(), "mapped");
  newcomer.kill();
  talker.say("killed");
  EXPECT_EQ(talker.hear(), "all well");
  EXPECT_EQ(talker.wait(), 0);
}

// What the messages' destructors use. It ends with the static objects of the program.
struct Log
{
  ~Log();
};
std::atomic<bool> log_is_there{true};
int release_fd = -1;
int released_fd = -1;
Log the_log;

Log::~Log()
{
  log_is_there = false;
  if (release_fd < 0) return;
  char byte = 0;
  if (::write(release_fd, &byte, 1) != 1 || ::read(released_fd, &byte, 1) != 1) ::_exit(8);
  // The library has every chance to do what it must not.
  for (int i = 0; i < 400 && !::usleep(1000);) ++i;
}

struct Witness
{
  int number = 0;
  Witness() = default;
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness()
  {
    if (!log_is_there) ::_exit(7);
  }
};

TEST_F(Threads, DestroyNoMessageOnceStaticObjectsAreGone)
{
  int release[2];
  int released[2];
  ASSERT_EQ(::pipe(release) | ::pipe(released), 0);
  Process holder([&](Channel& channel) {
    Node node("holder");
    const auto subscription = node.create_subscription<Witness>("/witness", QoS(5));
    channel.say("ready");
    auto message = await_message(*subscription);
    channel.say(message ? "holding" : "nothing");
    char byte = 0;
    require(::read(release[0], &byte, 1) == 1, "the end of the publisher's process");
    message.reset();
    require(::write(released[1], &byte, 1) == 1, "it is told");
  });
  ASSERT_EQ(holder.hear(), "ready");
  Process ending([&](Channel& channel) {
    auto* node = new Node("publisher");  // never destroyed: it would wait for nobody
    auto* publisher =
      new std::shared_ptr<Publisher<Witness>>(node->create_publisher<Witness>("/witness", QoS(5)));
    (*publisher)->publish((*publisher)->borrow_loaned_message());
    channel.hear();
    release_fd = release[1];
    released_fd = released[0];
  });
  ASSERT_EQ(holder.hear(), "holding");
  ending.say("end");
  EXPECT_EQ(ending.wait(), 0) << "7: a destructor ran too late";
  EXPECT_EQ(holder.wait(), 0);
  for (const int fd : {release[0], release[1], released[0], released[1]}) ::close(fd);
}

TEST_F(Threads, NoticeThatAPeerHasBecomeAnotherProgram)
{
  Process holder([](Channel& channel) {
    Node node("holder");
    const auto subscription = node.create_subscription<Report>("/threads", QoS(5));
    channel.say("ready");
    const auto message = await_message(*subscription);
    channel.say(message ? "holding" : "nothing");
    channel.hear();
    ::execl("/bin/sleep", "sleep", "600", nullptr);
  });
  ASSERT_EQ(holder.hear(), "ready");
  Process talker([](Channel& channel) {
    Node node("publisher");
    const auto publisher = node.create_publisher<Report>("/threads", QoS(5));
    publish_report(*publisher, 1);
    channel.hear();
    require(publisher->retained_count() == 1, "it is held");
    channel.say("held");
    require(eventually([&] { return publisher->retained_count() == 0; }), "and given back");
    channel.say("freed");
  });
  ASSERT_EQ(holder.hear(), "holding");
  talker.say("holding");
  ASSERT_EQ(talker.hear(), "held");
  holder.say("exec");
  EXPECT_EQ(talker.hear(), "freed");
  EXPECT_TRUE(eventually([&] { return remains_of(holder.pid()).empty(); }));
  holder.kill();
}

}  // namespace
}  // namespace agnocast::test

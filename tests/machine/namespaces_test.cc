// Processes that share /dev/shm, but not pids, or not the clock.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/mount.h>
#include <sys/wait.h>

#include <chrono>

#include "machine/machine.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace agnocast::test {
namespace {

/// A process that is number 1 in a pid namespace of its own, with a /proc of its own as in a
/// container. `process` is its parent and waits for it; SIGKILL for the parent alone would leave
/// it.
std::unique_ptr<Process> first_of_a_namespace(const std::function<void(Channel&)>& body)
{
  return std::make_unique<Process>([body](Channel& channel) {
    require(::unshare(CLONE_NEWPID | CLONE_NEWNS) == 0, "a pid namespace");
    const pid_t child = ::fork();
    if (child == 0) {
      require(::getpid() == 1, "it is number 1");
      require(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                ::mount("proc", "/proc", "proc", 0, nullptr) == 0,
              "a /proc of its own");
      body(channel);
      return;
    }
    channel.say(std::to_string(child));
    int status = 0;
    ::waitpid(child, &status, 0);
    std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : 100);
  });
}

/// Publishes "/from_<name>" and takes "/from_<peer>"; obeys.
std::function<void(Channel&)> talk(const std::string& name, const std::string& peer)
{
  return [name, peer](Channel& channel) {
    Node node(name);
    auto publisher = node.create_publisher<Report>("/from_" + name, QoS(20));
    auto subscription = node.create_subscription<Report>("/from_" + peer, QoS(20));
    std::vector<ipc_shared_ptr<const Report>> held;
    std::uint64_t number = 0;
    channel.say("ready");
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      if (*order == "publish") publish_report(*publisher, ++number);
      if (*order == "take") {
        held.push_back(await_message(*subscription));
        require(held.back() && is_whole(*held.back(), held.size()), "a whole message");
      }
      if (*order == "free") {
        require(eventually([&] { return publisher->retained_count() == 0; }, patience / 3),
                "no hold of the dead counts");
      }
      if (*order == "alone") {
        require(eventually([&] { return subscription->publisher_count() == 0; }, patience / 3),
                "the death is noticed");
        for (std::size_t i = 0; i < held.size(); ++i) {
          require(is_whole(*held[i], i + 1), "held messages are whole");
        }
      }
      channel.say("done");
    }
  };
}

std::string ask(Process& process, const std::string& order)
{
  process.say(order);
  return process.hear();
}

TEST(PidNamespaces, TwoProcessesWithOneNumberExchangeMessagesAndOneNoticesTheOthersDeath)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=200m");
    auto first = first_of_a_namespace(talk("first", "second"));
    const pid_t outer_pid = static_cast<pid_t>(std::stol(first->hear()));
    require(first->hear() == "ready", "the first");
    auto second = first_of_a_namespace(talk("second", "first"));
    require(second->hear() != "1" && second->hear() == "ready", "the second");
    require(file_exists(area_path(1)) && file_exists(area_path(1) + ".1"),
            "the second has a suffix");
    for (int i = 0; i < 3; ++i) {
      require(ask(*first, "publish") == "done" && ask(*second, "publish") == "done", "published");
      require(ask(*first, "take") == "done" && ask(*second, "take") == "done", "taken");
    }
    ::kill(outer_pid, SIGKILL);
    require(first->wait() == 100, "the first is dead");
    require(ask(*second, "alone") == "done" && ask(*second, "free") == "done", "it is noticed");
    require(eventually([] { return !file_exists(area_path(1)); }), "its objects are removed");
    require(file_exists(area_path(1) + ".1"), "those of the living stay");
    // The number is free, and so is the name.
    auto third = first_of_a_namespace(talk("first", "second"));
    require(third->hear() != "1" && third->hear() == "ready", "the third");
    require(file_exists(area_path(1)), "the third has the name again");
    require(ask(*third, "publish") == "done" && ask(*second, "publish") == "done", "published");
    third->say("leave");
    second->say("leave");
    require(third->wait() == 0 && second->wait() == 0, "both end in order");
    require(shared_objects().empty(), "nothing is left: " + shared_objects());
  });
}

TEST(PidNamespaces, AProcessOfAnotherNamespaceIsNotTakenForDeadBecauseItsNumberIsUnknown)
{
  EXPECT_ALL_WELL([] {
    enter_own_shm("size=200m");
    auto inside = first_of_a_namespace(talk("inside", "outside"));
    require(inside->hear() != "1" && inside->hear() == "ready", "one inside");
    Process outside(talk("outside", "inside"));
    require(outside.hear() == "ready", "one outside");
    for (int i = 0; i < 5; ++i) {
      const std::string joined = in_process([] { return outcome_of_joining(); });  // it tidies up
      require(joined == "nothing thrown", joined);
      require(ask(*inside, "publish") == "done" && ask(outside, "take") == "done", "to outside");
      require(ask(outside, "publish") == "done" && ask(*inside, "take") == "done", "to inside");
    }
    outside.kill();
    require(ask(*inside, "alone") == "done" && ask(*inside, "free") == "done", "it is noticed");
    inside->say("leave");
    require(inside->wait() == 0, "it ends in order");
  });
}

/// A process whose CLOCK_MONOTONIC is \p seconds ahead of the world's.
std::unique_ptr<Process> ahead_by(long seconds, const std::function<void(Channel&)>& body)
{
  if (::unshare(CLONE_NEWTIME) != 0) throw Cannot("time namespaces are not permitted");
  std::ofstream("/proc/self/timens_offsets") << "monotonic " << seconds << " 0\n";
  return std::make_unique<Process>(body);
}

struct Stamped
{
  std::uint64_t number = 0;
};

TEST(TimeNamespaces, OrderAcrossClocksIsThatOfThePublishes)
{
  EXPECT_ALL_WELL([] {
    enter_namespaces(::geteuid() == 0 ? 0 : CLONE_NEWUSER);
    const auto publish_on_order = [](Channel& channel) {
      Node node("talker");
      auto publisher = node.create_publisher<Stamped>("/stamped", QoS(50));
      channel.say("ready");
      while (const auto order = channel.hear()) {
        if (*order == "leave") return;
        auto loan = publisher->borrow_loaned_message();
        loan->number = std::stoull(*order);
        publisher->publish(std::move(loan));
        channel.say("done");
      }
    };
    Process here(publish_on_order);
    require(here.hear() == "ready", "a talker here");
    const auto check = [](Channel& channel) {
      auto node = std::make_shared<Node>("listener");
      std::vector<std::uint64_t> numbers;
      std::int64_t oldest_age = 0;
      std::int64_t youngest_age = std::int64_t{1} << 62;
      auto polled = node->create_subscription<Stamped>("/stamped", QoS(50));
      auto called = node->create_subscription<Stamped>(
        "/stamped", QoS(50), [&](const ipc_shared_ptr<const Stamped>& message) {
          numbers.push_back(message->number);
          const std::int64_t age = std::chrono::steady_clock::now().time_since_epoch().count() -
                                   static_cast<std::int64_t>(message.info().publish_time_ns);
          oldest_age = std::max(oldest_age, age);
          youngest_age = std::min(youngest_age, age);
        });
      channel.say("ready");
      channel.hear();
      // Waits with a time-out end in time, whatever the clock shows.
      WaitSet waits;
      waits.add(*polled);
      require(waits.wait(std::chrono::seconds(10)), "a message is there");
      for (std::uint64_t i = 1; i <= 20; ++i) {
        const auto message = await_message(*polled);
        require(message && message->number == i, "take: number " + std::to_string(i));
      }
      const auto before = std::chrono::steady_clock::now();
      require(!waits.wait(std::chrono::milliseconds(30)), "nothing more comes");
      const auto waited = std::chrono::steady_clock::now() - before;
      require(waited >= std::chrono::milliseconds(30) && waited < patience, "a wait of 30 ms");
      // All was published before: one call of spin_some takes all of it.
      spin_some(node);
      require(numbers.size() == 20 && std::is_sorted(numbers.begin(), numbers.end()),
              "spin_some: " + std::to_string(numbers.size()));
      require(youngest_age >= 0 && oldest_age < 60'000'000'000, "ages by the own clock are right");
      channel.say("all well");
    };
    Process listener_here(check);
    require(listener_here.hear() == "ready", "a listener here");
    auto ahead = ahead_by(100'000, publish_on_order);
    require(ahead->hear() == "ready", "a talker ahead");
    auto listener_ahead = std::make_unique<Process>(check);
    require(listener_ahead->hear() == "ready", "a listener ahead");
    for (int i = 1; i <= 20; ++i) {
      require(ask(i % 2 == 0 ? here : *ahead, std::to_string(i)) == "done", "published");
    }
    for (Process* listener : {&listener_here, listener_ahead.get()}) {
      const std::string said = ask(*listener, "go");
      require(said == "all well", said);
      require(listener->wait() == 0, "it ends in order");
    }
    here.say("leave");
    ahead->say("leave");
    require(here.wait() == 0 && ahead->wait() == 0, "both end in order");
  });
}

}  // namespace
}  // namespace agnocast::test

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "failpoint/roles.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "abi/area_layout.h"

namespace agnocast::test {

namespace {

using namespace std::chrono_literals;

void publish(Publisher<Sample>& publisher, std::uint64_t number, std::size_t values = 100)
{
  auto loan = publisher.borrow_loaned_message();
  fill(*loan, number, values);
  require(publisher.publish(std::move(loan)) == PublishStatus::published, "a publish");
}

ipc_shared_ptr<const Sample> await_sample(WaitSet& wait_set, Subscription<Sample>& subscription)
{
  ipc_shared_ptr<const Sample> message;
  require(eventually([&] {
            wait_set.wait(100ms);
            return static_cast<bool>(message = subscription.take());
          }),
          "a message");
  return message;
}

void look_at(Tally& tally, const Sample& sample)
{
  tally.corrupted += is_whole(sample) ? 0 : 1;
}

// Back-pressure, retention, growth of ring and heap, reclaim, leave.
void publisher_role(Tally& tally, Channel&)
{
  ::setenv("AGNOCAST_MEMPOOL_SIZE", "1000000", 1);
  Node node("victim");
  PublisherOptions patient;
  patient.keep_all_timeout = patience;
  auto steady = node.create_publisher<Sample>("/steady", QoS(1).keep_all(2), patient);
  std::vector<ipc_shared_ptr<Sample>> burst;  // faster than anybody reads
  for (std::uint64_t number = 1; number <= 8; ++number) {
    burst.push_back(steady->borrow_loaned_message());
    fill(*burst.back(), number, 100);
  }
  tally.be_slow = true;
  for (auto& loan : burst) {
    require(steady->publish(std::move(loan)) == PublishStatus::published, "a publish");
    ++tally.victim_published;
  }
  tally.be_slow = false;
  auto varied = node.create_publisher<Sample>("/varied", QoS(2).transient_local());
  for (std::uint64_t number = 1; number <= 70; ++number) publish(*varied, number);
  auto greedy = node.create_subscription<Sample>("/varied", QoS(300).transient_local());
  publish(*varied, 71);
  for (int i = 0; i < 2; ++i) {
    if (auto message = greedy->take()) look_at(tally, *message);
  }
  publish(*varied, 72, 400'000);
  varied->reclaim();
  varied.reset();
  while (auto message = greedy->take()) look_at(tally, *message);
  eventually([&] { return greedy->publisher_count() == 0; });
  steady.reset();
}

// Take, hold, release, sleep, back-pressure from the other side, a publisher that comes and goes.
void subscriber_role(Tally& tally, Channel&)
{
  Node node("victim");
  auto steady = node.create_subscription<Sample>("/steady", QoS(4));
  auto pressed = node.create_subscription<Sample>("/pressed", QoS(1).keep_all(4));
  auto visited = node.create_subscription<Sample>("/visited", QoS(4));
  WaitSet wait_set;
  wait_set.add(*steady);
  std::vector<ipc_shared_ptr<const Sample>> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(await_sample(wait_set, *steady));
    look_at(tally, *held.back());
  }
  for (int i = 0; i < 2; ++i) {
    look_at(tally, *held[1]);
    held.erase(held.begin() + 1);
  }
  WaitSet pressed_set;
  pressed_set.add(*pressed);
  for (int i = 0; i < 8; ++i) look_at(tally, *await_sample(pressed_set, *pressed));
  ++tally.visits_wanted;
  // Who is stopped meanwhile may miss the visit as a whole.
  require(eventually([&] {
            if (auto message = visited->take()) look_at(tally, *message);
            return tally.visits == tally.visits_wanted && visited->publisher_count() == 0;
          }),
          "the visitor comes and goes");
  steady.reset();
  pressed.reset();
  for (const auto& message : held) look_at(tally, *message);
}

// Its take is overtaken: what it took a look at is retired before it is held.
void overtaken_role(Tally& tally, Channel&)
{
  Node node("victim");
  auto fleeting = node.create_subscription<Sample>("/fleeting", QoS(1));
  WaitSet wait_set;
  wait_set.add(*fleeting);
  for (int i = 0; i < 5; ++i) look_at(tally, *await_sample(wait_set, *fleeting));
}

void joiner_role(Tally& tally, Channel&)
{
  Node node("victim");
  auto publisher = node.create_publisher<Sample>("/varied", QoS(4));
  auto subscription = node.create_subscription<Sample>("/steady", QoS(4));
  publish(*publisher, 1);
  WaitSet wait_set;
  wait_set.add(*subscription);
  look_at(tally, *await_sample(wait_set, *subscription));
}

void founder_role(Tally& tally, Channel&)
{
  Node node("victim");
  auto publisher = node.create_publisher<Sample>("/own", QoS(4));
  auto subscription = node.create_subscription<Sample>("/own", QoS(4));
  publish(*publisher, 1);
  auto message = subscription->take();
  require(message && message->number == 1, "its own message");
  look_at(tally, *message);
}

bool has_reached(const Tally& tally, std::string_view name)
{
  const auto list = internal::os::failpoints();
  for (std::size_t i = 0; i < list.count; ++i) {
    if (list.first[i].name == name) return tally.failpoints.reached[i] != 0;
  }
  return false;
}

// Cleans up after a process that dies while it is connected to it.
void cleaner_role(Tally& tally, Channel& channel)
{
  Node node("victim");
  auto subscription = node.create_subscription<Sample>("/mortal", QoS(4).transient_local());
  require(eventually([&] { return subscription->publisher_count() == 1; }), "the mortal");
  WaitSet wait_set;
  wait_set.add(*subscription);
  look_at(tally, *await_sample(wait_set, *subscription));
  channel.say("kill");
  require(eventually([&] { return subscription->publisher_count() == 0; }), "the death is seen");
  // By this process, unless another one was first.
  static_cast<void>(eventually([&] { return has_reached(tally, "death.cleaned"); }, 2s));
}

// Its number was another's before: it finds that one's remains under its own names.
void heir_role(Tally& tally, Channel& channel)
{
  const std::string path = "/dev/shm/agnocast@" + std::to_string(::getpid());
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  agnocast_area_header header = {};
  header.magic = AGNOCAST_AREA_MAGIC;
  header.abi_version = AGNOCAST_ABI_VERSION;
  header.alive = AGNOCAST_ALIVE_OWNER_DIED;
  require(
    ::pwrite(file, &header, sizeof header, 0) == sizeof header && ::ftruncate(file, 0x10000) == 0,
    "remains");
  ::close(file);
  joiner_role(tally, channel);
}

// Forks while it has messages; the child lives on by itself and joins.
void forker_role(Tally& tally, Channel&)
{
  Node node("victim");
  auto publisher = node.create_publisher<Sample>("/varied", QoS(4));
  publish(*publisher, 1);
  auto loan = publisher->borrow_loaned_message();
  fill(*loan, 2, 100);
  const Sample& in_loan = *loan;
  const pid_t child = ::fork();
  require(child >= 0, "a fork");
  if (child == 0) {
    look_at(tally, in_loan);
    Node own("victim_child");
    auto subscription = own.create_subscription<Sample>("/steady", QoS(4));
    WaitSet wait_set;
    wait_set.add(*subscription);
    look_at(tally, *await_sample(wait_set, *subscription));
    std::exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
    const std::uint64_t received = tally.received;
    eventually([&] { return tally.received > received + 10; });
    ::kill(child, SIGCONT);
  }
  require(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL,
          "the child ends well, or is killed");
  require(publisher->publish(std::move(loan)) == PublishStatus::published, "a publish");
}

}  // namespace

const std::vector<Role>& roles()
{
  static const std::vector<Role> all{
    {.name = "Publisher", .body = publisher_role},
    {.name = "Subscriber", .body = subscriber_role},
    {.name = "OvertakenSubscriber", .body = overtaken_role, .stopped_first = "take.held"},
    {.name = "Joiner", .body = joiner_role, .finds_remains = true},
    {.name = "Founder", .body = founder_role, .alone = true},
    {.name = "FounderAmongRemains", .body = founder_role, .alone = true, .finds_remains = true},
    {.name = "Cleaner", .body = cleaner_role, .has_mortal = true},
    {.name = "Heir", .body = heir_role},
    {.name = "Forker", .body = forker_role},
  };
  return all;
}

void stay_until_killed(Channel& channel)
{
  Node node("mortal");
  auto publisher = node.create_publisher<Sample>("/mortal", QoS(4).transient_local());
  auto subscription = node.create_subscription<Sample>("/mortal_in", QoS(4));
  publish(*publisher, 1);
  channel.say("ready");
  while (channel.hear(patience).value_or("") != "leave") {
    publish(*publisher, 2);
  }
}

}  // namespace agnocast::test

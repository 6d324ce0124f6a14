// Files that are shortened under those who have them mapped.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "hostile/attacker.hpp"

namespace agnocast::test {
namespace {

class Truncation : public ForcefulTest
{
};

// Publishes the numbers it is told, after a word on how creating the publisher went.
std::unique_ptr<Process> publisher_on(const std::string& topic)
{
  return std::make_unique<Process>([=](Channel& channel) {
    const Complaints complaints;
    Node node("publisher");
    auto publisher = node.create_publisher<Flat>(topic, QoS(10));
    channel.say(std::to_string(publisher->id()));
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      if (*order == "complaints") {
        channel.say(std::to_string(complaints.count("of this process was shortened")));
      } else if (*order == "create") {
        channel.say(outcome_of([&] { node.create_publisher<Flat>("/new", QoS(1)); }));
      } else if (*order == "truncate") {
        truncate_file(area_path(::getpid()));
        channel.say("truncated");
      } else {
        channel.say(outcome_of([&] { publish_flat(*publisher, std::stoull(*order)); }));
      }
    }
  });
}

// Takes the numbers it is told from that publisher, asleep until they come.
std::unique_ptr<Process> reader_of(const std::string& topic, const std::string& publisher)
{
  return std::make_unique<Process>([=](Channel& channel) {
    const Complaints complaints;
    Node node("reader");
    auto subscription = node.create_subscription<Flat>(topic, QoS(10));
    WaitSet wait_set;
    wait_set.add(*subscription);
    channel.say("ready");
    ipc_shared_ptr<const Flat> held;
    while (const auto order = channel.hear()) {
      if (*order == "leave") return;
      if (*order == "complaints") {
        // The control thread looks by itself.
        eventually([&] { return complaints.count("shortened") != 0; });
        channel.say(std::to_string(complaints.count("shortened")));
      } else if (*order == "hold") {
        held = await_message(*subscription);
        channel.say(held && is_whole(*held) ? "whole" : "broken");
      } else if (*order == "read held") {
        channel.say(held->number == 0 && !is_whole(*held) ? "zeros" : "whole");
      } else {
        const std::uint64_t number = std::stoull(*order);
        channel.say(
          receive_in_order(*subscription, wait_set, std::stoull(publisher), number, number));
      }
    }
  });
}

void exchange(Process& publisher, Process& reader, int number)
{
  reader.say(std::to_string(number));
  publisher.say(std::to_string(number));
  EXPECT_EQ(publisher.hear(), "nothing thrown");
  EXPECT_EQ(reader.hear(), "in order");
}

void leave(Process& process)
{
  process.say("leave");
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(Truncation, AnAreaCutByItsOwnerCostsItsMessagesOnlyAndIsReportedOnce)
{
  auto publisher = publisher_on("/cut");
  const std::string id = publisher->hear();
  auto hostile = publisher_on("/cut");
  hostile->hear();
  auto reader = reader_of("/cut", id);
  ASSERT_EQ(reader->hear(), "ready");
  exchange(*publisher, *reader, 1);
  hostile->say("7");
  ASSERT_EQ(hostile->hear(), "nothing thrown");
  reader->say("hold");
  ASSERT_EQ(reader->hear(), "whole");
  hostile->say("truncate");
  ASSERT_EQ(hostile->hear(), "truncated");
  for (int i = 2; i <= 100; ++i) exchange(*publisher, *reader, i);
  reader->say("complaints");
  EXPECT_EQ(reader->hear(), "1");
  reader->say("read held");
  EXPECT_EQ(reader->hear(), "zeros") << "what was in the file is gone, and the reader lives";
  hostile->say("8");
  EXPECT_TRUE(contains(hostile->hear(), {"ResourceError", "shortened", "restart this process"}));
  leave(*hostile);
  leave(*reader);
  leave(*publisher);
}

TEST_F(Truncation, AnAreaCutByAnotherProcessIsAnErrorAtTheNextLoanAndNoCrash)
{
  auto publisher = publisher_on("/victim");
  const std::string id = publisher->hear();
  auto reader = reader_of("/victim", id);
  ASSERT_EQ(reader->hear(), "ready");
  exchange(*publisher, *reader, 1);
  truncate_file(area_path(publisher->pid()));
  publisher->say("2");
  EXPECT_TRUE(contains(publisher->hear(), {"ResourceError", "agnocast@", "shortened", "restart"}));
  EXPECT_TRUE(eventually([&] {
    publisher->say("complaints");
    return publisher->hear() == "1";
  }));
  leave(*publisher);
  leave(*reader);
}

TEST_F(Truncation, AnAreaThatIsCutAndMadeLongAgainIsNoticedToo)
{
  auto publisher = publisher_on("/wiped");
  const std::string id = publisher->hear();
  auto reader = reader_of("/wiped", id);
  ASSERT_EQ(reader->hear(), "ready");
  for (int i = 1; i <= 30; ++i) exchange(*publisher, *reader, i);
  truncate_file(area_path(publisher->pid()));
  truncate_file(area_path(publisher->pid()), off_t{1} << 34);
  publisher->say("31");
  EXPECT_TRUE(contains(publisher->hear(), {"ResourceError", "overwritten"}));
  leave(*publisher);
  leave(*reader);
}

TEST_F(Truncation, ADoorbellThatIsCutMakesItsOwnerLookByItself)
{
  auto publisher = publisher_on("/deaf");
  const std::string id = publisher->hear();
  auto reader = reader_of("/deaf", id);
  ASSERT_EQ(reader->hear(), "ready");
  exchange(*publisher, *reader, 1);
  truncate_file(doorbell_path(reader->pid()));
  for (int i = 2; i <= 50; ++i) exchange(*publisher, *reader, i);
  reader->say("complaints");
  EXPECT_EQ(reader->hear(), "1");
  leave(*reader);
  leave(*publisher);
}

// All who may join can write to a doorbell. A publisher that comes after that cannot ring it, but
// has to respect what its owner holds.
TEST_F(Truncation, ADoorbellThatIsCutOrGoneDoesNotFreeWhatItsOwnerHolds)
{
  const std::pair<const char*, void (*)(const std::string&)> attacks[] = {
    {"empty", [](const std::string& path) { truncate_file(path); }},
    {"a page of two", [](const std::string& path) { truncate_file(path, AGNOCAST_PAGE); }},
    {"removed", [](const std::string& path) { ::unlink(path.c_str()); }},
    {"a FIFO",
     [](const std::string& path) {
       ::unlink(path.c_str());
       require(::mkfifo(path.c_str(), 0600) == 0, "a FIFO");
     }},
    {"closed", [](const std::string& path) { ::chmod(path.c_str(), 0); }},
  };
  for (const auto& [what, attack] : attacks) {
    SCOPED_TRACE(what);
    Process holder([](Channel& channel) {
      Node node("holder");
      auto subscription = node.create_subscription<Flat>("/held", QoS(1));
      WaitSet wait_set;
      wait_set.add(*subscription);
      channel.say("ready");
      ipc_shared_ptr<const Flat> held;
      while (!held && wait_set.wait(patience)) held = subscription->take();
      const std::uint64_t number = held ? held->number : 0;
      channel.say(held && is_whole(*held) ? "holds" : "nothing came");
      channel.hear();  // many more were published
      channel.say(held->number == number && is_whole(*held) ? "whole" : "changed");
      held.reset();
      channel.hear();
    });
    ASSERT_EQ(holder.hear(), "ready");
    attack(doorbell_path(holder.pid()));
    Process publisher([](Channel& channel) {
      Node node("publisher");
      auto held = node.create_publisher<Flat>("/held", QoS(1));
      publish_flat(*held, 1);
      while (const auto order = channel.hear()) {
        if (*order == "leave") return;
        for (std::uint64_t i = 2; i <= 500; ++i) publish_flat(*held, i);
        held->reclaim();
        channel.say(std::to_string(held->retained_count()));
      }
    });
    EXPECT_EQ(holder.hear(), "holds");
    publisher.say("publish");
    // The newest, and the one that is held.
    EXPECT_EQ(publisher.hear(), "2");
    holder.say("look");
    EXPECT_EQ(holder.hear(), "whole");
    publisher.say("publish");
    EXPECT_LE(std::stoi(publisher.hear()), 2);
    leave(holder);
    leave(publisher);
    ::unlink(doorbell_path(holder.pid()).c_str());
  }
}

TEST_F(Truncation, ARegistryThatIsCutKeepsWhatIsConnectedAndRefusesWhatIsNew)
{
  for (const off_t bytes : {off_t{0}, off_t{8192}}) {
    auto publisher = publisher_on("/listed");
    const std::string id = publisher->hear();
    auto reader = reader_of("/listed", id);
    ASSERT_EQ(reader->hear(), "ready");
    exchange(*publisher, *reader, 1);
    truncate_file(registry_path(), bytes);
    for (int i = 2; i <= 50; ++i) exchange(*publisher, *reader, i);
    publisher->say("create");
    EXPECT_TRUE(contains(publisher->hear(),
                         {"RegistryError", registry_path(), "damaged", "remove the file"}));
    for (int i = 51; i <= 100; ++i) exchange(*publisher, *reader, i);
    leave(*reader);
    leave(*publisher);
    ::unlink(registry_path().c_str());
    EXPECT_EQ(in_process([] { return outcome_of_joining(); }), "nothing thrown");
  }
}

TEST_F(Truncation, ARegistryThatIsFilledWithGarbageKeepsWhatIsConnected)
{
  auto publisher = publisher_on("/filled");
  const std::string id = publisher->hear();
  auto reader = reader_of("/filled", id);
  ASSERT_EQ(reader->hear(), "ready");
  exchange(*publisher, *reader, 1);
  {
    const std::string garbage(sizeof(agnocast_registry), 'x');
    const int fd = open_for_attack(registry_path());
    ASSERT_EQ(::pwrite(fd, garbage.data(), garbage.size(), 0), ssize_t(garbage.size()));
    ::close(fd);
  }
  for (int i = 2; i <= 50; ++i) exchange(*publisher, *reader, i);
  publisher->say("create");
  EXPECT_TRUE(contains(publisher->hear(), {"RegistryError", registry_path(), "damaged"}));
  leave(*reader);
  leave(*publisher);
  ::unlink(registry_path().c_str());
  ::unlink((registry_path() + ".lock").c_str());
}

volatile sig_atomic_t own_handler_called = 0;
std::byte* mended = nullptr;

// A mapping of an empty file that has nothing to do with the library.
std::byte* foreign_mapping()
{
  const int fd = ::memfd_create("foreign", MFD_CLOEXEC);
  void* got = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  require(got != MAP_FAILED, "a mapping");
  return static_cast<std::byte*>(got);
}

TEST_F(Truncation, ASignalThatIsNotOursGoesToTheHandlerThatWasThereBefore)
{
  EXPECT_EQ(in_process([]() -> std::string {
              mended = foreign_mapping();
              struct sigaction own = {};
              own.sa_flags = SA_SIGINFO;
              own.sa_sigaction = [](int, siginfo_t* info, void*) {
                own_handler_called = own_handler_called + 1;
                if (info->si_addr != mended) ::_exit(9);
                ::mmap(mended, 4096, PROT_READ | PROT_WRITE,
                       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              };
              ::sigaction(SIGBUS, &own, nullptr);
              if (const std::string said = outcome_of_joining(); said != "nothing thrown") {
                return said;
              }
              *const_cast<volatile std::byte*>(mended) = std::byte{1};
              return std::to_string(own_handler_called);
            }),
            "1");
}

TEST_F(Truncation, ASignalThatNobodyHandlesEndsTheProcessAsItWouldWithoutUs)
{
  Process faulty([](Channel& channel) {
    channel.say(outcome_of_joining());
    *const_cast<volatile std::byte*>(foreign_mapping()) = std::byte{1};
  });
  EXPECT_EQ(faulty.hear(), "nothing thrown");
  EXPECT_EQ(faulty.wait(), -SIGBUS);
  Process told([](Channel& channel) {
    channel.say(outcome_of_joining());
    channel.hear();
  });
  EXPECT_EQ(told.hear(), "nothing thrown");
  told.signal(SIGBUS);
  EXPECT_EQ(told.wait(), -SIGBUS);
}

}  // namespace
}  // namespace agnocast::test

// The kernel module against whoever may open its device: wrong commands, other people's ids, full
// tables, and processes that end in all ways. Runs as root in a machine that has the module loaded;
// scripts/test --kmod boots one.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <fstream>
#include <random>
#include <vector>

#include "device.hpp"
#include "support/process.hpp"

namespace agnocast::test {
namespace {

/// A domain that no other test uses.
std::uint32_t fresh_domain()
{
  static std::uint32_t last = 1'000;
  return ++last;
}

std::uint64_t parameter(const std::string& name)
{
  std::uint64_t value = 0;
  std::ifstream("/sys/module/agnocast/parameters/" + name) >> value;
  return value;
}
void set_parameter(const std::string& name, std::uint64_t value)
{
  std::ofstream("/sys/module/agnocast/parameters/" + name) << value;
}

/// A process with a publisher in the domain; the body goes on from there.
std::unique_ptr<Process> start_publisher(
  std::uint32_t domain, std::uint32_t slot,
  const std::function<void(Channel&, Member&, agnocast_ticket_args)>& body)
{
  auto process = std::make_unique<Process>([=](Channel& channel) {
    Member member(domain);
    agnocast_ticket_args ticket = {};
    require(member.add_process(slot, std::to_string(getpid())) == 0, "the process is added");
    require(member.add_endpoint("/topic" + std::to_string(slot), ticket) == 0, "a publisher too");
    channel.say(std::to_string(ticket.index) + " " + std::to_string(ticket.id));
    body(channel, member, ticket);
  });
  return process;
}
void wait_for_a_word(Channel& channel, Member&, agnocast_ticket_args)
{
  channel.hear();
}

TEST(Device, SaysItsVersions)
{
  agnocast_version_args version = {};
  ASSERT_EQ(Device().call(AGNOCAST_GET_VERSION_CMD, &version), 0);
  EXPECT_EQ(version.interface_version, AGNOCAST_KERNEL_INTERFACE_VERSION);
  EXPECT_EQ(version.abi_version, AGNOCAST_ABI_VERSION);
  EXPECT_EQ(version.registry_bytes, sizeof(agnocast_registry));
}

TEST(Device, DoesNothingForAFileThatHasNotEntered)
{
  const Device device;
  char byte = 0;
  EXPECT_EQ(device.map(), nullptr);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(pread(device.file(), &byte, 1, 0), -1);
  std::uint32_t domain = fresh_domain();
  EXPECT_EQ(device.call(AGNOCAST_REMOVE_PROCESS_CMD, &domain), ENOENT);
  EXPECT_EQ(device.call(AGNOCAST_TAKE_TURN_CMD, &domain), ENOENT);
  EXPECT_EQ(device.call(AGNOCAST_LOOK_CMD, &domain), ENOENT);
}

TEST(Device, RefusesPointersThatAreNone)
{
  Member member(fresh_domain());
  const Device device;
  for (const unsigned long command : every_command) {
    for (const std::uint64_t address : {0x0ULL, 0x10ULL, 0xffffffff81000000ULL, ~0ULL}) {
      EXPECT_EQ(device.call(command, reinterpret_cast<void*>(address)), EFAULT)
        << std::hex << command << " " << address;
    }
  }
}

TEST(Device, RefusesCommandsOfOtherNumbersAndSizes)
{
  const Device device;
  alignas(64) char room[16384] = {};
  for (unsigned number = 0; number < 256; ++number) {
    for (const unsigned size : {0U, 1U, 4U, 8U, 16U, 48U, 832U, 16383U}) {
      for (const unsigned direction : {0U, 1U, 2U, 3U}) {
        const unsigned long command = _IOC(direction, AGNOCAST_IOCTL_TYPE, number, size);
        if (number >= 1 && number <= std::size(every_command)) continue;
        EXPECT_EQ(device.call(command, room), ENOTTY) << std::hex << command;
      }
    }
  }
  EXPECT_EQ(device.call(_IOWR(AGNOCAST_IOCTL_TYPE, 4, char[8]), room), ENOTTY);
  EXPECT_EQ(device.call(_IOR(AGNOCAST_IOCTL_TYPE, 4, agnocast_process_args), room), ENOTTY);
}

TEST(Device, SurvivesAnyCommandWithAnyContent)
{
  std::vector<std::unique_ptr<Process>> processes;
  for (unsigned seed = 0; seed < 3; ++seed) {
    processes.push_back(std::make_unique<Process>([seed](Channel&) {
      std::mt19937_64 random(seed);
      const std::uint32_t domain = 500;  // of all of them
      Member member(domain, AGNOCAST_ACCESS_ALL);
      Device device;
      alignas(64) unsigned char room[1024];
      for (int i = 0; i < 20'000; ++i) {
        for (auto& byte : room) byte = random() % 3 == 0 ? static_cast<unsigned char>(random()) : 0;
        const std::uint32_t named =
          random() % 4 == 0 ? static_cast<std::uint32_t>(random()) : domain;
        std::memcpy(room, &named, sizeof named);
        if (random() % 2 == 0) {  // names that may be ones
          for (std::size_t at = 16; at + 16 < sizeof room; at += 16) {
            room[at] = '/';
            room[at + 1] = static_cast<unsigned char>('a' + random() % 3);
            room[at + 15] = 0;
          }
        }
        const unsigned long command = every_command[random() % std::size(every_command)];
        if (command == AGNOCAST_TAKE_TURN_CMD) continue;  // would wait for one that keeps it
        const Device fresh;
        (random() % 8 == 0 ? fresh : device).call(command, room);
      }
    }));
  }
  for (auto& process : processes) EXPECT_EQ(process->wait(std::chrono::seconds(120)), 0);
}

TEST(Pages, CannotBeMappedWritableOrMadeSo)
{
  const Device device;
  ASSERT_EQ(device.enter(fresh_domain()), 0);
  EXPECT_EQ(device.map(PROT_READ | PROT_WRITE), nullptr);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(device.map(PROT_WRITE), nullptr);
  EXPECT_EQ(device.map(PROT_READ | PROT_EXEC), nullptr);
  EXPECT_EQ(device.map(PROT_READ, MAP_PRIVATE), nullptr);
  EXPECT_EQ(device.map(PROT_READ, MAP_SHARED, sizeof(agnocast_registry) + 4096), nullptr);
  EXPECT_EQ(device.map(PROT_READ, MAP_SHARED, 4096), nullptr);
  const agnocast_registry* const pages = device.map();
  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(pages->header.magic, AGNOCAST_REGISTRY_MAGIC);
  void* const address = const_cast<agnocast_registry*>(pages);
  EXPECT_EQ(mprotect(address, 4096, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(mprotect(address, sizeof *pages, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(errno, EACCES);
  // The back doors of the debugger.
  const int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
  const std::uint64_t forged = 0;
  EXPECT_EQ(pwrite(memory, &forged, sizeof forged, reinterpret_cast<off_t>(address)), -1);
  close(memory);
  iovec from{const_cast<std::uint64_t*>(&forged), sizeof forged};
  iovec to{address, sizeof forged};
  EXPECT_EQ(process_vm_writev(getpid(), &from, 1, &to, 1, 0), -1);
  EXPECT_EQ(pwrite(device.file(), &forged, sizeof forged, 0), -1);
  EXPECT_EQ(munmap(address, 4096), -1) << "a part of it alone cannot go";
  EXPECT_EQ(pages->header.magic, AGNOCAST_REGISTRY_MAGIC);
  munmap(address, sizeof *pages);
}

TEST(Member, MayOnlyRemoveItsOwn)
{
  const std::uint32_t domain = fresh_domain();
  const auto other = start_publisher(domain, 0, wait_for_a_word);
  unsigned index = 0;
  unsigned long long id = 0;
  ASSERT_EQ(std::sscanf(other->hear().c_str(), "%u %llu", &index, &id), 2);
  Member member(domain);
  const agnocast_ticket_args theirs{domain, index, id};
  EXPECT_EQ(member.remove(theirs), ENOENT);
  ASSERT_EQ(member.add_process(1, "1"), 0);
  EXPECT_EQ(member.remove(theirs), ENOENT);
  agnocast_ticket_args mine = {};
  ASSERT_EQ(member.add_endpoint("/mine", mine), 0);
  EXPECT_EQ(member.remove({domain, index, mine.id}), ENOENT);
  EXPECT_EQ(member.remove({domain, mine.index, id}), ENOENT);
  EXPECT_EQ(member.remove(mine, AGNOCAST_REMOVE_SUBSCRIBER_CMD), ENOENT);
  EXPECT_EQ(member.remove({domain + 1, mine.index, mine.id}), ENOENT);
  EXPECT_EQ(member.remove({domain, ~0U, mine.id}), ENOENT);
  EXPECT_EQ(member.endpoints(), 2U);
  EXPECT_EQ(member.remove(mine), 0);
  EXPECT_EQ(member.remove(mine), ENOENT);
  EXPECT_EQ(member.endpoints(), 1U);
}

TEST(Member, HasTheNumberAndUserThatTheKernelKnows)
{
  Member member(fresh_domain());
  ASSERT_EQ(member.add_process(3, "a_name"), 0);
  EXPECT_EQ(member.pages().processes[3].pid, getpid());
  EXPECT_EQ(member.pages().processes[3].uid, geteuid());
  EXPECT_STREQ(member.pages().processes[3].name, "a_name");
  EXPECT_EQ(member.add_process(4, "another"), EALREADY);
}

TEST(Member, CannotTakeASlotThatIsTakenOrNone)
{
  const std::uint32_t domain = fresh_domain();
  const auto other = start_publisher(domain, 5, wait_for_a_word);
  other->hear();
  Member member(domain);
  EXPECT_EQ(member.add_process(5, "5"), EBUSY);
  EXPECT_EQ(member.add_process(~0U, "5"), EINVAL);
  EXPECT_EQ(member.add_process(1024, "5"), EINVAL);
  EXPECT_EQ(member.add_process(6, ""), EINVAL);
  EXPECT_EQ(member.add_process(6, "6"), 0);
}

TEST(Member, ThatJoinsHasItsSlotAndIsNotSeenUntilItIsLive)
{
  const std::uint32_t domain = fresh_domain();
  Member watching(domain);
  const auto joining = std::make_unique<Process>([=](Channel& channel) {
    Member member(domain);
    agnocast_ticket_args ticket = {};
    require(member.finish_process() == ENOENT, "there is nothing to finish");
    require(member.begin_process(5, "5") == 0, "it joins");
    require(member.add_endpoint("/early", ticket) == ENOENT, "it has no endpoints yet");
    channel.say("joining");
    channel.hear();
    require(member.finish_process() == 0, "it is live");
    require(member.finish_process() == ENOENT, "once");
    channel.say("live");
    channel.hear();
  });
  ASSERT_EQ(joining->hear(), "joining");
  EXPECT_EQ(watching.processes(), 0U);
  EXPECT_EQ(watching.begin_process(5, "5"), EBUSY);
  joining->say("go on");
  ASSERT_EQ(joining->hear(), "live");
  EXPECT_EQ(watching.processes(), 1U);
  joining->say("end");
  EXPECT_EQ(joining->wait(), 0);
}

TEST(Member, IsRefusedATopicOfAnotherType)
{
  Member member(fresh_domain());
  ASSERT_EQ(member.add_process(0, "0"), 0);
  agnocast_ticket_args ticket = {};
  ASSERT_EQ(member.add_endpoint("/topic", ticket), 0);
  EXPECT_EQ(member.add_endpoint("/topic", ticket, AGNOCAST_ADD_SUBSCRIBER_CMD, 2), EPROTOTYPE);
  EXPECT_EQ(member.add_endpoint("/topic", ticket, AGNOCAST_ADD_SUBSCRIBER_CMD), 0);
}

TEST(Member, LeavesWithItsMappingWhateverItsFilesDo)
{
  const std::uint32_t domain = fresh_domain();
  const Device watching;
  ASSERT_EQ(watching.enter(domain), 0);
  const agnocast_registry* const pages = watching.map();
  Process process([domain](Channel& channel) {
    Device device;
    require(device.enter(domain) == 0, "it enters");
    const agnocast_registry* const own = device.map();
    agnocast_process_args args = {domain, 0, 0, "0"};
    require(device.call(AGNOCAST_ADD_PROCESS_CMD, &args) == 0, "it is added");
    require(device.call(AGNOCAST_FINISH_PROCESS_CMD, &args.domain) == 0, "it is live");
    channel.say("added");
    channel.hear();
    device.close();
    channel.say("closed");
    channel.hear();
    const Device again;
    require(again.enter(domain) == 0, "it enters again");
    munmap(const_cast<agnocast_registry*>(own), sizeof *own);
    channel.say("unmapped");
    channel.hear();
  });
  process.hear();
  EXPECT_EQ(pages->processes[0].state, AGNOCAST_LIVE);
  process.say("close");
  process.hear();
  EXPECT_EQ(pages->processes[0].state, AGNOCAST_LIVE);
  process.say("unmap");
  process.hear();
  EXPECT_TRUE(eventually([&] { return pages->processes[0].state == AGNOCAST_FREE; }));
}

TEST(Member, GoesWithItsProcessThoughAForkedChildLives)
{
  const std::uint32_t domain = fresh_domain();
  Member watching(domain);
  Process process([domain](Channel& channel) {
    Device device;  // stays open in the child
    require(device.enter(domain) == 0, "it enters");
    require(device.map() != nullptr, "it maps");
    agnocast_process_args args = {domain, 0, 0, "0"};
    require(device.call(AGNOCAST_ADD_PROCESS_CMD, &args) == 0, "it is added");
    require(device.call(AGNOCAST_FINISH_PROCESS_CMD, &args.domain) == 0, "it is live");
    const pid_t child = fork();
    if (child == 0) {
      // Neither its memory nor what it inherited makes it a member.
      agnocast_endpoint_args endpoint = {};
      endpoint.domain = domain;
      require(device.call(AGNOCAST_ADD_PUBLISHER_CMD, &endpoint) == ENOENT, "a child is no member");
      for (;;) pause();
    }
    channel.say(std::to_string(child));
    channel.hear();
  });
  const pid_t child = std::stoi(process.hear());
  EXPECT_EQ(watching.processes(), 1U);
  process.kill();
  EXPECT_TRUE(eventually([&] { return watching.processes() == 0; }));
  kill(child, SIGKILL);
}

TEST(Member, StaysWhenAForkedChildEnds)
{
  Member member(fresh_domain());
  ASSERT_EQ(member.add_process(0, "0"), 0);
  Process child([](Channel&) {});
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(member.processes(), 1U);
}

TEST(Member, GoesWithExec)
{
  const std::uint32_t domain = fresh_domain();
  Member watching(domain);
  Process process([domain](Channel& channel) {
    const int file = open(AGNOCAST_DEVICE, O_RDWR);  // open beyond exec
    agnocast_enter_args enter = {};
    enter.domain = domain;
    require(ioctl(file, AGNOCAST_ENTER_CMD, &enter) == 0, "it enters");
    require(mmap(nullptr, sizeof(agnocast_registry), PROT_READ, MAP_SHARED, file, 0) != MAP_FAILED,
            "it maps");
    agnocast_process_args args = {domain, 0, 0, "0"};
    require(ioctl(file, AGNOCAST_ADD_PROCESS_CMD, &args) == 0, "it is added");
    require(ioctl(file, AGNOCAST_FINISH_PROCESS_CMD, &args.domain) == 0, "it is live");
    channel.say("added");
    channel.hear();
    execl("/bin/sleep", "sleep", "1000", nullptr);
  });
  process.hear();
  EXPECT_EQ(watching.processes(), 1U);
  process.say("exec");
  EXPECT_TRUE(eventually([&] { return watching.processes() == 0; }));
}

TEST(Member, IsRemovedWithAllItHasAtWhateverStepItIsKilled)
{
  const std::uint32_t domain = fresh_domain();
  Member watching(domain);
  for (int step = 0; step < 6; ++step) {
    Process process([domain, step](Channel& channel) {
      const auto here = [&](int reached) {
        if (reached == step) {
          channel.say("here");
          channel.hear();
        }
      };
      Device device;
      here(0);
      require(device.enter(domain) == 0, "it enters");
      here(1);
      Member member(domain);
      here(2);
      require(member.add_process(0, "0") == 0, "it is added");
      here(3);
      agnocast_ticket_args ticket = {};
      require(member.add_endpoint("/topic", ticket) == 0, "it publishes");
      here(4);
      require(member.take_turn() == 0, "it has its turn");
      here(5);
    });
    EXPECT_EQ(process.hear(), "here");
    process.kill();
    EXPECT_TRUE(eventually([&] { return watching.processes() + watching.endpoints() == 0; }))
      << step;
    EXPECT_EQ(watching.take_turn(), 0) << step;
    EXPECT_EQ(watching.give_turn(), 0) << step;
  }
}

TEST(Member, IsForgottenOnlyOnceItHasEnded)
{
  const std::uint32_t domain = fresh_domain();
  const std::uint64_t departure_ms = parameter("departure_ms");
  set_parameter("departure_ms", 1'000'000);
  Member watching(domain);
  const auto other = start_publisher(domain, 4, wait_for_a_word);
  other->hear();
  agnocast_ticket_args ticket{domain, 4, watching.pages().processes[4].id};
  EXPECT_EQ(Device().call(AGNOCAST_FORGET_PROCESS_CMD, &ticket), ENOENT);
  other->kill();
  EXPECT_EQ(watching.processes(), 1U) << "its last messages can be found";
  EXPECT_TRUE(eventually([&] { return Device().call(AGNOCAST_FORGET_PROCESS_CMD, &ticket) == 0; }));
  EXPECT_EQ(watching.processes() + watching.endpoints(), 0U);
  set_parameter("departure_ms", departure_ms);
}

TEST(Turn, IsOneMembersAtATime)
{
  const std::uint32_t domain = fresh_domain();
  Member member(domain);
  ASSERT_EQ(member.take_turn(), 0);
  Process process([domain](Channel& channel) {
    Member other(domain);
    require(other.give_turn() == ENOENT, "it is not its turn");
    channel.say("waits");
    require(other.take_turn() == 0, "it has its turn");
    channel.say("has it");
    channel.hear();
  });
  EXPECT_EQ(process.hear(), "waits");
  EXPECT_EQ(process.hear(std::chrono::milliseconds(200)), "<nothing>");
  EXPECT_EQ(member.give_turn(), 0);
  EXPECT_EQ(process.hear(), "has it");
}

TEST(Tables, AreFullWithAnErrorAndServeAgainAfterwards)
{
  const std::uint32_t domain = fresh_domain();
  Member member(domain);
  ASSERT_EQ(member.add_process(0, "0"), 0);
  agnocast_ticket_args ticket = {};
  std::vector<agnocast_ticket_args> tickets;
  for (unsigned i = 0; i < AGNOCAST_TOPIC_CAPACITY; ++i) {
    ASSERT_EQ(member.add_endpoint("/t" + std::to_string(i), ticket), 0) << i;
    tickets.push_back(ticket);
  }
  EXPECT_EQ(member.add_endpoint("/one_more", ticket), EXFULL);
  for (unsigned i = AGNOCAST_TOPIC_CAPACITY; i < AGNOCAST_ENDPOINT_CAPACITY; ++i) {
    ASSERT_EQ(member.add_endpoint("/t1", ticket), 0) << i;
  }
  EXPECT_EQ(member.add_endpoint("/t1", ticket), ENOSPC);
  EXPECT_EQ(member.remove(tickets[7]), 0);
  EXPECT_EQ(member.add_endpoint("/one_more", ticket), 0);
  member.leave();
  Member again(domain);
  EXPECT_TRUE(eventually([&] { return again.endpoints() == 0; }));
}

TEST(Tables, HaveTheLimitsOfTheParameters)
{
  const std::uint64_t processes = parameter("max_processes");
  const std::uint64_t domains = parameter("max_domains");
  const std::uint32_t domain = fresh_domain();
  set_parameter("max_processes", 2);
  const auto first = start_publisher(domain, 0, wait_for_a_word);
  const auto second = start_publisher(domain, 1, wait_for_a_word);
  first->hear();
  second->hear();
  Member member(domain);
  EXPECT_EQ(member.add_process(2, "2"), EUSERS);
  set_parameter("max_processes", processes);
  EXPECT_EQ(member.add_process(2, "2"), 0);
  set_parameter("max_domains", 1);
  EXPECT_EQ(Member(fresh_domain()).error(), EUSERS);
  set_parameter("max_domains", domains);
  EXPECT_EQ(Member(fresh_domain()).error(), 0);
}

TEST(Tables, AreEmptyAfterAHundredProcessesEndAtOnce)
{
  const std::uint32_t domain = fresh_domain();
  Member watching(domain);
  std::vector<std::unique_ptr<Process>> processes;
  for (std::uint32_t i = 0; i < 100; ++i) {
    processes.push_back(start_publisher(domain, i, wait_for_a_word));
  }
  for (auto& process : processes) process->hear();
  EXPECT_EQ(watching.processes(), 100U);
  for (auto& process : processes) process->signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return watching.processes() + watching.endpoints() == 0; }));
}

TEST(Domain, BeginsAnewWhenNobodyIsInIt)
{
  const std::uint32_t domain = fresh_domain();
  std::uint64_t first_id = 0;
  {
    Member member(domain);
    ASSERT_EQ(member.add_process(0, "0"), 0);
    first_id = member.pages().processes[0].id;
  }
  EXPECT_TRUE(eventually([domain] {
    std::uint32_t number = domain;
    return Device().call(AGNOCAST_LOOK_CMD, &number) == ENOENT;
  }));
  const Device device;
  agnocast_enter_args args = {};
  args.domain = domain;
  args.window_base = 0x300000000000;
  args.window_bytes = 1ULL << 40;
  args.slot_bytes = 1ULL << 32;
  ASSERT_EQ(device.call(AGNOCAST_ENTER_CMD, &args), 0);
  EXPECT_EQ(args.window_base, 0x300000000000U);
  const agnocast_registry* const pages = device.map();
  EXPECT_EQ(pages->header.process_capacity, 256U);
  EXPECT_GT(pages->header.next_id, first_id);
  munmap(const_cast<agnocast_registry*>(pages), sizeof *pages);
}

TEST(Domain, RefusesWindowsThatAreNone)
{
  for (const auto& [base, bytes, slot] :
       std::vector<std::array<std::uint64_t, 3>>{{0x1000, 1 << 20, 0},
                                                 {0x1001, 1 << 20, 1 << 16},
                                                 {~0ULL - 0xfff, 1 << 20, 1 << 16},
                                                 {0x1000, 1 << 10, 1 << 16}}) {
    agnocast_enter_args args = {};
    args.domain = fresh_domain();
    args.window_base = base;
    args.window_bytes = bytes;
    args.slot_bytes = slot;
    EXPECT_EQ(Device().call(AGNOCAST_ENTER_CMD, &args), EINVAL) << std::hex << base;
  }
}

TEST(Domain, IsOfItsIpcNamespace)
{
  const std::uint32_t domain = fresh_domain();
  Member member(domain);
  ASSERT_EQ(member.add_process(0, "0"), 0);
  Process process([domain](Channel&) {
    require(unshare(CLONE_NEWIPC) == 0, "a namespace of its own");
    std::uint32_t number = domain;
    require(Device().call(AGNOCAST_LOOK_CMD, &number) == ENOENT, "nobody is in that domain here");
    Member inside(domain);
    require(inside.processes() == 0, "it is empty");
    require(inside.add_process(0, "0") == 0, "and has the same slots");
  });
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(member.processes(), 1U);
}

TEST(Domain, AdmitsWhomItsFirstMemberAdmits)
{
  ASSERT_EQ(chmod(AGNOCAST_DEVICE, 0666), 0);
  constexpr uid_t stranger = 65'533;
  const auto entered_by_stranger = [](std::uint32_t domain) {
    Process process([domain](Channel& channel) {
      require(setgid(stranger) == 0 && setuid(stranger) == 0, "another user");
      const int entered = Device().enter(domain);
      std::uint32_t number = domain;
      const int looked = Device().call(AGNOCAST_LOOK_CMD, &number);
      require(entered == looked, "who may enter may look");
      channel.say(std::to_string(entered));
    });
    return process.hear();
  };
  const std::uint32_t closed = fresh_domain();
  const std::uint32_t open = fresh_domain();
  Member owner(closed);
  Member generous(open, AGNOCAST_ACCESS_ALL);
  EXPECT_EQ(entered_by_stranger(closed), std::to_string(EACCES));
  EXPECT_EQ(entered_by_stranger(open), "0");
  ASSERT_EQ(chmod(AGNOCAST_DEVICE, 0600), 0);
}

TEST(Module, IsNotUnloadedWhileInUse)
{
  const auto unload = [] { return syscall(SYS_delete_module, "agnocast", O_NONBLOCK) == 0; };
  {
    const Device device;
    EXPECT_FALSE(unload());
    EXPECT_EQ(errno, EWOULDBLOCK);
  }
  {
    const Member member(fresh_domain());  // no file is open any more
    EXPECT_FALSE(unload());
  }
  EXPECT_EQ(Device().error(), 0);
}

}  // namespace
}  // namespace agnocast::test

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "machine/machine.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace agnocast::test {

namespace {

[[noreturn]] void cannot(const std::string& what)
{
  throw Cannot(what + ": " + std::strerror(errno));
}

void write_file(const std::string& path, const std::string& text)
{
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written =
    fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (fd >= 0) ::close(fd);
  errno = error;
  if (!written) cannot(path);
}

}  // namespace

std::string in_world(const std::function<void()>& body)
{
  Process world([&](Channel& channel) {
    try {
      body();
      channel.say("all well");
    } catch (const Cannot& why) {
      channel.say(std::string("cannot: ") + why.what());
    }
  });
  std::string said = world.hear(std::chrono::seconds(100));
  const int status = world.wait();
  if (status != 0) said += ", exit status " + std::to_string(status);
  return said;
}

void enter_namespaces(int flags)
{
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (user != 0) flags |= CLONE_NEWUSER;
  if (::unshare(flags) != 0) cannot("unshare of namespaces");
  if ((flags & CLONE_NEWUSER) != 0) {
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
    write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
  }
  if ((flags & CLONE_NEWNS) != 0 &&
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    cannot("private mounts");
  }
}

void enter_own_shm(const std::string& options)
{
  enter_namespaces(CLONE_NEWNS | CLONE_NEWIPC);
  if (::mount("tmpfs", "/dev/shm", "tmpfs", 0, options.c_str()) != 0) cannot("mount of a tmpfs");
  // Where there is one it shows the queues of the namespace that it was mounted in.
  if (::mount("mqueue", "/dev/mqueue", "mqueue", 0, nullptr) != 0 && errno != ENOENT &&
      errno != ENODEV) {
    cannot("mount of the message queues");
  }
}

void become_ordinary()
{
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (::syscall(SYS_capset, &header, none) != 0) cannot("giving capabilities up");
}

void set_limit(int resource, rlim_t soft)
{
  rlimit limit = {};
  ::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  require(::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0, "setrlimit");
}

void refuse_system_call(long number, int error, std::pair<int, std::uint32_t> argument)
{
  const auto load = [](std::size_t offset) {
    return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
  };
  const auto unless = [](std::uint32_t value, std::uint8_t skip) {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value};
  };
  const sock_filter refuse{BPF_RET | BPF_K, 0, 0,
                           SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)};
  std::vector<sock_filter> code = {load(offsetof(seccomp_data, nr))};
  if (argument.first < 0) {
    code.push_back(unless(static_cast<std::uint32_t>(number), 1));
  } else {
    code.push_back(unless(static_cast<std::uint32_t>(number), 3));
    code.push_back(load(offsetof(seccomp_data, args) +
                        static_cast<std::size_t>(argument.first) * sizeof(std::uint64_t)));
    code.push_back(unless(argument.second, 1));
  }
  code.push_back(refuse);
  code.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    cannot("a seccomp filter");
  }
}

Filler::Filler() : fd_(::open("/dev/shm/filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600))
{
  require(fd_ >= 0, "a file that fills /dev/shm");
}

Filler::~Filler()
{
  ::close(fd_);
  ::unlink("/dev/shm/filler");
}

void Filler::fill(std::size_t spare)
{
  const std::vector<char> block(4096, 'x');
  while (::write(fd_, block.data(), block.size()) > 0) {
  }
  require(errno == ENOSPC, "/dev/shm becomes full");
  const off_t end = ::lseek(fd_, 0, SEEK_CUR);
  require(::ftruncate(fd_, std::max<off_t>(0, end - static_cast<off_t>(spare))) == 0, "ftruncate");
  ::lseek(fd_, 0, SEEK_END);
}

void Filler::clear()
{
  require(::ftruncate(fd_, 0) == 0 && ::lseek(fd_, 0, SEEK_SET) == 0, "ftruncate");
}

std::size_t open_descriptors()
{
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++count;
  }
  return count - 1;
}

void close_all_but_pipes(int last)
{
  for (int fd = 3; fd <= last; ++fd) {
    struct stat status = {};
    if (::fstat(fd, &status) == 0 && !S_ISFIFO(status.st_mode)) ::close(fd);
  }
}

AllDescriptors::AllDescriptors()
{
  for (int fd = 0; (fd = ::open("/", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
  require(errno == EMFILE, "all descriptors are taken");
}

void AllDescriptors::clear()
{
  for (const int fd : taken_) ::close(fd);
  taken_.clear();
}

std::size_t status_kb(const std::string& field)
{
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stoull(line.substr(field.size() + 1));
  }
  throw std::runtime_error("no " + field + " in /proc/self/status");
}

std::size_t mapping_count()
{
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}

std::string standard_error_of(const std::function<void()>& body)
{
  char name[] = "/tmp/agnocast_test_XXXXXX";
  const int file = ::mkstemp(name);
  require(file >= 0, "a temporary file");
  ::unlink(name);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(file, STDERR_FILENO);
  body();
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  std::string text(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  ::close(file);
  require(got == static_cast<ssize_t>(text.size()), "what was said can be read");
  return text;
}

std::size_t count_of(const std::string& text, const std::string& part)
{
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

bool is_long_run()
{
  const char* setting = std::getenv("AGNOCAST_TEST_LONG");
  return setting != nullptr && std::strcmp(setting, "1") == 0;
}

Talker::Talker(std::string topic, QoS qos)
  : process_([topic = std::move(topic), qos](Channel& channel) {
      Node node("talker");
      auto publisher = node.create_publisher<Report>(topic, qos);
      channel.say("ready");
      std::uint64_t number = 0;
      while (const auto order = channel.hear()) {
        std::istringstream words(*order);
        std::string verb;
        std::uint64_t count = 0;
        words >> verb >> count;
        if (verb == "leave") return;
        if (verb == "retained") {
          channel.say(std::to_string(publisher->retained_count()));
        } else if (verb == "used") {
          channel.say(std::to_string(shared_heap_statistics().used_bytes));
        } else if (verb == "publish") {
          const std::string outcome = outcome_of([&] {
            for (; count != 0; --count) {
              publish_report(*publisher, number + 1);
              ++number;
            }
          });
          channel.say(outcome == "nothing thrown" ? "published" : outcome);
        } else {
          channel.say("unknown order");
        }
      }
    })
{
  require(process_.hear() == "ready", "a talker");
}

std::string Talker::publish(std::uint64_t count)
{
  return ask("publish " + std::to_string(count));
}

std::string Talker::ask(const std::string& order)
{
  process_.say(order);
  return process_.hear();
}

void Talker::leave()
{
  process_.say("leave");
  require(process_.wait() == 0, "a talker ends in order");
}

std::uint64_t take_all(Subscription<Report>& subscription, std::uint64_t last)
{
  while (const auto message = subscription.take()) {
    require(message->number > last, "numbers rise");
    last = message->number;
    require(is_whole(*message, last), "message " + std::to_string(last) + " is whole");
  }
  return last;
}

void await_number(Subscription<Report>& subscription, std::uint64_t& last, std::uint64_t wanted)
{
  require(eventually([&] { return (last = take_all(subscription, last)) >= wanted; }),
          "message " + std::to_string(wanted) + " comes; the last was " + std::to_string(last));
}

}  // namespace agnocast::test

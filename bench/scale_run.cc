// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "scale_run.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "harness/clock.hpp"
#include "harness/statistics.hpp"

namespace bench {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t start_limit_ns = 30 * second_ns;
constexpr std::uint64_t run_limit_ns = 60 * second_ns;
constexpr std::uint64_t arrival_limit_ns = second_ns / 2;
constexpr std::uint64_t quit_limit_ns = 10 * second_ns;

/// The page, and the descriptor by which the processes get it.
class SharedPage
{
 public:
  SharedPage() : fd_(memfd_create("agnocast-bench-scale", 0))
  {
    if (fd_ < 0 || ftruncate(fd_, sizeof(ScalePage)) != 0) {
      throw Failure(std::string("cannot make the shared page: ") + std::strerror(errno));
    }
    // A fault in the middle of a measurement would be seen in it.
    void* address =
      mmap(nullptr, sizeof(ScalePage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
    if (address == MAP_FAILED) throw Failure("cannot map the shared page");
    page_ = static_cast<ScalePage*>(address);
  }
  ~SharedPage()
  {
    munmap(page_, sizeof(ScalePage));
    close(fd_);
  }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;

  ScalePage* operator->() const noexcept { return page_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
  ScalePage* page_ = nullptr;
};

/// Counts the system calls of all threads of some processes, with strace.
class SyscallCounter
{
 public:
  explicit SyscallCounter(const std::vector<pid_t>& processes)
  {
    std::string path = "/tmp/agnocast-bench-strace-XXXXXX";
    const int fd = mkstemp(path.data());
    if (fd < 0) throw Failure("cannot make a file in /tmp");
    close(fd);
    path_ = path;
    std::vector<std::string> words{"strace", "-f", "-c", "-o", path_};
    for (const pid_t process : processes) {
      words.emplace_back("-p");
      words.push_back(std::to_string(process));
    }
    const std::string last = std::to_string(processes.back());
    strace_.emplace(Child::start_and_await(words, "rocess " + last + " attached", start_limit_ns));
    usleep(200'000);  // the other threads follow
  }
  ~SyscallCounter() { unlink(path_.c_str()); }
  SyscallCounter(const SyscallCounter&) = delete;
  SyscallCounter& operator=(const SyscallCounter&) = delete;

  double stop()
  {
    strace_->end(SIGINT, quit_limit_ns);
    std::ifstream table(path_);
    std::string line;
    double total = -1;
    double own = 0;
    while (std::getline(table, line)) {
      // " 12.30    0.000123           1       123         4 futex", the errors only if there are
      // any
      std::istringstream words(line);
      double percent = 0;
      double seconds = 0;
      double per_call = 0;
      double calls = 0;
      if (!(words >> percent >> seconds >> per_call >> calls)) continue;
      const std::string name = line.substr(line.rfind(' ') + 1);
      if (name == "total") total = calls;
      // How the processes pass the time between the messages.
      if (name == "pselect6" || name == "sched_yield") own += calls;
    }
    if (total < 0) throw Failure("strace did not say how many system calls there were");
    return total - own;
  }

 private:
  std::string path_;
  std::optional<Child> strace_;
};

class Run
{
 public:
  Run(const System& system, const ScaleCase& what) : what_(what), system_(system)
  {
    if (!system.daemon.empty()) {
      daemon_.emplace(
        Child::start_and_await(system.daemon, system.daemon_ready_line, start_limit_ns));
    }
    for (std::size_t i = 0; i < what.publishers + what.subscribers; ++i) start(i);
    await("to get ready", start_limit_ns,
          [&] { return all(0, processes_.size(), ScaleState::ready); });
    usleep(100'000);  // for everybody to fall asleep
  }

  ScaleResult measure(bool counts_syscalls)
  {
    std::optional<SyscallCounter> counter;
    if (counts_syscalls) {
      std::vector<pid_t> traced;
      if (daemon_) traced.push_back(daemon_->pid());
      for (const Child& process : processes_) traced.push_back(process.pid());
      counter.emplace(traced);
    }
    const std::uint64_t daemon_before_ns = daemon_cpu_ns();
    page_->go.store(1, std::memory_order_release);
    await("to publish all", run_limit_ns,
          [&] { return all(0, what_.publishers, ScaleState::done); });
    const std::uint64_t expected = what_.messages * what_.publishers * what_.subscribers;
    const std::uint64_t deadline_ns = now_ns() + arrival_limit_ns;
    while (received() < expected && now_ns() < deadline_ns) usleep(10'000);
    ScaleResult result;
    result.what = what_;
    result.system = system_.name;
    result.counted_syscalls = counts_syscalls;
    if (counter) {
      result.syscalls_per_message =
        counter->stop() / static_cast<double>(what_.messages * what_.publishers);
    }
    const std::uint64_t daemon_used_ns = daemon_cpu_ns() - daemon_before_ns;
    page_->quit.store(1, std::memory_order_release);
    for (Child& process : processes_) process.join(quit_limit_ns);
    if (daemon_) daemon_->end(SIGTERM, quit_limit_ns);
    result.lost = expected - std::min(expected, received());
    fill(result);
    result.cpu_ns_per_message +=
      static_cast<double>(daemon_used_ns) / static_cast<double>(what_.messages * what_.publishers);
    return result;
  }

 private:
  /// What the daemon, if the system has one, used so far.
  [[nodiscard]] std::uint64_t daemon_cpu_ns() const
  {
    clockid_t clock{};
    timespec used{};
    if (!daemon_ || clock_getcpuclockid(daemon_->pid(), &clock) != 0 ||
        clock_gettime(clock, &used) != 0) {
      return 0;
    }
    return static_cast<std::uint64_t>(used.tv_sec) * second_ns +
           static_cast<std::uint64_t>(used.tv_nsec);
  }

  void start(std::size_t index)
  {
    const bool publishes = index < what_.publishers;
    const char* const pace = what_.pace == Pace::each   ? "each"
                             : what_.pace == Pace::rate ? "rate"
                                                        : "flood";
    std::vector<std::string> words{system_.program};
    words.insert(words.end(), system_.first_scale_arguments.begin(),
                 system_.first_scale_arguments.end());
    const auto add = [&](const char* option, const std::string& value) {
      words.emplace_back(option);
      words.push_back(value);
    };
    words.emplace_back("scale");
    add("--role", publishes ? "publisher" : "subscriber");
    add("--index", std::to_string(index));
    add("--fd", std::to_string(page_.fd()));
    add("--parent", std::to_string(getpid()));
    add("--publishers", std::to_string(what_.publishers));
    add("--subscribers", std::to_string(what_.subscribers));
    add("--topics", std::to_string(what_.topics));
    add("--size", std::to_string(what_.size_bytes));
    add("--awake", what_.awake ? "1" : "0");
    add("--pace", pace);
    add("--rate-hz", std::to_string(what_.rate_hz));
    add("--messages", std::to_string(what_.messages));
    processes_.push_back(Child::start(words, system_.scale_settings));
  }

  [[nodiscard]] bool all(std::size_t begin, std::size_t end, ScaleState state) const
  {
    for (std::size_t i = begin; i < end; ++i) {
      if (page_->processes[i].state.load(std::memory_order_acquire) != state) return false;
    }
    return true;
  }

  template <class Condition>
  void await(const char* what, std::uint64_t limit_ns, Condition&& holds)
  {
    const std::uint64_t deadline_ns = now_ns() + limit_ns;
    while (!holds()) {
      for (Child& process : processes_) process.check();
      if (now_ns() > deadline_ns)
        throw Failure(std::string("waited too long for processes ") + what);
      usleep(10'000);  // seldom: it takes a core from somebody
    }
  }

  [[nodiscard]] std::uint64_t received() const
  {
    std::uint64_t sum = 0;
    for (std::size_t i = what_.publishers; i < processes_.size(); ++i) {
      sum += page_->processes[i].received.load(std::memory_order_acquire);
    }
    return sum;
  }

  [[nodiscard]] std::vector<double> samples(std::size_t begin, std::size_t end) const
  {
    std::vector<double> found;
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t count = std::min(page_->processes[i].sample_count, scale_samples_max);
      found.insert(found.end(), page_->samples_ns[i], page_->samples_ns[i] + count);
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  void fill(ScaleResult& result) const
  {
    const std::vector<double> costs = samples(0, what_.publishers);
    const std::vector<double> latencies = samples(what_.publishers, processes_.size());
    result.publish_p50_ns = quantile(costs, 0.5);
    result.publish_p99_ns = quantile(costs, 0.99);
    result.latency_p50_ns = quantile(latencies, 0.5);
    result.latency_p99_ns = quantile(latencies, 0.99);
    result.latency_p999_ns = quantile(latencies, 0.999);
    std::vector<double> last;
    for (std::size_t i = 1; what_.has_last() && i <= what_.messages; ++i) {
      last.push_back(static_cast<double>(page_->last_ns[i].load()));
    }
    result.last_p50_ns = median(last);
    double cpu_ns = 0;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      cpu_ns += static_cast<double>(page_->processes[i].cpu_ns);
    }
    const auto messages = static_cast<double>(what_.messages * what_.publishers);
    result.cpu_ns_per_message = cpu_ns / messages;
    result.messages_per_s = messages * 1e9 / static_cast<double>(page_->processes[0].duration_ns);
  }

  const ScaleCase what_;
  const System& system_;
  SharedPage page_;
  std::optional<Child> daemon_;
  std::vector<Child> processes_;
};

}  // namespace

ScaleResult run_scale_case(const System& system, const ScaleCase& what, bool counts_syscalls)
{
  return Run(system, what).measure(counts_syscalls);
}

bool can_count_syscalls()
{
  static const bool can = std::system("strace -V > /dev/null 2>&1") == 0;
  return can;
}

ScaleResult summary(const std::vector<ScaleResult>& runs)
{
  ScaleResult result = runs.front();
  const auto middle = [&](double ScaleResult::*member) {
    std::vector<double> values;
    for (const ScaleResult& run : runs) {
      if (!run.counted_syscalls) values.push_back(run.*member);
    }
    return median(values);
  };
  for (double ScaleResult::*member :
       {&ScaleResult::publish_p50_ns, &ScaleResult::publish_p99_ns, &ScaleResult::latency_p50_ns,
        &ScaleResult::latency_p99_ns, &ScaleResult::latency_p999_ns, &ScaleResult::last_p50_ns,
        &ScaleResult::cpu_ns_per_message, &ScaleResult::messages_per_s}) {
    result.*member = middle(member);
  }
  result.lost = 0;
  for (const ScaleResult& run : runs) {
    if (run.counted_syscalls) {
      result.syscalls_per_message = run.syscalls_per_message;
    } else {
      result.lost += run.lost;  // who is traced is too slow for some rates
    }
  }
  return result;
}

}  // namespace bench

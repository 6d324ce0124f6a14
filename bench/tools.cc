// What a publisher notices of the command agnocast: the cost of publish(), and the memory in use,
// before tools come, while they look, and after they have gone, killed ones too.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <time.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "harness/clock.hpp"
#include "harness/process.hpp"
#include "harness/statistics.hpp"

namespace bench {
namespace {

constexpr const char* topic = "/bench/tools";
constexpr std::uint64_t tool_limit_ns = 20'000'000'000;

struct Message
{
  std::string frame_id;
  std::vector<std::uint8_t> bytes;
};

/// What is beside the publisher while it publishes.
struct Phase
{
  const char* name;
  std::vector<std::string> tool;  ///< none: nothing
  bool subscribes;
};

const std::vector<Phase>& all_phases()
{
  static const std::vector<Phase> phases = {
    {"nothing", {}, false},
    {"topic echo", {"topic", "echo", topic}, true},
    {"topic hz", {"topic", "hz", topic}, true},
    {"top", {"top", "-d", "0.1", "-b", "1000000"}, false},
    // One that comes and is killed, again and again, until the measurement begins.
    {"after kill -9 of ten", {"topic", "echo", topic}, true},
  };
  return phases;
}

struct ToolsResult
{
  const char* beside;
  std::vector<double> p50_ns, p99_ns, used_bytes;
};

class Bench
{
 public:
  explicit Bench(const ToolsOptions& options)
    : options_(options),
      node_("publisher"),
      publisher_(node_.create_publisher<Message>(topic, agnocast::QoS(5)))
  {
    tool_ = options.tool.empty()
              ? std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() /
                  "bin/agnocast"
              : std::filesystem::path(options.tool);
    if (!std::filesystem::exists(tool_)) throw Failure("there is no " + tool_.string());
    publish(options.smoke ? 10 : 1000);  // until memory and caches are as they will be
  }

  void measure(const Phase& phase, ToolsResult& result)
  {
    std::optional<Child> child;
    if (!phase.tool.empty()) child.emplace(start(phase));
    if (std::strncmp(phase.name, "after", 5) == 0) {
      for (int i = 0; i < 10; ++i) {
        end(*child, SIGKILL);
        if (i < 9) child.emplace(start(phase));
      }
      child.reset();
    }
    std::vector<double> costs = publish(options_.smoke ? 20 : 1000);
    if (child) end(*child, SIGINT);
    std::sort(costs.begin(), costs.end());
    result.p50_ns.push_back(quantile(costs, 0.5));
    result.p99_ns.push_back(quantile(costs, 0.99));
    publish(10);  // what the tool held is given back
    publisher_->reclaim();
    result.used_bytes.push_back(static_cast<double>(agnocast::shared_heap_statistics().used_bytes));
  }

 private:
  Child start(const Phase& phase)
  {
    // Through a shell, which throws away what is printed.
    std::string line = "exec '" + tool_.string() + "'";
    for (const std::string& word : phase.tool) line += " " + word;
    Child child = Child::start({"/bin/sh", "-c", line + " > /dev/null 2>&1"});
    if (phase.subscribes) await_subscriptions(1, child);
    return child;
  }
  void end(Child& child, int signal_number)
  {
    child.end(signal_number, tool_limit_ns);
    await_subscriptions(0, child);
  }
  void await_subscriptions(std::size_t count, Child& child)
  {
    Patience patience("a tool subscribes, or its subscription goes");
    while (publisher_->subscription_count() != count) {
      if (count != 0) child.check();
      publish(1);
      patience.check();
    }
  }

  /// One message each millisecond; what each publish() took.
  std::vector<double> publish(int count)
  {
    std::vector<double> costs;
    for (int i = 0; i < count; ++i) {
      const timespec period{0, 1'000'000};
      nanosleep(&period, nullptr);
      auto loan = publisher_->borrow_loaned_message();
      loan->frame_id = "camera_on_the_roof_in_front_left";
      loan->bytes.resize(65'536);
      const std::uint64_t begin_ns = now_ns();
      publisher_->publish(std::move(loan));
      costs.push_back(static_cast<double>(now_ns() - begin_ns));
    }
    return costs;
  }

  const ToolsOptions options_;
  std::filesystem::path tool_;
  agnocast::Node node_;
  agnocast::Publisher<Message>::SharedPtr publisher_;
};

void write_json(const std::string& path, const std::vector<ToolsResult>& results)
{
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw Failure(path + ": " + std::strerror(errno));
  std::fputs("{\n  \"command\": \"tools\",\n  \"results\": [", file);
  for (const ToolsResult& result : results) {
    std::fprintf(
      file,
      "%s\n    {\"beside\": \"%s\", \"p50_ns\": %.1f, \"p99_ns\": %.1f, \"used_bytes\": %.0f}",
      &result == results.data() ? "" : ",", result.beside, median(result.p50_ns),
      median(result.p99_ns), median(result.used_bytes));
  }
  std::fputs("\n  ]\n}\n", file);
  std::fclose(file);
}

}  // namespace

int run_tools(const ToolsOptions& options)
{
  // A domain of its own, unless the environment says otherwise; the tools inherit it.
  setenv("AGNOCAST_DOMAIN_ID", std::to_string(900 + getpid() % 90).c_str(), 0);
  Bench bench(options);
  std::vector<ToolsResult> results;
  for (const Phase& phase : all_phases()) results.push_back({phase.name, {}, {}, {}});
  for (unsigned repetition = 0; repetition < (options.smoke ? 1 : options.repetitions);
       ++repetition) {
    for (std::size_t i = 0; i < results.size(); ++i) bench.measure(all_phases()[i], results[i]);
  }
  std::printf("publish() each millisecond; nanoseconds, medians; memory in use afterwards\n");
  std::printf("%-22s %8s %8s %12s\n", "beside", "p50", "p99", "used bytes");
  for (const ToolsResult& result : results) {
    std::printf("%-22s %8.0f %8.0f %12.0f\n", result.beside, median(result.p50_ns),
                median(result.p99_ns), median(result.used_bytes));
  }
  if (!options.json_path.empty()) write_json(options.json_path, results);
  return 0;
}

}  // namespace bench

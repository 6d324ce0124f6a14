// How cost and latency grow: with subscribers, topics, publishers, and up to the highest rate.
//
// Each case starts its processes anew; one repetition goes through all cases, and in each case
// through all systems, so that whatever the machine does meanwhile meets all of them.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "scale_run.hpp"
#include "systems.hpp"

namespace bench {
namespace {

std::vector<ScaleCase> plan(const ScaleOptions& options)
{
  const auto wants = [&](const char* sweep) {
    return options.sweeps.empty() ||
           std::find(options.sweeps.begin(), options.sweeps.end(), sweep) != options.sweeps.end();
  };
  const auto upto = [&](std::vector<std::size_t> counts) {
    if (options.smoke) counts.resize(2);
    return counts;
  };
  const std::uint64_t part = options.smoke ? 20 : 1;
  std::vector<ScaleCase> cases;
  if (wants("subscribers")) {
    for (const bool awake : {false, true}) {
      for (const std::size_t count : upto({1, 2, 4, 8, 16, 32})) {
        cases.push_back({.sweep = "subscribers",
                         .x = count,
                         .subscribers = count,
                         .awake = awake,
                         .pace = Pace::each,
                         .messages = (awake ? 2'000U : 300U) / part});
      }
    }
  }
  if (wants("topics")) {
    for (const std::size_t count : upto({1, 10, 50, 100, 200})) {
      cases.push_back({.sweep = "topics",
                       .x = count,
                       .subscribers = 2,
                       .topics = count,
                       .pace = Pace::rate,
                       .rate_hz = 100,
                       .messages = 100 * count / part});
    }
  }
  if (wants("publishers")) {
    for (const std::size_t count : upto({1, 2, 4, 8, 16})) {
      cases.push_back({.sweep = "publishers",
                       .x = count,
                       .publishers = count,
                       .pace = Pace::rate,
                       .rate_hz = 500,
                       .messages = 250 / part});
    }
  }
  if (wants("rate")) {
    cases.push_back(
      {.sweep = "rate", .x = 64, .awake = true, .pace = Pace::flood, .messages = 200'000 / part});
    cases.push_back({.sweep = "rate",
                     .x = 1 << 20,
                     .size_bytes = 1 << 20,
                     .awake = true,
                     .pace = Pace::flood,
                     .messages = 2'000 / part});
  }
  std::erase_if(cases, [&](const ScaleCase& what) {
    const auto& points = options.points;
    return !points.empty() && std::find(points.begin(), points.end(), what.x) == points.end();
  });
  return cases;
}

struct Key
{
  std::size_t which_case;
  std::string system;
  auto operator<=>(const Key&) const = default;
};

void print(const std::vector<ScaleResult>& results)
{
  std::printf(
    "\n%-12s %5s %8s %-9s %-10s | publish us p50 p99 | latency us p50 p99 p99.9 | last "
    "us p50 | cpu us/msg | calls/msg | msg/s\n",
    "sweep", "x", "bytes", "receivers", "system");
  for (const ScaleResult& result : results) {
    const ScaleCase& what = result.what;
    std::printf("%-12s %5zu %8zu %-9s %-10s | %8.2f %8.2f | %8.2f %8.2f %9.2f | %9.2f | %8.2f | ",
                what.sweep.c_str(), what.x, what.size_bytes, what.awake ? "awake" : "asleep",
                result.system.c_str(), result.publish_p50_ns / 1e3, result.publish_p99_ns / 1e3,
                result.latency_p50_ns / 1e3, result.latency_p99_ns / 1e3,
                result.latency_p999_ns / 1e3, result.last_p50_ns / 1e3,
                result.cpu_ns_per_message / 1e3);
    if (result.syscalls_per_message >= 0) {
      std::printf("%8.2f | ", result.syscalls_per_message);
    } else {
      std::printf("%8s | ", "-");
    }
    std::printf("%.0f%s\n", result.messages_per_s,
                result.lost != 0 ? (" (" + std::to_string(result.lost) + " lost)").c_str() : "");
  }
}

void write_json(std::FILE* file, const std::vector<ScaleResult>& results)
{
  std::fputs("{\n  \"command\": \"scale\",\n  \"results\": [", file);
  const char* separator = "";
  for (const ScaleResult& result : results) {
    const ScaleCase& what = result.what;
    std::fprintf(file,
                 "%s\n    {\"system\": \"%s\", \"sweep\": \"%s\", \"x\": %zu, \"size_bytes\": %zu, "
                 "\"awake\": %s, \"publish_p50_ns\": %.1f, \"publish_p99_ns\": %.1f, "
                 "\"latency_p50_ns\": %.1f, \"latency_p99_ns\": %.1f, \"latency_p999_ns\": %.1f, "
                 "\"messages_per_s\": %.1f, \"bytes_per_s\": %.1f, \"lost\": %llu",
                 separator, result.system.c_str(), what.sweep.c_str(), what.x, what.size_bytes,
                 what.awake ? "true" : "false", result.publish_p50_ns, result.publish_p99_ns,
                 result.latency_p50_ns, result.latency_p99_ns, result.latency_p999_ns,
                 result.messages_per_s,
                 result.messages_per_s * static_cast<double>(what.size_bytes),
                 static_cast<unsigned long long>(result.lost));
    if (what.has_last()) std::fprintf(file, ", \"last_p50_ns\": %.1f", result.last_p50_ns);
    // Who polls uses all of its core, whatever comes.
    if (!what.awake) {
      std::fprintf(file, ", \"cpu_ns_per_message\": %.1f", result.cpu_ns_per_message);
    }
    if (result.syscalls_per_message >= 0) {
      std::fprintf(file, ", \"syscalls_per_message\": %.2f", result.syscalls_per_message);
    }
    std::fputs("}", file);
    separator = ",";
  }
  std::fputs("\n  ]\n}\n", file);
}

}  // namespace

int run_scale(const ScaleOptions& options)
{
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> json(nullptr, &std::fclose);
  if (!options.json_path.empty()) {
    json.reset(std::fopen(options.json_path.c_str(), "w"));
    if (!json) throw Failure(options.json_path + ": " + std::strerror(errno));
  }
  const std::vector<ScaleCase> cases = plan(options);
  std::vector<System> systems = find_systems(options.systems, 1 << 20);
  std::erase_if(systems, [](const System& system) { return !system.scales; });
  std::map<Key, std::vector<ScaleResult>> measured;
  std::vector<std::string> failures;
  std::printf("publishers are pinned to core 0, subscribers that poll to core 1, others nowhere\n");
  const unsigned repetitions = options.smoke ? 1 : options.repetitions;
  const auto run_one = [&](std::size_t i, const System& system, bool counts_syscalls) {
    try {
      ScaleCase what = cases[i];
      if (counts_syscalls) what.messages = std::max<std::uint64_t>(1, what.messages / 4);
      measured[{i, system.name}].push_back(run_scale_case(system, what, counts_syscalls));
    } catch (const Failure& failure) {
      failures.push_back(system.name + ", " + cases[i].sweep + " " + std::to_string(cases[i].x) +
                         ": " + failure.what());
    }
  };
  for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      for (const System& system : systems) run_one(i, system, false);
    }
    std::printf("repetition %u of %u done\n", repetition + 1, repetitions);
    std::fflush(stdout);
  }
  if (!can_count_syscalls()) std::printf("system calls are not counted: there is no strace\n");
  for (std::size_t i = 0; i < cases.size() && can_count_syscalls(); ++i) {
    for (const System& system : systems) run_one(i, system, true);
  }

  std::vector<ScaleResult> results;
  for (const auto& [key, runs] : measured) {
    if (!runs.empty()) results.push_back(summary(runs));
  }
  print(results);
  if (json) write_json(json.get(), results);
  for (const std::string& failure : failures) {
    std::fprintf(stderr, "failed: %s\n", failure.c_str());
  }
  return failures.empty() ? 0 : 1;
}

}  // namespace bench

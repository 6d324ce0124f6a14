// What the library costs when others hold much, come, idle, or are many.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "load.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"
#include "harness/statistics.hpp"

namespace bench {
namespace {

struct Measurement
{
  const char* name;
  LoadFigures (*measure)(bool smoke);
  unsigned repetitions_max;  ///< of those that take long, or whose figure does not vary
  const char* unit;
  double divisor;    ///< from what is measured to the unit
  bool is_compared;  ///< has a figure without the load
  const char* text;
};

constexpr Measurement measurements[] = {
  {"held", measure_held, 100, "us", 1e3, true, "borrow and publish, p50: 4,000 held, nothing held"},
  {"newcomers", measure_newcomers, 100, "us", 1e3, true,
   "borrow and publish at 1.5 kHz, p99: new processes subscribe, nobody does"},
  {"idle_100", measure_idle_100, 1, "% of a core", 0.01, false,
   "100 idle processes on one topic, all together"},
  {"idle_200", measure_idle_200, 1, "% of a core", 0.01, false,
   "200 idle processes on one topic, all together"},
  {"wake_ups", measure_wake_ups, 3, "per s", 1, false,
   "wake-ups of an idle process that retains a message"},
  {"joiner", measure_joiner, 3, "ms", 1e6, true,
   "to join with 10 MB: beside one who joins with 2 GB, alone"},
  {"deep_reader", measure_deep_reader, 1, "MB", 1e6, false,
   "heap of a publisher of 1 MB messages beside a reader of depth 1,000 that keeps up"},
  {"end", measure_end, 1, "ms", 1e6, false,
   "end of a process with 200 publishers beside a stopped subscriber"},
  {"members", measure_many_members, 100, "us", 1e3, true,
   "publish to callback asleep, p50: node with 1,000 subscriptions, with 1"},
  {"snapshots", measure_snapshots, 1, "", 1, false,
   "ends not seen by each other, and errors, in 3 processes that come, go and look for 8 s"}};

struct LoadResult
{
  const Measurement* what;
  std::vector<double> with, without;
};

void print(const LoadResult& result)
{
  const double with = median(result.with);
  std::printf("%-12s %12.3f", result.what->name, with);
  if (result.what->is_compared) {
    const double without = median(result.without);
    std::printf(" %12.3f %10.2f", without, without > 0 ? with / without : 0);
  } else {
    std::printf(" %12s %10s", "", "");
  }
  std::printf("  %-12s %s\n", result.what->unit, result.what->text);
  std::fflush(stdout);
}

void write_json(const std::string& path, const std::vector<LoadResult>& results)
{
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw Failure(path + ": " + std::strerror(errno));
  std::fputs("{\n  \"command\": \"load\",\n  \"results\": [", file);
  const char* separator = "";
  for (const LoadResult& result : results) {
    std::fprintf(
      file, "%s\n    {\"measure\": \"%s\", \"unit\": \"%s\", \"text\": \"%s\", \"with\": %.6g",
      separator, result.what->name, result.what->unit, result.what->text, median(result.with));
    if (result.what->is_compared) std::fprintf(file, ", \"without\": %.6g", median(result.without));
    std::fputs("}", file);
    separator = ",";
  }
  std::fputs("\n  ]\n}\n", file);
  std::fclose(file);
}

}  // namespace

int run_load(const LoadOptions& options)
{
  // A domain of its own, unless the environment says otherwise.
  setenv("AGNOCAST_DOMAIN_ID", std::to_string(4'000'000 + getpid()).c_str(), 0);
  std::printf("%-12s %12s %12s %10s\n", "measure", "with", "without", "factor");
  std::vector<LoadResult> results;
  bool failed = false;
  for (const Measurement& what : measurements) {
    const auto& wanted = options.measures;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), what.name) == wanted.end()) {
      continue;
    }
    LoadResult result{&what, {}, {}};
    const unsigned repetitions =
      options.smoke ? 1 : std::min(options.repetitions, what.repetitions_max);
    try {
      for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
        const LoadFigures figures = what.measure(options.smoke);
        result.with.push_back(figures.with / what.divisor);
        result.without.push_back(figures.without / what.divisor);
      }
      print(result);
      results.push_back(std::move(result));
    } catch (const Failure& failure) {
      std::fprintf(stderr, "failed: %s: %s\n", what.name, failure.what());
      failed = true;
    }
  }
  if (!options.json_path.empty()) write_json(options.json_path, results);
  return failed ? 1 : 0;
}

}  // namespace bench

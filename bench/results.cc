// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "results.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

bool same_case(const Result& a, const Result& b)
{
  return a.mode == b.mode && a.content == b.content && a.touched == b.touched &&
         a.same_core == b.same_core && a.size_bytes == b.size_bytes;
}

const Result* find(const std::vector<Result>& results, const Result& like, const char* system)
{
  const auto found = std::find_if(results.begin(), results.end(), [&](const Result& result) {
    return same_case(result, like) && result.system == system;
  });
  return found == results.end() ? nullptr : &*found;
}

}  // namespace

const char* name(Mode mode)
{
  if (mode == Mode::poll) return "poll";
  return mode == Mode::block ? "block" : "spin";
}

const char* name(Content content)
{
  return content == Content::flat ? "flat" : "unsized";
}

std::string size_text(std::size_t bytes)
{
  constexpr std::array units = {"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  while (unit + 1 < units.size() && bytes >= 1024 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + " " + units[unit];
}

void print_table(const std::vector<Result>& results)
{
  std::printf("\none way, in microseconds; x: times agnocast's p50 of the same case\n");
  const Result* previous = nullptr;
  for (const Result& result : results) {
    if (previous == nullptr || !same_case(*previous, result)) {
      std::printf("\n%s, %s, %s, %s%s\n%-12s %12s %12s %12s %12s %12s %8s %8s\n", name(result.mode),
                  name(result.content), size_text(result.size_bytes).c_str(),
                  result.touched ? "written and read" : "handed over",
                  result.same_core ? ", both on one core" : "", "system", "p50", "p90", "p99",
                  "p99.9", "max", "n", "x");
    }
    previous = &result;
    const Summary& time = result.one_way;
    std::printf("%-12s %12.3f %12.3f %12.3f %12.3f %12.3f %8zu", result.system.c_str(),
                time.p50_ns / 1e3, time.p90_ns / 1e3, time.p99_ns / 1e3, time.p999_ns / 1e3,
                time.max_ns / 1e3, time.n);
    const Result* ours = find(results, result, "agnocast");
    if (ours != nullptr && ours != &result) {
      std::printf(" %8.2f", time.p50_ns / ours->one_way.p50_ns);
    }
    std::printf("\n");
  }
  std::printf("\np50, p90, p99: medians over the repetitions; p99.9, max: of all samples\n");
}

void write_json(std::FILE* file, const std::vector<Result>& results)
{
  std::fputs("[", file);
  for (const Result& result : results) {
    const Summary& time = result.one_way;
    std::fprintf(file,
                 "%s\n    {\"system\": \"%s\", \"is_limit\": %s, \"mode\": \"%s\", \"content\": "
                 "\"%s\", \"touched\": %s, \"same_core\": %s, \"size_bytes\": %zu, \"p50_ns\": "
                 "%.1f, \"p90_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, \"max_ns\": %.1f, "
                 "\"n\": %zu}",
                 &result == results.data() ? "" : ",", result.system.c_str(),
                 result.is_limit ? "true" : "false", name(result.mode), name(result.content),
                 result.touched ? "true" : "false", result.same_core ? "true" : "false",
                 result.size_bytes, time.p50_ns, time.p90_ns, time.p99_ns, time.p999_ns,
                 time.max_ns, time.n);
  }
  std::fputs("\n  ]", file);
}

}  // namespace bench

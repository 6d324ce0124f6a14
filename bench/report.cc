// Table and JSON.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

const Result* bare_limit(const std::vector<Result>& results, const std::string& mode)
{
  const auto found = std::find_if(results.begin(), results.end(), [&](const Result& result) {
    return result.mode == mode && result.system != "agnocast";
  });
  return found == results.end() ? nullptr : &*found;
}

/// How much longer the biggest message takes than the smallest.
void print_growth(const std::vector<Result>& results, const std::string& mode)
{
  const Result* smallest = nullptr;
  const Result* biggest = nullptr;
  for (const Result& result : results) {
    if (result.system != "agnocast" || result.mode != mode) continue;
    if (smallest == nullptr || result.size_bytes < smallest->size_bytes) smallest = &result;
    if (biggest == nullptr || result.size_bytes > biggest->size_bytes) biggest = &result;
  }
  if (smallest == biggest) return;
  std::printf("%s: p50 of %s / p50 of %s = %.2f\n", mode.c_str(),
              size_text(biggest->size_bytes).c_str(), size_text(smallest->size_bytes).c_str(),
              biggest->one_way.p50_ns / smallest->one_way.p50_ns);
}

}  // namespace

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
  std::printf("\none way, in microseconds\n%-10s %-6s %10s %10s %10s %10s %10s %10s %8s %10s\n",
              "system", "mode", "size", "p50", "p90", "p99", "p99.9", "max", "n", "p50/limit");
  for (const Result& result : results) {
    const Summary& time = result.one_way;
    std::printf("%-10s %-6s %10s %10.3f %10.3f %10.3f %10.3f %10.3f %8zu", result.system.c_str(),
                result.mode.c_str(), size_text(result.size_bytes).c_str(), time.p50_ns / 1e3,
                time.p90_ns / 1e3, time.p99_ns / 1e3, time.p999_ns / 1e3, time.max_ns / 1e3,
                time.n);
    const Result* limit = bare_limit(results, result.mode);
    if (limit != nullptr && limit != &result) {
      std::printf(" %9.2fx", time.p50_ns / limit->one_way.p50_ns);
    }
    std::printf("\n");
  }
  std::printf(
    "the clock stops when take() has returned the message; payloads are written eight rounds "
    "ahead\n"
    "p50, p90, p99: medians over the repetitions; p99.9, max: of all samples\n");
  for (const char* mode : {"poll", "block"}) print_growth(results, mode);
}

void write_json(std::FILE* file, const std::vector<Result>& results)
{
  std::fputs("[", file);
  for (const Result& result : results) {
    const Summary& time = result.one_way;
    std::fprintf(file,
                 "%s\n  {\"system\": \"%s\", \"mode\": \"%s\", \"size_bytes\": %zu, "
                 "\"p50_ns\": %.1f, \"p90_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, "
                 "\"max_ns\": %.1f, \"n\": %zu}",
                 &result == results.data() ? "" : ",", result.system.c_str(), result.mode.c_str(),
                 result.size_bytes, time.p50_ns, time.p90_ns, time.p99_ns, time.p999_ns,
                 time.max_ns, time.n);
  }
  std::fputs("\n]\n", file);
}

}  // namespace bench

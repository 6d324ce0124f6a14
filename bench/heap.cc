// The shared heap beside other allocators: one small program, with each of them loaded before the C
// library's, run by turns.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "commands.hpp"
#include "harness/process.hpp"
#include "harness/statistics.hpp"
#include "malloc/workloads.hpp"

namespace bench {
namespace {

struct Allocator
{
  std::string name;
  std::string library;  ///< loaded before the C library; none: the C library's malloc
};

std::string own_directory()
{
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

/// The library that this program runs with.
std::string own_library()
{
  Dl_info info{};
  void* const function = reinterpret_cast<void*>(&agnocast::in_shared_heap);
  if (dladdr(function, &info) == 0) throw Failure("cannot find libagnocast");
  return std::filesystem::canonical(info.dli_fname);
}

std::optional<std::string> find_library(const std::string& name)
{
  for (const char* directory : {"/usr/local/lib/", "/usr/lib/x86_64-linux-gnu/",
                                "/usr/lib/aarch64-linux-gnu/", "/usr/lib64/", "/usr/lib/"}) {
    if (std::filesystem::exists(directory + name)) return directory + name;
  }
  return std::nullopt;
}

std::vector<Allocator> all_allocators()
{
  std::vector<Allocator> found = {{"agnocast", own_library()}, {"glibc", ""}};
  for (const auto& [name, library] : std::map<std::string, std::string>{
         {"mimalloc", "libmimalloc.so.2"}, {"jemalloc", "libjemalloc.so.2"}}) {
    if (const auto path = find_library(library)) {
      found.push_back({name, *path});
    } else {
      std::printf("%s is not installed and is left out\n", name.c_str());
    }
  }
  return found;
}

HeapFigures parse(const std::string& text)
{
  HeapFigures figures;
  std::istringstream lines(text);
  std::string name;
  double value = 0;
  while (lines >> name >> value) figures[name] = value;
  return figures;
}

HeapFigures run_worker(const Allocator& allocator, const HeapCase& heap_case)
{
  int ends[2];
  if (pipe(ends) != 0) throw Failure("cannot make a pipe");
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  std::vector<std::string> settings = {"AGNOCAST_HEAP=all", "LD_PRELOAD=" + allocator.library};
  if (std::getenv("AGNOCAST_DOMAIN_ID") == nullptr) {
    settings.push_back("AGNOCAST_DOMAIN_ID=" + std::to_string(900 + getpid() % 90));
  }
  Child child = Child::start(
    {own_directory() + "/agnocast-bench-heap",
     allocator.name == "none" ? "no-calls" : heap_case.workload, "--threads",
     std::to_string(heap_case.threads), "--live", std::to_string(heap_case.live), "--bytes",
     std::to_string(heap_case.bytes), "--count", std::to_string(heap_case.count), "--results-fd",
     std::to_string(ends[1]), "--expect", allocator.library.empty() ? "libc" : allocator.library},
    settings);
  close(ends[1]);
  std::string text;
  char part[512];
  for (ssize_t size = 0; (size = read(ends[0], part, sizeof part)) > 0;) {
    text.append(part, static_cast<std::size_t>(size));
  }
  close(ends[0]);
  child.join(60'000'000'000);
  return parse(text);
}

struct HeapResult
{
  HeapCase heap_case;
  std::string allocator;
  HeapFigures figures;
};

std::vector<HeapCase> all_cases(bool smoke)
{
  std::vector<HeapCase> cases;
  const std::uint64_t pairs = smoke ? 10'000 : 2'000'000;
  for (const std::size_t live : {std::size_t{64}, std::size_t{10'000}}) {
    for (const unsigned threads : {1U, 2U, 4U})
      cases.push_back({"churn", threads, live, 256, pairs});
  }
  for (const unsigned threads : {2U, 4U}) {
    cases.push_back({"handover", threads, 0, 256, smoke ? 10'000U : 1'000'000U});
  }
  constexpr std::size_t mega = 1'000'000;
  cases.push_back({"vector", 1, 0, mega, smoke ? 5U : 300U});
  cases.push_back({"vector", 1, 0, 64 * mega, smoke ? 1U : 8U});
  constexpr std::size_t mixed_max = std::size_t{1} << 20;
  cases.push_back({"mixed", 1, 1000, mixed_max, smoke ? 10'000U : 1'000'000U});
  const std::uint64_t calls = smoke ? 10'000 : 1'000'000;
  cases.push_back({"calls", 1, 10'000, 256, smoke ? calls : 2 * calls});
  cases.push_back({"calls", 1, 200, mixed_max, calls});
  return cases;
}

/// Maxima stay maxima, what is counted is added up; of everything else the median.
HeapFigures summarize(const std::vector<HeapFigures>& runs)
{
  std::map<std::string, std::vector<double>> values;
  for (const HeapFigures& run : runs) {
    for (const auto& [name, value] : run) values[name].push_back(value);
  }
  HeapFigures summary;
  for (const auto& [name, all] : values) {
    const std::string figure = name.substr(name.find('.') + 1);
    if (figure == "max_ns") {
      summary[name] = *std::max_element(all.begin(), all.end());
    } else if (figure == "slow_calls" || figure == "busy_ns") {
      summary[name] = std::accumulate(all.begin(), all.end(), 0.0);
    } else {
      summary[name] = median(all);
    }
  }
  return summary;
}

/// Of "calls", malloc and free stand apart, each with what they have in common.
std::vector<HeapResult> split(const HeapResult& result)
{
  if (result.heap_case.workload != "calls") return {result};
  std::vector<HeapResult> parts;
  for (const std::string call : {"malloc", "free"}) {
    HeapResult part = {result.heap_case, result.allocator, {}};
    part.heap_case.workload = call + "-call";
    for (const auto& [name, value] : result.figures) {
      const std::size_t dot = name.find('.');
      if (dot == std::string::npos) part.figures[name] = value;
      if (name.substr(0, dot) == call) part.figures[name.substr(dot + 1)] = value;
    }
    parts.push_back(part);
  }
  return parts;
}

void print(const HeapResult& result)
{
  std::printf("%-12s %7u %6zu %9zu  %-9s", result.heap_case.workload.c_str(),
              result.heap_case.threads, result.heap_case.live, result.heap_case.bytes,
              result.allocator.c_str());
  for (const auto& [name, value] : result.figures)
    std::printf("  %s %.*f", name.c_str(), value < 1000 ? 1 : 0, value);
  std::printf("\n");
}

void write_json(const std::string& path, const std::vector<HeapResult>& results)
{
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw Failure("cannot write " + path);
  std::fputs("{\"command\": \"heap\", \"results\": [", file);
  const char* separator = "\n";
  for (const HeapResult& result : results) {
    std::fprintf(file, "%s  {\"workload\": \"%s\", \"allocator\": \"%s\", \"threads\": %u",
                 separator, result.heap_case.workload.c_str(), result.allocator.c_str(),
                 result.heap_case.threads);
    if (result.heap_case.live != 0) std::fprintf(file, ", \"live\": %zu", result.heap_case.live);
    if (result.heap_case.bytes != 0) std::fprintf(file, ", \"bytes\": %zu", result.heap_case.bytes);
    for (const auto& [name, value] : result.figures) {
      std::fprintf(file, ", \"%s\": %.10g", name.c_str(), value);
    }
    std::fputs("}", file);
    separator = ",\n";
  }
  std::fputs("\n]}\n", file);
  if (std::fclose(file) != 0) throw Failure("cannot write " + path);
}

}  // namespace

int run_heap(const HeapOptions& options)
{
  const std::vector<Allocator> installed = all_allocators();
  std::vector<HeapResult> results;
  for (const HeapCase& heap_case : all_cases(options.smoke)) {
    if (!options.workload.empty() && options.workload != heap_case.workload) continue;
    const unsigned repetitions = options.smoke ? 1 : options.repetitions;
    std::vector<Allocator> allocators = installed;
    // What the clock and the machine make of two readings with nothing between them.
    if (heap_case.workload == "calls") allocators.push_back({"none", ""});
    std::vector<std::vector<HeapFigures>> runs(allocators.size());
    for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
      for (std::size_t i = 0; i < allocators.size(); ++i) {
        const std::size_t which = (repetition + i) % allocators.size();
        runs[which].push_back(run_worker(allocators[which], heap_case));
      }
    }
    for (std::size_t i = 0; i < allocators.size(); ++i) {
      for (HeapResult& part : split({heap_case, allocators[i].name, summarize(runs[i])})) {
        print(part);
        results.push_back(std::move(part));
      }
    }
  }
  if (!options.json_path.empty()) write_json(options.json_path, results);
  return 0;
}

}  // namespace bench

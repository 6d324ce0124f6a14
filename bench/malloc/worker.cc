// agnocast-bench-heap: one workload on this process's malloc; started by `agnocast-bench heap`.
// Not linked with agnocast, so that the peers run without its hook.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "harness/process.hpp"
#include "malloc/workloads.hpp"

namespace bench {

HeapFigures run_heap_case(const HeapCase& heap_case)
{
  if (heap_case.workload == "churn") return measure_churn(heap_case);
  if (heap_case.workload == "handover") return measure_handover(heap_case);
  if (heap_case.workload == "vector") return measure_vectors(heap_case);
  if (heap_case.workload == "mixed") return measure_mixed(heap_case);
  if (heap_case.workload == "calls") return measure_calls(heap_case, true);
  if (heap_case.workload == "no-calls") return measure_calls(heap_case, false);
  throw Failure("no such workload: " + heap_case.workload);
}

namespace {

/// A preload that the loader refused must not pass for what was asked for.
void check_malloc(const std::string& expected)
{
  Dl_info info{};
  void* const found = dlsym(RTLD_DEFAULT, "malloc");
  if (dladdr(found, &info) == 0 ||
      std::string(info.dli_fname).find(expected) == std::string::npos) {
    throw Failure("malloc is not that of " + expected);
  }
}

int run(int argc, char** argv)
{
  CLI::App app("One workload on the malloc of this process");
  HeapCase heap_case;
  std::string expected;
  int results_fd = STDOUT_FILENO;
  app.add_option("workload", heap_case.workload)->required();
  app.add_option("--threads", heap_case.threads)->check(CLI::Range(1U, 64U));
  app.add_option("--live", heap_case.live);
  app.add_option("--bytes", heap_case.bytes);
  app.add_option("--count", heap_case.count);
  app.add_option("--results-fd", results_fd);
  app.add_option("--expect", expected);
  CLI11_PARSE(app, argc, argv);
  if (!expected.empty()) check_malloc(expected);
  for (const auto& [name, value] : run_heap_case(heap_case)) {
    dprintf(results_fd, "%s %.17g\n", name.c_str(), value);
  }
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv)
{
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agnocast-bench-heap: %s\n", error.what());
    return 1;
  }
}

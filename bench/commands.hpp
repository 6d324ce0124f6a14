// What the program can be told to do; each returns its exit status.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct CompareOptions
{
  std::vector<std::string> systems;  ///< none: all that are there
  std::vector<std::string> modes = {"poll", "block", "spin", "one-core"};
  std::vector<std::size_t> sizes_bytes = {64, 4096, 65'536, 1'048'576, 16'777'216, 67'108'864};
  std::vector<std::size_t> unsized_sizes_bytes = {65'536, 1'048'576, 16'777'216};
  bool flat = true;
  bool unsized = true;
  bool handed_over = true;
  bool written_and_read = true;
  unsigned repetitions = 5;
  std::vector<int> cores = {0, 1};
  std::string json_path;
  std::uint64_t rounds = 0;  // 0: by mode and size
  std::uint64_t budget_ms = 500;
  std::uint64_t spin_us = 100;
  bool smoke = false;
};
/// One-way latency between two processes: every system, beside the bare limits of the machine.
int run_compare(const CompareOptions& options);
std::size_t biggest_bytes(const CompareOptions& options);

struct ScaleOptions
{
  std::vector<std::string> systems;  ///< none: all that are there
  std::vector<std::string> sweeps;   ///< none: all
  std::vector<std::size_t> points;   ///< values of x; none: all
  unsigned repetitions = 5;
  std::string json_path;
  bool smoke = false;
};
/// How cost and latency grow with subscribers, topics, publishers and rate.
int run_scale(const ScaleOptions& options);

struct HookOptions
{
  unsigned repetitions = 15;
  std::uint64_t pairs = 2'000'000;
  int core = -1;  // -1: wherever the scheduler puts it
  std::string json_path;
  bool smoke = false;
};
/// What malloc and free cost outside a loan, with the hook and without.
int run_hook(const HookOptions& options);

struct HeapOptions
{
  unsigned repetitions = 5;
  std::string workload;  ///< none: all
  std::string json_path;
  bool smoke = false;
};
/// The shared heap beside glibc, mimalloc and jemalloc.
int run_heap(const HeapOptions& options);

struct AuditOptions
{
  unsigned repetitions = 5;
  std::size_t bytes = 64'000'000;
  std::string json_path;
  bool smoke = false;
};
/// What the audit of a message costs before it is published.
int run_audit(const AuditOptions& options);

struct LoadOptions
{
  std::vector<std::string> measures;  ///< none: all
  unsigned repetitions = 5;
  std::string json_path;
  bool smoke = false;
};
/// What things cost when others hold much, come, idle, or are many.
int run_load(const LoadOptions& options);

struct ToolsOptions
{
  unsigned repetitions = 5;
  std::string tool;  ///< path of the command agnocast; none: beside this program
  std::string json_path;
  bool smoke = false;
};
/// What a publisher notices of the command agnocast.
int run_tools(const ToolsOptions& options);

}  // namespace bench

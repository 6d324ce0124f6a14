// What the program can be told to do; each returns its exit status.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct LatencyOptions
{
  std::string mode = "both";
  std::vector<std::size_t> sizes_bytes = {64, 4096, 65'536, 1'048'576, 16'777'216, 67'108'864};
  unsigned repetitions = 5;
  std::vector<int> cores = {0, 1};
  std::string json_path;
  std::uint64_t iterations = 0;  // 0: by mode and size
  std::uint64_t spin_us = 0;
  bool smoke = false;
};
/// One-way latency between two processes, beside the bare limits of the machine.
int run_latency(const LatencyOptions& options);

struct PublishOptions
{
  std::size_t size_bytes = 64;
  unsigned repetitions = 5;
  std::vector<int> cores = {0, 1};
  std::uint64_t iterations = 20'000;
  bool smoke = false;
};
/// What publish() costs its caller.
int run_publish(const PublishOptions& options);

struct HookOptions
{
  unsigned repetitions = 15;
  std::uint64_t pairs = 2'000'000;
  int core = -1;  // -1: wherever the scheduler puts it
  bool smoke = false;
};
/// What malloc and free cost outside a loan, with the hook and without.
int run_hook(const HookOptions& options);

struct EchoOptions
{
  int fd = -1;
  int core = 0;
  pid_t parent = 0;
};
/// The other process of run_latency() and run_publish().
int run_echo(const EchoOptions& options);

/// A domain of its own and memory enough for messages of `biggest_bytes`, unless the environment
/// says otherwise already.
void set_environment(std::size_t biggest_bytes);

}  // namespace bench

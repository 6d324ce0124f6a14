// agnocast-bench: what the library costs, beside what the machine can do at best.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "commands.hpp"
#include "message_end.hpp"

namespace bench {

void set_environment(std::size_t biggest_bytes)
{
  constexpr std::size_t spare_bytes = 64UL << 20;
  const std::string domain = std::to_string(900 + getpid() % 90);
  const std::string pool_bytes =
    std::to_string((MessageEnd::batch + 4) * biggest_bytes + spare_bytes);
  setenv("AGNOCAST_DOMAIN_ID", domain.c_str(), 0);
  setenv("AGNOCAST_MEMPOOL_SIZE", pool_bytes.c_str(), 0);
}

namespace {

constexpr const char* smoke_text = "Only show that it works, in a few seconds";
constexpr const char* pin_text = "Cores of the two processes";

CLI::App* add_latency(CLI::App& app, LatencyOptions& options)
{
  CLI::App* command = app.add_subcommand("latency", "One-way latency between two processes");
  command->add_option("--mode", options.mode, "How receivers wait")
    ->check(CLI::IsMember({"poll", "block", "both"}))
    ->capture_default_str();
  command->add_option("--sizes", options.sizes_bytes, "Payload sizes in bytes")
    ->delimiter(',')
    ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 40))
    ->capture_default_str();
  command->add_option("--repeat", options.repetitions, "Repetitions of the whole series")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--pin", options.cores, pin_text)->delimiter(',')->expected(2);
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_option("--iterations", options.iterations, "Rounds of each size; 0: by size")
    ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{100'000'000}));
  command
    ->add_option("--spin-us", options.spin_us,
                 "Block mode: let receivers spin so long before sleep")
    ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000}));
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_publish(CLI::App& app, PublishOptions& options)
{
  CLI::App* command = app.add_subcommand("publish", "Cost of publish() for its caller");
  command->add_option("--size", options.size_bytes, "Payload size in bytes")
    ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 40))
    ->capture_default_str();
  command->add_option("--repeat", options.repetitions, "Repetitions")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--pin", options.cores, pin_text)->delimiter(',')->expected(2);
  command->add_option("--iterations", options.iterations, "Messages of each repetition")
    ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}))
    ->capture_default_str();
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_hook(CLI::App& app, HookOptions& options)
{
  CLI::App* command = app.add_subcommand("hook", "Cost of malloc and free outside a loan");
  command->add_option("--repeat", options.repetitions, "Repetitions")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--pairs", options.pairs, "Pairs of malloc and free in each repetition")
    ->check(CLI::Range(std::uint64_t{10}, std::uint64_t{1'000'000'000}))
    ->capture_default_str();
  command->add_option("--core", options.core, "Core to run on");
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_echo(CLI::App& app, EchoOptions& options)
{
  CLI::App* command =
    app.add_subcommand("echo", "The other process; started by the program itself");
  command->group("");
  command->add_option("--fd", options.fd)->required();
  command->add_option("--core", options.core)->required();
  command->add_option("--parent", options.parent)->required();
  return command;
}

int run(int argc, char** argv)
{
  CLI::App app("Benchmarks of agnocast");
  LatencyOptions latency;
  PublishOptions publish;
  HookOptions hook;
  EchoOptions echo;
  app.require_subcommand(1);
  const CLI::App* latency_command = add_latency(app, latency);
  const CLI::App* publish_command = add_publish(app, publish);
  const CLI::App* hook_command = add_hook(app, hook);
  add_echo(app, echo);
  CLI11_PARSE(app, argc, argv);
  if (latency_command->parsed()) return run_latency(latency);
  if (publish_command->parsed()) return run_publish(publish);
  if (hook_command->parsed()) return run_hook(hook);
  return run_echo(echo);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv)
{
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agnocast-bench: %s\n", error.what());
    return 1;
  }
}

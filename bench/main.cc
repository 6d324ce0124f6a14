// agnocast-bench: what the library costs, beside its peers and what the machine can do at best.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "commands.hpp"
#include "ends/agnocast.hpp"
#include "ends/bare.hpp"

namespace bench {
namespace {

constexpr const char* smoke_text = "Only show that it works, in a few seconds";

CLI::App* add_compare(CLI::App& app, CompareOptions& options)
{
  CLI::App* command =
    app.add_subcommand("compare", "One-way latency between two processes, over every system");
  command->add_option("--systems", options.systems, "Systems to measure; none: all there are")
    ->delimiter(',');
  command->add_option("--modes", options.modes, "poll, block, spin (then block), one-core (block)")
    ->delimiter(',')
    ->check(CLI::IsMember({"poll", "block", "spin", "one-core"}))
    ->capture_default_str();
  const auto size_range = CLI::Range(std::size_t{16}, std::size_t{1} << 32);
  command->add_option("--sizes", options.sizes_bytes, "Sizes of flat messages, in bytes")
    ->delimiter(',')
    ->check(size_range)
    ->capture_default_str();
  command->add_option("--unsized-sizes", options.unsized_sizes_bytes, "Sizes of unsized messages")
    ->delimiter(',')
    ->check(size_range)
    ->capture_default_str();
  command->add_flag("!--no-flat", options.flat, "Leave out flat messages");
  command->add_flag("!--no-unsized", options.unsized, "Leave out unsized messages");
  command->add_flag("!--no-handed-over", options.handed_over, "Leave out messages not looked at");
  command->add_flag("!--no-written-and-read", options.written_and_read,
                    "Leave out messages of which writing and reading is measured too");
  command->add_option("--repeat", options.repetitions, "Repetitions of the whole series")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--pin", options.cores, "Cores of ping and pong")
    ->delimiter(',')
    ->expected(2);
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_option("--rounds", options.rounds, "Rounds of each case; 0: by mode and size")
    ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{100'000}));
  command->add_option("--budget-ms", options.budget_ms, "Time for one system in one case")
    ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{60'000}))
    ->capture_default_str();
  command->add_option("--spin-us", options.spin_us, "How long receivers spin in mode spin")
    ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000}))
    ->capture_default_str();
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_scale(CLI::App& app, ScaleOptions& options)
{
  CLI::App* command = app.add_subcommand(
    "scale", "How cost and latency grow with subscribers, topics, publishers and rate");
  command->add_option("--systems", options.systems, "Systems to measure; none: all there are")
    ->delimiter(',');
  command->add_option("--sweeps", options.sweeps, "subscribers, topics, publishers, rate; all")
    ->delimiter(',')
    ->check(CLI::IsMember({"subscribers", "topics", "publishers", "rate"}));
  command->add_option("--points", options.points, "Only these numbers of subscribers and so on")
    ->delimiter(',');
  command->add_option("--repeat", options.repetitions, "Repetitions of the whole series")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--json", options.json_path, "Write the results to this file");
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
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_heap(CLI::App& app, HeapOptions& options)
{
  CLI::App* command = app.add_subcommand("heap", "The shared heap beside other allocators");
  command->add_option("--repeat", options.repetitions, "Repetitions of each case")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--workload", options.workload, "Only this one")
    ->check(CLI::IsMember({"churn", "handover", "vector", "mixed", "calls"}));
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_audit(CLI::App& app, AuditOptions& options)
{
  CLI::App* command = app.add_subcommand("audit", "What the audit before publishing costs");
  command->add_option("--repeat", options.repetitions, "Repetitions")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--bytes", options.bytes, "Bytes in a message")->capture_default_str();
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_load(CLI::App& app, LoadOptions& options)
{
  CLI::App* command =
    app.add_subcommand("load", "What it costs when others hold much, come, idle, or are many");
  command->add_option("--measures", options.measures, "Only these; none: all")
    ->delimiter(',')
    ->check(CLI::IsMember({"held", "newcomers", "idle_100", "idle_200", "wake_ups", "joiner",
                           "deep_reader", "end", "members", "snapshots"}));
  command->add_option("--repeat", options.repetitions, "Repetitions of those that are short")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

CLI::App* add_tools(CLI::App& app, ToolsOptions& options)
{
  CLI::App* command = app.add_subcommand("tools", "What a publisher notices of the tools");
  command->add_option("--repeat", options.repetitions, "Repetitions of the whole series")
    ->check(CLI::Range(1U, 1000U))
    ->capture_default_str();
  command->add_option("--tool", options.tool, "The command agnocast; none: of this build");
  command->add_option("--json", options.json_path, "Write the results to this file");
  command->add_flag("--smoke", options.smoke, smoke_text);
  return command;
}

/// "end --system NAME ...": this program is one end of a comparison.
int run_end(int argc, char** argv)
{
  if (argc < 4 || std::strcmp(argv[2], "--system") != 0) throw Failure("end needs --system");
  const std::string system = argv[3];
  if (is_scale_end(argc - 3, argv + 3)) {
    return run_agnocast_scale_end(parse_scale_arguments(argc - 3, argv + 3));
  }
  argv[3] = argv[0];
  const EndArguments arguments = parse_end_arguments(argc - 3, argv + 3);
  return system == "agnocast" ? run_agnocast_end(arguments) : run_bare_end(system, arguments);
}

int run(int argc, char** argv)
{
  if (argc > 1 && std::strcmp(argv[1], "end") == 0) return run_end(argc, argv);
  CLI::App app("Benchmarks of agnocast");
  CompareOptions compare;
  ScaleOptions scale;
  HookOptions hook;
  HeapOptions heap;
  AuditOptions audit;
  LoadOptions load;
  ToolsOptions tools;
  app.require_subcommand(1);
  const CLI::App* compare_command = add_compare(app, compare);
  const CLI::App* scale_command = add_scale(app, scale);
  const CLI::App* heap_command = add_heap(app, heap);
  const CLI::App* audit_command = add_audit(app, audit);
  const CLI::App* load_command = add_load(app, load);
  const CLI::App* tools_command = add_tools(app, tools);
  add_hook(app, hook);
  CLI11_PARSE(app, argc, argv);
  if (compare_command->parsed()) return run_compare(compare);
  if (scale_command->parsed()) return run_scale(scale);
  if (audit_command->parsed()) return run_audit(audit);
  if (load_command->parsed()) return run_load(load);
  if (tools_command->parsed()) return run_tools(tools);
  return heap_command->parsed() ? run_heap(heap) : run_hook(hook);
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

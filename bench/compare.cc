// The same ping-pong over every system, interleaved.
//
// All pairs of processes are started once and then sleep until it is their turn. One repetition
// goes through all cases, and in each case through all systems, so that whatever the machine does
// meanwhile meets all of them.
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
#include "harness/clock.hpp"
#include "harness/pair.hpp"
#include "results.hpp"
#include "systems.hpp"

namespace bench {
namespace {

constexpr std::size_t KiB = 1024;
constexpr std::size_t MiB = 1024 * KiB;

struct Case
{
  Mode mode;
  Content content;
  bool touched;
  bool same_core;
  std::size_t size_bytes;
};

/// All that the options ask for.
std::vector<Case> plan(const CompareOptions& options)
{
  const bool same_core = options.cores[0] == options.cores[1];
  std::vector<Case> cases;
  const auto wants = [&](const std::string& mode) {
    return std::find(options.modes.begin(), options.modes.end(), mode) != options.modes.end();
  };
  const auto add = [&](Mode mode, Content content, bool touched, bool one_core,
                       const std::vector<std::size_t>& sizes) {
    for (const std::size_t size : sizes) {
      cases.push_back({mode, content, touched, one_core, size});
    }
  };
  const auto add_mode = [&](Mode mode) {
    for (const Content content : {Content::flat, Content::unsized}) {
      const bool is_flat = content == Content::flat;
      if (!(is_flat ? options.flat : options.unsized)) continue;
      const auto& sizes = is_flat ? options.sizes_bytes : options.unsized_sizes_bytes;
      if (options.handed_over) add(mode, content, false, same_core, sizes);
      if (options.written_and_read) add(mode, content, true, same_core, sizes);
    }
  };
  if (wants("poll") && same_core) {
    std::printf("poll is left out: two processes cannot poll on one core\n");
  } else if (wants("poll")) {
    add_mode(Mode::poll);
  }
  if (wants("block")) add_mode(Mode::block);
  if (wants("spin") && !same_core) add_mode(Mode::spin);
  if (wants("one-core") && !same_core) {
    add(Mode::block, Content::flat, false, true,
        {options.sizes_bytes.front(), options.sizes_bytes.back()});
  }
  return cases;
}

Task task_for(const Case& what, const CompareOptions& options)
{
  struct Step
  {
    std::size_t below_bytes;
    std::uint64_t warm_up, poll, block, smoke;
  };
  constexpr Step steps[] = {{512 * KiB, 200, 20'000, 3'000, 100},
                            {4 * MiB, 50, 2'000, 1'000, 20},
                            {32 * MiB, 20, 600, 300, 5},
                            {SIZE_MAX, 10, 300, 150, 2}};
  const Step* step = steps;
  while (what.size_bytes >= step->below_bytes && step->below_bytes != SIZE_MAX) ++step;
  Task task;
  task.command = Command::exchange;
  task.mode = what.mode;
  task.content = what.content;
  task.touched = what.touched ? 1 : 0;
  task.size_bytes = what.size_bytes;
  task.warm_up_rounds = options.smoke ? 2 : step->warm_up;
  task.rounds = what.mode == Mode::block ? step->block : step->poll;
  if (options.smoke) task.rounds = step->smoke;
  if (options.rounds != 0) task.rounds = options.rounds;
  task.spin_ns = options.spin_us * 1'000;
  task.budget_ns = options.budget_ms * 1'000'000;
  task.ping_core = options.cores[0];
  task.pong_core = what.same_core ? options.cores[0] : options.cores[1];
  return task;
}

/// A system, its processes, and what was measured of it.
struct Contestant
{
  System system;
  std::unique_ptr<Pair> pair;
  std::map<std::size_t, Series> series;  ///< by case
  std::string failure;
};

class Comparison
{
 public:
  Comparison(const CompareOptions& options, std::vector<System> systems)
    : options_(options), cases_(plan(options))
  {
    for (System& system : systems) contestants_.push_back({std::move(system), nullptr, {}, {}});
  }

  void run()
  {
    const std::size_t biggest = biggest_bytes(options_);
    for (Contestant& one : contestants_) {
      guarded(one, [&] { one.pair = std::make_unique<Pair>(one.system, biggest); });
    }
    const unsigned repetitions = options_.smoke ? 1 : options_.repetitions;
    for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
      for (std::size_t i = 0; i < cases_.size(); ++i) run_case(i);
      std::printf("repetition %u of %u done\n", repetition + 1, repetitions);
      std::fflush(stdout);
    }
    for (Contestant& one : contestants_) {
      if (!one.pair) continue;
      guarded(one, [&] { one.pair->quit(); });
      if (!one.pair) continue;
      std::printf("other threads took a core from %s %ld times\n", one.system.name.c_str(),
                  one.pair->disturbances());
    }
  }

  [[nodiscard]] std::vector<Result> results() const
  {
    std::vector<Result> results;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      for (const Contestant& one : contestants_) {
        const auto series = one.series.find(i);
        if (series == one.series.end()) continue;
        results.push_back({one.system.name, one.system.is_limit, cases_[i].mode, cases_[i].content,
                           cases_[i].touched, cases_[i].same_core, cases_[i].size_bytes,
                           series->second.summary()});
      }
    }
    return results;
  }

  [[nodiscard]] std::vector<std::string> failures() const
  {
    std::vector<std::string> failures;
    for (const Contestant& one : contestants_) {
      if (!one.failure.empty()) failures.push_back(one.system.name + ": " + one.failure);
    }
    return failures;
  }

 private:
  /// A system that fails costs its own results, not those of the others.
  template <class Do>
  void guarded(Contestant& one, Do&& act)
  {
    try {
      act();
    } catch (const Failure& failure) {
      one.failure = failure.what();
      one.pair.reset();
      std::printf("%s is left out from here on: %s\n", one.system.name.c_str(), failure.what());
    }
  }

  void run_case(std::size_t index)
  {
    Task task = task_for(cases_[index], options_);
    for (Contestant& one : contestants_) {
      if (!one.pair || !one.pair->can(task)) continue;
      task.first_number = next_number_;
      next_number_ += task.warm_up_rounds + task.rounds;
      guarded(one, [&] { one.series[index].add_run(one.pair->run(task), 2); });
    }
  }

  const CompareOptions& options_;
  const std::vector<Case> cases_;
  std::vector<Contestant> contestants_;
  std::uint64_t next_number_ = 1;
};

}  // namespace

std::size_t biggest_bytes(const CompareOptions& options)
{
  std::size_t biggest = 0;
  for (const std::size_t size : options.sizes_bytes) biggest = std::max(biggest, size);
  for (const std::size_t size : options.unsized_sizes_bytes) biggest = std::max(biggest, size);
  return biggest;
}

int run_compare(const CompareOptions& options)
{
  for (const int core : options.cores) check_core(core);
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> json(nullptr, &std::fclose);
  if (!options.json_path.empty()) {
    json.reset(std::fopen(options.json_path.c_str(), "w"));
    if (!json) throw Failure(options.json_path + ": " + std::strerror(errno));
  }
  Comparison comparison(options, find_systems(options.systems, biggest_bytes(options)));
  std::printf("pinned: ping to core %d, pong to core %d\n", options.cores[0], options.cores[1]);
  std::printf("reading the clock takes %llu ns, half of which is in each figure\n",
              static_cast<unsigned long long>(timer_overhead_ns()));
  comparison.run();
  const std::vector<Result> results = comparison.results();
  print_table(results);
  if (json) {
    std::fputs("{\n  \"command\": \"compare\",\n  \"results\": ", json.get());
    write_json(json.get(), results);
    std::fputs("\n}\n", json.get());
  }
  for (const std::string& failure : comparison.failures()) {
    std::fprintf(stderr, "failed: %s\n", failure.c_str());
  }
  return comparison.failures().empty() ? 0 : 1;
}

}  // namespace bench

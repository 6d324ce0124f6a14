// agnocast_storm: many processes that publish, take, come and go, while a part of them is killed
// and stopped at random moments all the time.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "storm/conductor.hpp"

int main(int argc, char** argv)
{
  agnocast::storm::Plan plan;
  double soak_minutes = 0;
  plan.seed = agnocast::storm::now_ns() % 1'000'000'000;
  CLI::App app("Kills processes at random moments and checks that the others notice nothing.");
  app.add_option("--seconds", plan.seconds, "how long")->capture_default_str();
  app.add_option("--soak", soak_minutes, "how long in minutes, instead of --seconds");
  app.add_option("--kills", plan.kills, "end after so many kills, if that comes first");
  app.add_option("--processes", plan.processes, "at a time, 4 of them are never killed")
    ->capture_default_str()
    ->check(CLI::Range(5, 256));
  app.add_option("--topics", plan.topics)->capture_default_str()->check(CLI::Range(2, 100));
  app.add_option("--seed", plan.seed, "repeats the choices of an earlier run");
  app.add_option("--kills-per-second", plan.kills_per_second)->capture_default_str();
  app.add_option("--patience", plan.patience_s, "seconds without a sign of life that are a hang")
    ->capture_default_str();
  app.add_flag("--keep-going", plan.keep_going, "do not end at the first finding");
  app.add_flag("--verbose", plan.verbose);
  CLI11_PARSE(app, argc, argv);
  if (soak_minutes > 0) plan.seconds = soak_minutes * 60;
  agnocast::storm::Conductor conductor(plan);
  return conductor.run() ? 0 : 1;
}

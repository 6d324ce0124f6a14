// agnocast_stress: threads of a few processes do everything that the public interface offers, at
// random and all at once, and destroy things while others use them.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "stress/conductor.hpp"

int main(int argc, char** argv)
{
  agnocast::stress::Plan plan;
  plan.seed = agnocast::stress::now_ns() % 1'000'000'000;
  CLI::App app("Random operations in all threads, with checks of what is received and called.");
  app.add_option("--seconds", plan.seconds, "How long")->capture_default_str();
  app.add_option("--seed", plan.seed, "Repeats the choices of an earlier run; default: the clock");
  app.add_option("--processes", plan.processes, "At a time")
    ->capture_default_str()
    ->check(CLI::Range(std::size_t{1}, agnocast::stress::processes_max));
  app.add_option("--threads", plan.threads, "Of each process, beside its main thread")
    ->capture_default_str()
    ->check(CLI::Range(std::size_t{1}, agnocast::stress::threads_max - 1));
  app.add_option("--patience", plan.patience_s, "Seconds without a sign of life that are a hang")
    ->capture_default_str();
  app.add_flag("!--no-handed-over-loans", plan.hands_over_loans,
               "Let no thread fill or drop another thread's loan");
  app.add_flag("--keep-going", plan.keep_going, "Do not end at the first finding");
  CLI11_PARSE(app, argc, argv);
  agnocast::stress::Conductor conductor(plan);
  return conductor.run() ? 0 : 1;
}

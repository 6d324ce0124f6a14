// The commands: each adds itself and its options to the command line.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include "output.hpp"

namespace cli {

struct Options
{
  Format format = Format::text;
};

void add_topic_echo(CLI::App& topic, const Options& options);
void add_topic_rates(CLI::App& topic, const Options& options);
void add_topic_wait(CLI::App& topic, const Options& options);

}  // namespace cli

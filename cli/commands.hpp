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
void add_topic_list(CLI::App& topic, const Options& options);
void add_topic_info(CLI::App& topic, const Options& options);
void add_topic_pub(CLI::App& topic, const Options& options);
void add_node(CLI::App& app, const Options& options);
void add_process(CLI::App& app, const Options& options);
void add_doctor(CLI::App& app, const Options& options);
void add_clean(CLI::App& app, const Options& options);
void add_top(CLI::App& app, const Options& options);
void add_version(CLI::App& app, const Options& options);

}  // namespace cli

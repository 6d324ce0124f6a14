// The commands: each adds itself and its options to the command line.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

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
void add_service(CLI::App& app, const Options& options);
void add_doctor(CLI::App& app, const Options& options);
void add_clean(CLI::App& app, const Options& options);
void add_top(CLI::App& app, const Options& options);
void add_version(CLI::App& app, const Options& options);

/// What the last of these words of a command line can become, a line each; for shells.
std::string complete(CLI::App& app, std::vector<std::string> words);

}  // namespace cli

// What the programs of the pipeline share: reading options, reporting errors, the clock.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <agnocast/agnocast.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>

namespace lidar {

/// Reads the options and runs `body`; what either throws becomes `program: message` and exit
/// status 1.
template <class Body>
int run_program(CLI::App& app, int argc, char** argv, const Body& body)
{
  try {
    app.parse(argc, argv);
    agnocast::init(argc, argv);
    return body();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    std::cerr << app.get_name() << ": " << error.what() << "; see --help\n";
  } catch (const std::exception& error) {  // agnocast::Error is one
    std::cerr << app.get_name() << ": " << error.what() << '\n';
  }
  return 1;
}

/// CLOCK_MONOTONIC, the clock of MessageInfo::publish_time_ns.
inline std::uint64_t now_ns() noexcept
{
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace lidar

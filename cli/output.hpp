// How results are printed.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace cli {

enum class Format { text, json, yaml };

/// What ends the program with a message and status 1.
struct Failure : std::runtime_error
{
  using std::runtime_error::runtime_error;
};

/// Writes to standard output and flushes it. False if nobody reads there any more.
bool print(const std::string& text);

/// "12.3 MB", "1.5 kB", "64 B": decimal, as ros2 prints rates.
std::string bytes_text(double bytes);
/// "12.3 ms", "4.5 us", "320 ns".
std::string duration_text(double nanoseconds);
/// With so many digits behind the point.
std::string number_text(double value, int digits);
/// In quotes, with what needs it escaped.
std::string json_text(const std::string& text);

}  // namespace cli

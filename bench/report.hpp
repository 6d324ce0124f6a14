// The results of the latency measurement, for people and for programs.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "statistics.hpp"

namespace bench {

struct Result
{
  std::string system;
  std::string mode;
  std::size_t size_bytes = 0;
  Summary one_way;
};

/// "64 B", "1 MiB".
std::string size_text(std::size_t bytes);

/// The bare limit of each mode stands before the messages that are compared with it.
void print_table(const std::vector<Result>& results);

/// A list of objects.
void write_json(std::FILE* file, const std::vector<Result>& results);

}  // namespace bench

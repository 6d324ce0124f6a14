// The results of a comparison, for people and for programs.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "harness/exchange_page.hpp"
#include "harness/statistics.hpp"

namespace bench {

/// One system in one case.
struct Result
{
  std::string system;
  bool is_limit = false;
  Mode mode = Mode::poll;
  Content content = Content::flat;
  bool touched = false;
  bool same_core = false;
  std::size_t size_bytes = 0;
  Summary one_way;
};

const char* name(Mode mode);
const char* name(Content content);

/// "64 B", "1 MiB".
std::string size_text(std::size_t bytes);

/// Case by case, the bare limit first, each beside agnocast.
void print_table(const std::vector<Result>& results);

/// A list of objects.
void write_json(std::FILE* file, const std::vector<Result>& results);

}  // namespace bench

// Writes small PCD files for the tests of the reader.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pcd_header.hpp"

namespace lidar::test {

/// A field and its values, `count` for each point.
struct Column
{
  std::string name;
  char type;
  std::size_t size_bytes;
  std::vector<double> values;
  std::size_t count = 1;
};

/// Columns x, y, z of TYPE F, SIZE 4, with `points` points (i, i / 2, -i).
[[nodiscard]] std::vector<Column> simple_columns(std::size_t points);

/// The header's lines up to and with DATA.
[[nodiscard]] std::string header_of(const std::vector<Column>& columns, PcdEncoding encoding);

/// A whole file.
[[nodiscard]] std::string file_of(const std::vector<Column>& columns, PcdEncoding encoding);

/// A valid LZF stream, with references wherever three bytes repeat.
[[nodiscard]] std::string lzf_compress(std::string_view data);

/// Bytes of the value as a field of that type and size holds it.
[[nodiscard]] std::string bytes_of_value(double value, char type, std::size_t size_bytes);

/// A 32-bit number as it stands in the file.
[[nodiscard]] std::string bytes_of_u32(std::size_t value);

}  // namespace lidar::test

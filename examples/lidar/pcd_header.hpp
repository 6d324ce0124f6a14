// The text header of a PCD file.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lidar {

/// A file that cannot be read. `what()` names the file and the cause.
class PcdError : public std::runtime_error
{
 public:
  using std::runtime_error::runtime_error;
};

struct PcdField
{
  std::string name;
  std::size_t size_bytes = 0;       ///< of one element: 1, 2, 4 or 8
  char type = 'F';                  ///< F, I or U; F has 4 or 8 bytes
  std::size_t count = 1;            ///< elements of each point
  std::size_t offset_bytes = 0;     ///< in a point of DATA binary
  std::size_t offset_elements = 0;  ///< in a line of DATA ascii
};

enum class PcdEncoding { ascii, binary, binary_compressed };

/// Invariants, whatever the file says: 1. fields is not empty. 2. point_bytes and point_elements
/// are the sums over the fields and at least 1. 3. points * point_bytes does not overflow.
struct PcdHeader
{
  std::vector<PcdField> fields;
  std::size_t points = 0;
  std::size_t point_bytes = 0;
  std::size_t point_elements = 0;
  PcdEncoding encoding = PcdEncoding::ascii;
  std::size_t body_offset = 0;  ///< where the data begin in the file

  /// The field of that name, or nullptr.
  [[nodiscard]] const PcdField* find(std::string_view name) const noexcept;
};

/// Throws PcdError without the file's name in front.
[[nodiscard]] PcdHeader parse_pcd_header(std::string_view file);

}  // namespace lidar

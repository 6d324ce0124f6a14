// Messages as YAML, JSON or CSV, by their description alone.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "agnocast/export.hpp"
#include "agnocast/message_view.hpp"

namespace agnocast {

struct TextOptions
{
  std::string field;    ///< only the part at this path; see select()
  bool no_arr = false;  ///< sequences as `<sequence type: float, length: 3000>`
  bool no_str = false;  ///< strings as `<string length: 12>`
  /// Elements of a sequence, entries of a map, characters of a string; then `...`.
  std::uint64_t truncate_length = 128;
  bool full_length = false;  ///< nothing is cut short
  WalkLimits limits;
};

// All of them throw Error, with the path of the part, if the message is not as it should be.

/// As `ros2 topic echo` prints it, without the line between messages. Ends with a newline.
/// Enumerators stand by their names, an optional without a value as `null`, a variant as the value
/// it holds, bytes that cannot be seen into as `<opaque: TYPE, N bytes>`. Floating-point numbers
/// have as few digits as lead back to them.
AGNOCAST_PUBLIC std::string to_yaml(const MessageView& view, const TextOptions& options = {});
/// On one line, without a newline. What is no number in JSON (`.nan`, `.inf`) is null; what is no
/// UTF-8 is U+FFFD. Maps whose keys are no scalars or strings, and multimaps, are arrays of
/// `{"key": …, "value": …}`, as in YAML.
AGNOCAST_PUBLIC std::string to_json(const MessageView& view, const TextOptions& options = {});
/// All values on one line with commas between them, as by `ros2 topic echo --csv`; strings in
/// quotes where they need to be (RFC 4180). Without a newline.
AGNOCAST_PUBLIC std::string to_csv(const MessageView& view, const TextOptions& options = {});

}  // namespace agnocast

// The terminal as a screen: keys one by one, and lines that are drawn over.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <termios.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// While it exists, the program has the screen, and keys are not echoed; what was there before
/// comes back with its end. One at a time.
class Terminal
{
 public:
  /// Throws Failure if standard input or output is no terminal.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size
  {
    std::size_t rows, columns;
  };
  [[nodiscard]] static Size size();
  /// Draws these lines, cut to the screen. False if nobody looks any more.
  bool draw(const std::vector<std::string>& lines);
  /// The next key, if one comes within the time; '\0' if the terminal is gone.
  std::optional<char> key(int timeout_ms);

 private:
  termios before_{};
};

}  // namespace cli

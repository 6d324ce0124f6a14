// How results are printed.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/message_value.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

/// A document as JSON or YAML, with a newline at its end.
std::string document_text(const agnocast::Value& document, Format format);
agnocast::Value number(double value, int digits = 0);
agnocast::Value number(std::uint64_t value);

/// Columns that are as wide as their widest cell; numbers to the right.
class Table
{
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cli

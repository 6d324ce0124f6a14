// A message as a tree of objects, arrays, strings and words, for the writers of text formats.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "agnocast/message_text.hpp"
#include "agnocast/message_view.hpp"

namespace agnocast::internal {

/// A format. Values come as in the text, each key or item before its value.
class TextOutput
{
 public:
  TextOutput() = default;
  TextOutput(const TextOutput&) = delete;
  TextOutput& operator=(const TextOutput&) = delete;
  virtual ~TextOutput() = default;

  virtual void begin_object(bool is_empty) = 0;
  virtual void key(std::string_view name) = 0;
  virtual void map_key(std::string_view text) { key(text); }
  virtual void end_object() = 0;
  virtual void begin_array(bool is_empty) = 0;
  virtual void item() = 0;
  virtual void end_array() = 0;
  /// A number, a truth value or null.
  virtual void word(std::string_view text) = 0;
  virtual void string(std::string_view text) = 0;
};

/// Shows the part that the options name. Throws Error.
void write_text(const MessageView& view, const TextOptions& options, TextOutput& output);

/// A scalar that is no character, or a string.
struct ScalarText
{
  std::string text;
  bool is_string;
};
ScalarText scalar_text(const ScalarValue& value);

/// The character as UTF-8; U+FFFD for what is none.
void append_utf8(std::string& text, std::uint32_t character);
/// Bytes of the character that begins there; 0 if none does.
std::size_t utf8_bytes(std::string_view text) noexcept;
/// The character that begins there; utf8_bytes() is not 0.
std::uint32_t decode_utf8(std::string_view text) noexcept;
/// As characters of 2 or 4 bytes, the units' bytes behind each other. False if it is no UTF-8.
bool from_utf8(std::string_view text, std::uint64_t width, std::string& units);

}  // namespace agnocast::internal

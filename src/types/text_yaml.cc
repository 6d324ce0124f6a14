// YAML as PyYAML lays it out, which is what `ros2 topic echo` prints.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include "types/text_output.hpp"

namespace agnocast {
namespace internal {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

bool is_taken_for_a_word(std::string_view text)
{
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr std::array words{"~",  "null", "true", "false", "yes", "no",
                             "on", "off",  "=",    "<<",    ".nan"};
  if (std::find(words.begin(), words.end(), lower) != words.end()) return true;
  // Numbers, dates and times: all begin so, and hold no other characters.
  const std::size_t first = lower.find_first_not_of("+-");
  if (first == std::string::npos) return false;
  const bool begins = (lower[first] >= '0' && lower[first] <= '9') || lower[first] == '.';
  return begins && lower.find_first_not_of("0123456789abcdefinotxz.+-_: ") == std::string::npos;
}

bool has_special(std::string_view text)
{
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = utf8_bytes(text.substr(i));
    const auto c = static_cast<unsigned char>(text[i]);
    if (bytes == 0 || c < 0x20 || c == 0x7f) return true;
    // U+0080 to U+009F, U+2028, U+2029, U+FEFF.
    const std::string_view character = text.substr(i, bytes);
    if ((c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) ||
        character == "\xe2\x80\xa8" || character == "\xe2\x80\xa9" || character == "\xef\xbb\xbf") {
      return true;
    }
    i += bytes;
  }
  return false;
}

bool is_plain(std::string_view text)
{
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  if (text.substr(0, 3) == "---" || text.substr(0, 3) == "...") return false;
  constexpr std::string_view indicators = ",[]{}#&*!|>'\"%@`";
  if (indicators.find(text.front()) != std::string_view::npos) return false;
  constexpr std::string_view before_space = "-?:";
  if (before_space.find(text.front()) != std::string_view::npos &&
      (text.size() == 1 || text[1] == ' ')) {
    return false;
  }
  return text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos &&
         !is_taken_for_a_word(text);
}

std::string escaped(std::string_view text)
{
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = utf8_bytes(text.substr(i));
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += text[i];
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (bytes == 0 || c < 0x20 || c == 0x7f) {
      quoted += "\\x";
      quoted += digits[c >> 4];
      quoted += digits[c & 15];
    } else if (has_special(text.substr(i, bytes))) {
      const auto low = static_cast<unsigned char>(text[i + 1]);
      const unsigned character = bytes == 2 ? (c & 0x1fU) << 6 | (low & 0x3fU)
                                            : (c & 0x0fU) << 12 | (low & 0x3fU) << 6 |
                                                (static_cast<unsigned char>(text[i + 2]) & 0x3fU);
      quoted += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) quoted += digits[character >> shift & 15];
    } else {
      quoted += text.substr(i, bytes);
    }
    i += std::max<std::size_t>(bytes, 1);
  }
  return quoted + "\"";
}

std::string yaml_string(std::string_view text)
{
  if (has_special(text)) return escaped(text);
  if (is_plain(text)) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

class Yaml : public TextOutput
{
 public:
  void begin_object(bool is_empty) override { begin(is_empty, "{}", 2); }
  void key(std::string_view name) override
  {
    begin_line();
    text_ += yaml_string(name) + ":";
    place_ = Place::after_key;
  }
  void end_object() override { end(); }
  void begin_array(bool is_empty) override { begin(is_empty, "[]", 0); }
  void item() override
  {
    begin_line();
    text_ += "-";
    place_ = Place::after_dash;
  }
  void end_array() override { end(); }
  void word(std::string_view text) override
  {
    if (place_ != Place::top) text_ += ' ';
    text_ += text;
    text_ += '\n';
  }
  void string(std::string_view text) override { word(yaml_string(text)); }
  std::string take() { return std::move(text_); }

 private:
  enum class Place : std::uint8_t { top, after_key, after_dash };

  // A block in an item begins behind its dash, one in a field on the next line: of an object
  // further in, of an array not.
  void begin(bool is_empty, std::string_view empty, std::size_t indent)
  {
    indents_.push_back(indent_);
    if (is_empty) return word(empty);
    if (place_ == Place::after_key) {
      text_ += '\n';
      indent_ += indent;
    } else if (place_ == Place::after_dash) {
      text_ += ' ';
      is_behind_dash_ = true;
      indent_ += 2;
    }
  }
  void end()
  {
    indent_ = indents_.back();
    indents_.pop_back();
  }
  void begin_line()
  {
    if (!is_behind_dash_) text_.append(indent_, ' ');
    is_behind_dash_ = false;
  }

  std::string text_;
  std::vector<std::size_t> indents_;
  std::size_t indent_ = 0;
  Place place_ = Place::top;
  bool is_behind_dash_ = false;
};

}  // namespace
}  // namespace internal

std::string to_yaml(const MessageView& view, const TextOptions& options)
{
  internal::Yaml yaml;
  internal::write_text(view, options, yaml);
  return yaml.take();
}

}  // namespace agnocast

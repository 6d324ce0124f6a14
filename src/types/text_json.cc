// JSON, and CSV.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "types/text_output.hpp"

namespace agnocast {
namespace internal {
namespace {

std::string json_string(std::string_view text)
{
  constexpr std::string_view digits = "0123456789abcdef";
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = utf8_bytes(text.substr(i));
    const auto c = static_cast<unsigned char>(text[i]);
    if (bytes == 0) {
      quoted += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += text[i];
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      quoted += "\\u00";
      quoted += digits[c >> 4];
      quoted += digits[c & 15];
    } else {
      quoted += text.substr(i, bytes);
    }
    i += std::max<std::size_t>(bytes, 1);
  }
  return quoted + "\"";
}

class Json : public TextOutput
{
 public:
  void begin_object(bool) override { begin('{'); }
  void key(std::string_view name) override
  {
    item();
    text_ += json_string(name) + ": ";
  }
  void end_object() override { end('}'); }
  void begin_array(bool) override { begin('['); }
  void item() override
  {
    if (!is_first_) text_ += ", ";
    is_first_ = false;
  }
  void end_array() override { end(']'); }
  void word(std::string_view text) override
  {
    text_ += text == ".nan" || text == ".inf" || text == "-.inf" ? "null" : text;
  }
  void string(std::string_view text) override { text_ += json_string(text); }
  std::string take() { return std::move(text_); }

 private:
  void begin(char bracket)
  {
    text_ += bracket;
    is_first_ = true;
  }
  void end(char bracket)
  {
    text_ += bracket;
    is_first_ = false;
  }

  std::string text_;
  bool is_first_ = true;
};

class Csv : public TextOutput
{
 public:
  void begin_object(bool) override {}
  void key(std::string_view) override {}
  void map_key(std::string_view text) override { string(text); }
  void end_object() override {}
  void begin_array(bool) override {}
  void item() override {}
  void end_array() override {}
  void word(std::string_view text) override
  {
    if (!is_first_) text_ += ',';
    is_first_ = false;
    text_ += text;
  }
  void string(std::string_view text) override
  {
    if (text.find_first_of(",\"\n\r") == std::string_view::npos) return word(text);
    std::string quoted = "\"";
    for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
    word(quoted + "\"");
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  bool is_first_ = true;
};

}  // namespace
}  // namespace internal

std::string to_json(const MessageView& view, const TextOptions& options)
{
  internal::Json json;
  internal::write_text(view, options, json);
  return json.take();
}

std::string to_csv(const MessageView& view, const TextOptions& options)
{
  internal::Csv csv;
  internal::write_text(view, options, csv);
  return csv.take();
}

}  // namespace agnocast

// From what a walk sees to the calls of a text format.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "agnocast/error.hpp"
#include "types/layout_rules.hpp"
#include "types/scalar.hpp"
#include "types/text_output.hpp"

namespace agnocast::internal {
namespace {

class TextVisitor : public MessageVisitor
{
 public:
  TextVisitor(const TextOptions& options, TextOutput& output) : options_(options), output_(output)
  {
  }

  void begin_structure(const DescribedType& type) override
  {
    before_value();
    output_.begin_object(type.fields.empty());
    open_.push_back({Level::Kind::object, false});
  }
  void field(std::string_view name) override { output_.key(name); }
  void end_structure() override
  {
    open_.pop_back();
    output_.end_object();
  }

  std::uint64_t begin_sequence(const SequenceValue& sequence) override
  {
    before_value();
    if (options_.no_arr) return abbreviate(sequence);
    const std::uint64_t wanted = wanted_of(sequence.count);
    output_.begin_array(sequence.count == 0);
    open_.push_back({Level::Kind::array, wanted < sequence.count});
    return wanted;
  }
  void end_sequence() override
  {
    const Level level = open_.back();
    open_.pop_back();
    if (level.kind == Level::Kind::abbreviated) return;
    if (level.is_cut) {
      output_.item();
      output_.string("...");
    }
    output_.end_array();
  }

  std::uint64_t begin_map(const SequenceValue& map) override
  {
    before_value();
    if (options_.no_arr) return abbreviate(map);
    const std::uint64_t wanted = wanted_of(map.count);
    const bool is_cut = wanted < map.count;
    if (is_object(map)) {
      output_.begin_object(map.count == 0);
      open_.push_back({Level::Kind::map, is_cut});
    } else {
      output_.begin_array(map.count == 0);
      open_.push_back({Level::Kind::pairs, is_cut});
    }
    return wanted;
  }
  void key() override
  {
    if (open_.back().kind == Level::Kind::map) {
      is_key_ = true;
      return;
    }
    end_pair();
    output_.item();
    output_.begin_object(false);
    output_.key("key");
    open_.push_back({Level::Kind::object, false});
  }
  void mapped() override
  {
    if (open_.back().kind == Level::Kind::object) output_.key("value");
  }
  void end_map() override
  {
    end_pair();
    const Level level = open_.back();
    open_.pop_back();
    if (level.kind == Level::Kind::abbreviated) return;
    if (level.kind == Level::Kind::map) {
      if (level.is_cut) {
        output_.key("...");
        output_.string("...");
      }
      return output_.end_object();
    }
    if (level.is_cut) {
      output_.item();
      output_.string("...");
    }
    output_.end_array();
  }

  void scalar(const ScalarValue& value) override
  {
    const ScalarText text = scalar_text(value);
    if (text.is_string) {
      show_string(text.text);
    } else {
      show_word(text.text);
    }
  }
  void string(const TextValue& text) override
  {
    if (options_.no_str && !is_key_) {
      return show_string("<string length: " + std::to_string(text.count()) + ">");
    }
    const std::uint64_t wanted = wanted_of(text.count());
    show_string(text.copy(wanted) + (wanted < text.count() ? "..." : ""));
  }
  void null(const DescribedType&) override { show_word("null"); }
  void opaque(const DescribedType& type) override
  {
    const char* const kind = type.kind == TypeKind::opaque    ? "<opaque: "
                             : type.kind == TypeKind::unknown ? "<unknown: "
                                                              : "<pointer: ";
    show_string(kind + type.name + ", " + std::to_string(type.bytes) + " bytes>");
  }

 private:
  struct Level
  {
    enum class Kind : std::uint8_t { object, array, map, pairs, abbreviated };

    Kind kind;
    bool is_cut;
  };

  void before_value()
  {
    if (!open_.empty() && open_.back().kind == Level::Kind::array) output_.item();
  }
  // An entry of a map that is shown as pairs is closed by the next one.
  void end_pair()
  {
    if (open_.size() < 2 || open_.back().kind != Level::Kind::object ||
        open_[open_.size() - 2].kind != Level::Kind::pairs) {
      return;
    }
    open_.pop_back();
    output_.end_object();
  }
  void show_word(std::string_view text)
  {
    if (is_key_) return show_key(text);
    before_value();
    output_.word(text);
  }
  void show_string(std::string_view text)
  {
    if (is_key_) return show_key(text);
    before_value();
    output_.string(text);
  }
  void show_key(std::string_view text)
  {
    is_key_ = false;
    output_.map_key(text);
  }

  [[nodiscard]] std::uint64_t wanted_of(std::uint64_t count) const
  {
    return options_.full_length ? count : std::min(count, options_.truncate_length);
  }
  std::uint64_t abbreviate(const SequenceValue& sequence)
  {
    open_.push_back({Level::Kind::abbreviated, false});
    if (sequence.type.kind == TypeKind::array) {
      output_.string("<array type: " + sequence.element.name + "[" +
                     std::to_string(sequence.count) + "]>");
      return 0;
    }
    std::string what = "<sequence type: " + sequence.element.name;
    if (sequence.mapped != nullptr) {
      what = "<map type: " + sequence.element.name + " to " + sequence.mapped->name;
    }
    output_.string(what + ", length: " + std::to_string(sequence.count) + ">");
    return 0;
  }
  static bool is_object(const SequenceValue& map)
  {
    const TypeKind key = map.element.kind;
    return !is_multiple(map.type) &&
           (is_scalar(key) || key == TypeKind::enumeration || key == TypeKind::string);
  }

  const TextOptions& options_;
  TextOutput& output_;
  std::vector<Level> open_;
  bool is_key_ = false;
};

}  // namespace

void write_text(const MessageView& view, const TextOptions& options, TextOutput& output)
{
  TextVisitor visitor(options, output);
  const MessageView part = select(view, options.field);
  if (const auto wrong = walk(part, visitor, options.limits)) {
    throw Error((options.field.empty() ? "" : options.field + ": ") + *wrong);
  }
}

}  // namespace agnocast::internal

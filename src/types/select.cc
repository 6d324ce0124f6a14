// The part of a message at a path.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <string>

#include "agnocast/error.hpp"
#include "agnocast/message_view.hpp"
#include "types/containers.hpp"
#include "types/scalar.hpp"
#include "types/text_output.hpp"

namespace agnocast {
namespace internal {
namespace {

class Selection
{
 public:
  explicit Selection(const MessageView& view)
    : types_(view.description.types()),
      memory_(view.allowed),
      containers_(types_, memory_, Extent::wanted),
      type_(view.type),
      at_(reinterpret_cast<Address>(view.address))
  {
    memory_.claim(at_, types_.at(type_).bytes, types_[type_].alignment);
  }

  void to_field(std::string_view name)
  {
    look_through();
    const DescribedType& type = types_[type_];
    for (const DescribedField& field : type.fields) {
      if (type.kind != TypeKind::structure || field.name != name) continue;
      type_ = field.type;
      at_ += field.value;
      return;
    }
    std::string known;
    if (type.kind == TypeKind::structure) {
      for (const DescribedField& field : type.fields) known += " " + field.name;
    }
    lie("has no field '" + std::string(name) + "'; " +
        (known.empty() ? type.name + " has none" : "it has:" + known));
  }

  void to_element(std::string_view text)
  {
    look_through();
    const DescribedType& type = types_[type_];
    if (has_mapped(type.kind)) return to_entry(type, text);
    if (type.kind == TypeKind::bit_vector) lie("consists of bits, of which none is shown alone");
    std::uint64_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
      lie("has no element '" + std::string(text) + "'");
    }
    Address found = 0;
    std::uint64_t length = 0;
    containers_.each(
      type, at_,
      [&](std::uint64_t count, Address contiguous) -> std::uint64_t {
        length = count;
        if (index >= count) return 0;
        if (contiguous == 0) return index + 1;
        found = contiguous + index * types_[type.element].bytes;
        return 0;
      },
      [&](std::uint64_t i, Address element) {
        if (i == index) found = element;
      });
    if (found == 0) {
      lie("has no element " + std::string(text) + ", it has " + std::to_string(length));
    }
    type_ = type.element;
    at_ = found;
  }

  [[nodiscard]] std::uint32_t type() const noexcept { return type_; }
  [[nodiscard]] const void* address() const noexcept { return reinterpret_cast<const void*>(at_); }

 private:
  // Each is one pointer further; memory_ sees to it that they end.
  void look_through()
  {
    for (;;) {
      const DescribedType& type = types_[type_];
      if (type.kind == TypeKind::optional) {
        if (!containers_.has_value(type, at_)) lie("has no value");
        type_ = type.element;
      } else if (type.kind == TypeKind::unique_ptr) {
        at_ = containers_.owned(type, at_);
        if (at_ == 0) lie("has no value");
        type_ = type.element;
      } else if (type.kind == TypeKind::variant) {
        const std::uint32_t index = containers_.alternative(type, at_);
        if (index == TypeDescription::none) lie("has no value");
        type_ = type.fields[index].type;
      } else {
        return;
      }
    }
  }

  void to_entry(const DescribedType& type, std::string_view text)
  {
    const DescribedType& key = types_[type.element];
    Address found = 0;
    containers_.each(
      type, at_, [](std::uint64_t count, Address) { return count; },
      [&](std::uint64_t, Address at) {
        if (found == 0 && key_text(key, at) == text) found = at;
      });
    if (found == 0) lie("has no entry '" + std::string(text) + "'");
    type_ = type.mapped;
    at_ = found + mapped_offset(key, types_[type.mapped]);
  }

  std::string key_text(const DescribedType& key, Address at)
  {
    if (key.kind == TypeKind::string) {
      const FoundText found = containers_.text(key, at);
      return TextValue(reinterpret_cast<const void*>(found.address), found.count,
                       static_cast<std::uint32_t>(types_[key.element].bytes))
        .copy();
    }
    if (!is_scalar(key.kind) && key.kind != TypeKind::enumeration) {
      lie("has keys that are neither numbers nor strings");
    }
    return scalar_text(load_scalar(types_, key, memory_, at)).text;
  }

  const std::vector<DescribedType>& types_;
  PeerMemory memory_;
  Containers containers_;
  std::uint32_t type_;
  Address at_;
};

}  // namespace
}  // namespace internal

MessageView select(const MessageView& view, std::string_view path)
{
  std::size_t done = 0;
  const auto refuse = [&](const std::string& what) {
    const std::string before(path.substr(0, done));
    throw Error((before.empty() ? "the message" : before + ":") + " " + what);
  };
  try {
    internal::Selection selection(view);
    while (done < path.size()) {
      if (path[done] == '[') {
        const std::size_t end = path.find(']', done);
        if (end == std::string_view::npos) refuse("is followed by [ without ]");
        selection.to_element(path.substr(done + 1, end - done - 1));
        done = end + 1;
      } else {
        const std::size_t begin = done + (path[done] == '.' && done != 0 ? 1 : 0);
        const std::size_t end = std::min(path.find_first_of(".[", begin), path.size());
        selection.to_field(path.substr(begin, end - begin));
        done = end;
      }
    }
    return {view.description, selection.address(), view.allowed, selection.type()};
  } catch (const internal::Lie& found) {
    refuse(found.what);
  }
  return view;
}

}  // namespace agnocast

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <array>
#include <vector>

#include "agnocast/message_view.hpp"
#include "types/containers.hpp"
#include "types/layout_rules.hpp"
#include "types/peer_memory.hpp"
#include "types/scalar.hpp"

namespace agnocast {
namespace internal {
namespace {

/// For each type, whether a check has nothing to look at in it: no pointer, and no variant, whose
/// index code would follow.
class PlainTypes
{
 public:
  explicit PlainTypes(const std::vector<DescribedType>& types) : types_(types), found_(types.size())
  {
    for (std::uint32_t i = 0; i < types.size(); ++i) look(i);
  }
  [[nodiscard]] bool operator[](std::uint32_t type) const { return found_[type] == plain; }

 private:
  static constexpr std::uint8_t plain = 1;
  static constexpr std::uint8_t owning = 2;

  bool look(std::uint32_t index)
  {
    if (found_[index] == 0) found_[index] = is_plain(types_[index]) ? plain : owning;
    return found_[index] == plain;
  }
  bool is_plain(const DescribedType& type)
  {
    switch (type.kind) {
      case TypeKind::structure:
        for (const DescribedField& field : type.fields) {
          if (!look(field.type)) return false;
        }
        return true;
      case TypeKind::array:
      case TypeKind::optional:
        return look(type.element);
      case TypeKind::unknown:
      case TypeKind::opaque:
      case TypeKind::raw_pointer:
      case TypeKind::enumeration:
        return true;
      default:
        return is_scalar(type.kind);
    }
  }

  const std::vector<DescribedType>& types_;
  std::vector<std::uint8_t> found_;
};

/// The way from the message to the part that is looked at; long ones keep their beginning.
class Path
{
 public:
  enum class Kind : std::uint8_t { field, index, key, mapped };

  void push(Kind kind, std::uint64_t index, const std::string* name = nullptr) noexcept
  {
    if (depth_ < steps_.size()) steps_[depth_] = {kind, index, name};
    ++depth_;
  }
  void pop() noexcept { --depth_; }
  [[nodiscard]] std::string text() const
  {
    std::string text;
    for (std::size_t i = 0; i < depth_ && i < steps_.size(); ++i) {
      const Step& step = steps_[i];
      if (step.kind == Kind::field) {
        text += (text.empty() ? "" : ".") + *step.name;
      } else {
        text += "[" + std::to_string(step.index) + "]";
        if (step.kind == Kind::key) text += ".key";
        if (step.kind == Kind::mapped) text += ".value";
      }
    }
    return depth_ > steps_.size() ? text + "..." : text;
  }

 private:
  struct Step
  {
    Kind kind;
    std::uint64_t index;
    const std::string* name;
  };
  std::array<Step, 48> steps_;  // NOLINT: filled as it grows
  std::size_t depth_ = 0;
};

class Walker
{
 public:
  /// Without a visitor, what is plain is passed over.
  Walker(const TypeDescription& description, MemoryRange allowed, MessageVisitor* visitor,
         const PlainTypes* plain, const WalkLimits& limits)
    : types_(description.types()),
      memory_(allowed),
      containers_(types_, memory_, visitor == nullptr ? Extent::whole : Extent::wanted),
      visitor_(visitor),
      plain_(plain),
      depth_left_(limits.depth_max)
  {
  }

  std::optional<std::string> run(std::uint32_t type, const void* address)
  {
    try {
      const auto at = reinterpret_cast<Address>(address);
      memory_.claim(at, types_[type].bytes, types_[type].alignment);
      value(type, at);
      return std::nullopt;
    } catch (const Lie& found) {
      const std::string path = path_.text();
      return path.empty() ? "the message " + found.what : path + ": " + found.what;
    }
  }

 private:
  [[nodiscard]] bool is_passed_over(std::uint32_t type) const
  {
    return plain_ != nullptr && (*plain_)[type];
  }

  void value(std::uint32_t index, Address at)
  {
    if (is_passed_over(index)) return;
    memory_.step();
    if (depth_left_ == 0) lie("has more values inside each other than are allowed");
    --depth_left_;
    look(types_[index], at);
    ++depth_left_;
  }

  void look(const DescribedType& type, Address at)
  {
    switch (type.kind) {
      case TypeKind::boolean:
      case TypeKind::signed_integer:
      case TypeKind::unsigned_integer:
      case TypeKind::floating:
      case TypeKind::character:
      case TypeKind::enumeration:
        if (visitor_ != nullptr) visitor_->scalar(load_scalar(types_, type, memory_, at));
        return;
      case TypeKind::structure:
        return structure(type, at);
      case TypeKind::string: {
        const FoundText text = containers_.text(type, at);
        if (visitor_ == nullptr) return;
        return visitor_->string({reinterpret_cast<const void*>(text.address), text.count,
                                 static_cast<std::uint32_t>(types_[type.element].bytes)});
      }
      case TypeKind::optional:
        if (containers_.has_value(type, at)) return value(type.element, at);
        if (visitor_ != nullptr) visitor_->null(type);
        return;
      case TypeKind::unique_ptr: {
        const Address owned = containers_.owned(type, at);
        if (owned != 0) return value(type.element, owned);
        if (visitor_ != nullptr) visitor_->null(type);
        return;
      }
      case TypeKind::variant:
        return variant(type, at);
      case TypeKind::bit_vector:
        return bits(type, at);
      case TypeKind::map:
      case TypeKind::hash_map:
        return map(type, at);
      case TypeKind::unknown:
      case TypeKind::opaque:
      case TypeKind::raw_pointer:
        if (visitor_ != nullptr) visitor_->opaque(type);
        return;
      default:
        return sequence(type, at);
    }
  }

  void structure(const DescribedType& type, Address at)
  {
    if (visitor_ != nullptr) visitor_->begin_structure(type);
    for (const DescribedField& field : type.fields) {
      if (is_passed_over(field.type)) continue;
      path_.push(Path::Kind::field, 0, &field.name);
      if (visitor_ != nullptr) visitor_->field(field.name);
      value(field.type, at + field.value);
      path_.pop();
    }
    if (visitor_ != nullptr) visitor_->end_structure();
  }

  void variant(const DescribedType& type, Address at)
  {
    const std::uint32_t index = containers_.alternative(type, at);
    if (index != TypeDescription::none) {
      if (visitor_ != nullptr) visitor_->alternative(type, index);
      value(type.fields[index].type, at);
    } else if (visitor_ != nullptr) {
      visitor_->null(type);
    }
  }

  std::uint64_t begin(const DescribedType& type, std::uint64_t count, Address contiguous)
  {
    if (visitor_ != nullptr) {
      const bool is_map = has_mapped(type.kind);
      const SequenceValue found{type, types_[type.element], is_map ? &types_[type.mapped] : nullptr,
                                count, reinterpret_cast<const void*>(contiguous)};
      return is_map ? visitor_->begin_map(found) : visitor_->begin_sequence(found);
    }
    const bool is_plain =
      is_passed_over(type.element) && (!has_mapped(type.kind) || is_passed_over(type.mapped));
    return is_plain ? 0 : count;
  }

  void sequence(const DescribedType& type, Address at)
  {
    containers_.each(
      type, at,
      [&](std::uint64_t count, Address contiguous) { return begin(type, count, contiguous); },
      [&](std::uint64_t index, Address element) {
        path_.push(Path::Kind::index, index);
        value(type.element, element);
        path_.pop();
      });
    if (visitor_ != nullptr) visitor_->end_sequence();
  }

  void bits(const DescribedType& type, Address at)
  {
    containers_.each(
      type, at,
      [&](std::uint64_t count, Address) { return visitor_ != nullptr ? begin(type, count, 0) : 0; },
      [&](std::uint64_t, Address bit) {
        visitor_->scalar(scalar_of_bit(types_[type.element], bit));
      });
    if (visitor_ != nullptr) visitor_->end_sequence();
  }

  void map(const DescribedType& type, Address at)
  {
    const std::uint64_t behind_key = mapped_offset(types_[type.element], types_[type.mapped]);
    containers_.each(
      type, at, [&](std::uint64_t count, Address) { return begin(type, count, 0); },
      [&](std::uint64_t index, Address key) {
        path_.push(Path::Kind::key, index);
        if (visitor_ != nullptr) visitor_->key();
        value(type.element, key);
        path_.pop();
        path_.push(Path::Kind::mapped, index);
        if (visitor_ != nullptr) visitor_->mapped();
        value(type.mapped, key + behind_key);
        path_.pop();
      });
    if (visitor_ != nullptr) visitor_->end_map();
  }

  const std::vector<DescribedType>& types_;
  PeerMemory memory_;
  Containers containers_;
  MessageVisitor* visitor_;
  const PlainTypes* plain_;
  std::uint32_t depth_left_;
  Path path_;
};

std::optional<std::string> broken_view(const MessageView& view)
{
  if (view.type >= view.description.types().size()) return "the description has no such type";
  if (view.description.library() != own_library()) {
    return "the message is laid out by " + view.description.library() + ", this program knows " +
           own_library();
  }
  return std::nullopt;
}

}  // namespace
}  // namespace internal

MessageVisitor::~MessageVisitor() = default;
void MessageVisitor::begin_structure(const DescribedType&) {}
void MessageVisitor::field(std::string_view) {}
void MessageVisitor::end_structure() {}
std::uint64_t MessageVisitor::begin_sequence(const SequenceValue& sequence)
{
  return sequence.count;
}
void MessageVisitor::end_sequence() {}
std::uint64_t MessageVisitor::begin_map(const SequenceValue& map)
{
  return map.count;
}
void MessageVisitor::key() {}
void MessageVisitor::mapped() {}
void MessageVisitor::end_map() {}
void MessageVisitor::scalar(const ScalarValue&) {}
void MessageVisitor::string(const TextValue&) {}
void MessageVisitor::null(const DescribedType&) {}
void MessageVisitor::alternative(const DescribedType&, std::uint32_t) {}
void MessageVisitor::opaque(const DescribedType&) {}

std::optional<std::string> walk(const MessageView& view, MessageVisitor& visitor,
                                const WalkLimits& limits)
{
  if (auto broken = internal::broken_view(view)) return broken;
  return internal::Walker(view.description, view.allowed, &visitor, nullptr, limits)
    .run(view.type, view.address);
}

struct MessageVerifier::State
{
  explicit State(const TypeDescription& of) : description(of), plain(description.types()) {}

  TypeDescription description;
  internal::PlainTypes plain;
};

MessageVerifier::MessageVerifier(const TypeDescription& description)
  : state_(std::make_unique<const State>(description))
{
}
MessageVerifier::MessageVerifier(MessageVerifier&&) noexcept = default;
MessageVerifier& MessageVerifier::operator=(MessageVerifier&&) noexcept = default;
MessageVerifier::~MessageVerifier() = default;

std::optional<std::string> MessageVerifier::verify(const void* address, MemoryRange allowed,
                                                   const WalkLimits& limits) const
{
  if (auto broken = internal::broken_view({state_->description, address, allowed})) return broken;
  return internal::Walker(state_->description, allowed, nullptr, &state_->plain, limits)
    .run(0, address);
}

std::optional<std::string> verify(const MessageView& view, const WalkLimits& limits)
{
  if (auto broken = internal::broken_view(view)) return broken;
  const internal::PlainTypes plain(view.description.types());
  return internal::Walker(view.description, view.allowed, nullptr, &plain, limits)
    .run(view.type, view.address);
}

}  // namespace agnocast

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "types/layout_rules.hpp"

#include <algorithm>
#include <bit>

namespace agnocast::internal {
namespace {

constexpr std::uint64_t bytes_max = std::uint64_t{1} << 40;
constexpr std::uint32_t alignment_max = 4096;
constexpr std::uint64_t inner_offset_max = std::uint64_t{1} << 40;

/// The size of the container itself; 0 if it may differ.
std::uint64_t fixed_bytes(TypeKind kind)
{
  switch (kind) {
    case TypeKind::boolean:
      return 1;
    case TypeKind::string:
      return 32;
    case TypeKind::vector:
      return 24;
    case TypeKind::bit_vector:
      return 40;
    case TypeKind::deque:
      return 80;
    case TypeKind::list:
      return 24;
    case TypeKind::forward_list:
      return 8;
    case TypeKind::hash_map:
      return 56;
    case TypeKind::hash_set:
      return 56;
    case TypeKind::unique_ptr:
      return 8;
    case TypeKind::raw_pointer:
      return 8;
    default:
      return 0;
  }
}

/// Of its own, at fixed places.
bool has_pointers(TypeKind kind)
{
  return kind == TypeKind::string || kind == TypeKind::vector || kind == TypeKind::bit_vector ||
         kind == TypeKind::deque || kind == TypeKind::unique_ptr || kind == TypeKind::raw_pointer ||
         has_nodes(kind);
}

/// Bytes of links at the beginning of a node.
std::uint64_t link_bytes(TypeKind kind)
{
  switch (kind) {
    case TypeKind::list:
      return 16;
    case TypeKind::map:
    case TypeKind::set:
      return 32;
    default:
      return 8;
  }
}

bool is_scalar_size(TypeKind kind, std::uint64_t bytes)
{
  switch (kind) {
    case TypeKind::character:
      return bytes == 1 || bytes == 2 || bytes == 4;
    case TypeKind::floating:
      return bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
    case TypeKind::signed_integer:
    case TypeKind::unsigned_integer:
    case TypeKind::enumeration:
      return bytes <= 16 && std::has_single_bit(bytes);
    default:
      return true;
  }
}

class Rules
{
 public:
  explicit Rules(const std::vector<DescribedType>& types) : types_(types) {}

  std::string broken()
  {
    if (types_.empty()) return "there is no type";
    for (const DescribedType& type : types_) {
      if (const char* what = broken_in(type)) return "'" + type.name + "' " + what;
    }
    state_.assign(types_.size(), State::unseen);
    for (std::uint32_t i = 0; i < types_.size(); ++i) {
      if (contains_itself(i)) return "'" + types_[i].name + "' contains itself by value";
    }
    state_.assign(types_.size(), State::unseen);
    for (std::uint32_t i = 0; i < types_.size(); ++i) {
      if (stands_for_itself(i)) return "'" + types_[i].name + "' holds nothing but itself";
    }
    return {};
  }

 private:
  enum class State : std::uint8_t { unseen, inside, done };

  const char* broken_in(const DescribedType& type) const
  {
    if (static_cast<std::uint32_t>(type.kind) >= type_kinds) return "is of no known kind";
    if (type.bytes == 0 || type.bytes > bytes_max) return "has no possible size";
    if (!std::has_single_bit(type.alignment) || type.alignment > alignment_max ||
        type.bytes % type.alignment != 0) {
      return "has no possible alignment";
    }
    const std::uint64_t fixed = fixed_bytes(type.kind);
    if ((fixed != 0 && type.bytes != fixed) || !is_scalar_size(type.kind, type.bytes)) {
      return "does not have the size of its kind";
    }
    if (has_pointers(type.kind) && type.alignment != sizeof(void*)) {
      return "does not have the alignment of its kind";
    }
    if (has_element(type.kind) != (type.element != TypeDescription::none) ||
        has_mapped(type.kind) != (type.mapped != TypeDescription::none)) {
      return "has not the parts of its kind";
    }
    if ((has_element(type.kind) && type.element >= types_.size()) ||
        (has_mapped(type.kind) && type.mapped >= types_.size())) {
      return "consists of a type that does not exist";
    }
    const bool has_fields = type.kind == TypeKind::structure || type.kind == TypeKind::variant ||
                            type.kind == TypeKind::enumeration;
    if (!has_fields && !type.fields.empty()) return "has fields without being a structure";
    if (const char* what = broken_fields(type)) return what;
    return has_nodes(type.kind) ? broken_node(type) : broken_inner(type);
  }

  const char* broken_fields(const DescribedType& type) const
  {
    if (type.kind == TypeKind::enumeration) return nullptr;
    for (const DescribedField& field : type.fields) {
      if (field.type >= types_.size()) return "has a field of a type that does not exist";
      const DescribedType& part = types_[field.type];
      if (field.value > type.bytes || part.bytes > type.bytes - field.value ||
          !std::has_single_bit(part.alignment) || part.alignment > type.alignment ||
          field.value % part.alignment != 0) {
        return "has a field that does not lie in it";
      }
    }
    return type.kind == TypeKind::structure ? overlapping_fields(type) : nullptr;
  }

  /// Fields of types without content may lie where others do ([[no_unique_address]]).
  const char* overlapping_fields(const DescribedType& type) const
  {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    for (const DescribedField& field : type.fields) {
      const DescribedType& part = types_[field.type];
      const bool is_empty = part.kind == TypeKind::structure && part.fields.empty();
      if (!is_empty) places.emplace_back(field.value, field.value + part.bytes);
    }
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i) {
      if (places[i].first < places[i - 1].second) return "has fields that lie on each other";
    }
    return nullptr;
  }

  const char* broken_node(const DescribedType& type) const
  {
    if (type.inner_offset < link_bytes(type.kind) || type.inner_offset > 2 * alignment_max ||
        type.inner_offset % types_[type.element].alignment != 0) {
      return "has nodes without room for their links";
    }
    if (has_mapped(type.kind) &&
        (type.inner_offset % types_[type.mapped].alignment != 0 ||
         types_[type.element].bytes > bytes_max || types_[type.mapped].bytes > bytes_max)) {
      return "has nodes that nothing can lie in";
    }
    const bool is_tree = type.kind == TypeKind::map || type.kind == TypeKind::set;
    if (is_tree && (type.header_offset % 8 != 0 || type.header_offset + 40ULL != type.bytes)) {
      return "has no room for its tree";
    }
    return nullptr;
  }

  const char* broken_inner(const DescribedType& type) const
  {
    switch (type.kind) {
      case TypeKind::array: {
        const std::uint64_t bytes = types_[type.element].bytes;
        return type.count == 0 || bytes == 0 || type.bytes / bytes != type.count ||
                   type.bytes % bytes != 0 || types_[type.element].alignment > type.alignment
                 ? "is not as long as its elements"
                 : nullptr;
      }
      case TypeKind::optional:
        return type.inner_offset < types_[type.element].bytes || type.inner_offset >= type.bytes ||
                   types_[type.element].alignment > type.alignment
                 ? "has no room for its flag"
                 : nullptr;
      case TypeKind::variant: {
        if (type.fields.empty() || type.fields.size() > 255) return "has no possible alternatives";
        if (type.inner_offset >= type.bytes) return "has no room for its index";
        const bool fits = std::all_of(type.fields.begin(), type.fields.end(), [&](const auto& f) {
          return f.value == 0 && types_[f.type].bytes <= type.inner_offset;
        });
        return fits ? nullptr : "has an alternative that lies on its index";
      }
      case TypeKind::enumeration: {
        const DescribedType& underlying = types_[type.element];
        const bool is_integer = underlying.kind == TypeKind::signed_integer ||
                                underlying.kind == TypeKind::unsigned_integer ||
                                underlying.kind == TypeKind::character ||
                                underlying.kind == TypeKind::boolean;
        return is_integer && underlying.bytes == type.bytes ? nullptr : "is not of an integer";
      }
      case TypeKind::string:
        return types_[type.element].kind == TypeKind::character ? nullptr
                                                                : "does not consist of characters";
      default:
        return inner_offset_max < type.inner_offset ? "has an impossible offset" : nullptr;
    }
  }

  /// What lies in the type itself, as opposed to what it points to.
  bool contains_itself(std::uint32_t index)
  {
    if (state_[index] != State::unseen) return state_[index] == State::inside;
    state_[index] = State::inside;
    const DescribedType& type = types_[index];
    bool found = false;
    if (type.kind == TypeKind::array || type.kind == TypeKind::optional) {
      found = contains_itself(type.element);
    } else if (type.kind == TypeKind::structure || type.kind == TypeKind::variant) {
      found = std::any_of(type.fields.begin(), type.fields.end(),
                          [&](const DescribedField& f) { return contains_itself(f.type); });
    }
    state_[index] = State::done;
    return found;
  }

  /// Whose value is that of a part, whose value is that of a part, and round in a circle: nothing
  /// would end it. In C++ there is a structure on the way of each circle.
  bool stands_for_itself(std::uint32_t index)
  {
    if (state_[index] != State::unseen) return state_[index] == State::inside;
    state_[index] = State::inside;
    const DescribedType& type = types_[index];
    bool found = false;
    if (type.kind == TypeKind::optional || type.kind == TypeKind::unique_ptr) {
      found = stands_for_itself(type.element);
    } else if (type.kind == TypeKind::variant) {
      found = std::any_of(type.fields.begin(), type.fields.end(),
                          [&](const DescribedField& f) { return stands_for_itself(f.type); });
    }
    state_[index] = State::done;
    return found;
  }

  const std::vector<DescribedType>& types_;
  std::vector<State> state_;
};

}  // namespace

std::uint64_t value_bytes(const std::vector<DescribedType>& types, const DescribedType& container)
{
  const DescribedType& element = types[container.element];
  if (!has_mapped(container.kind)) return element.bytes;
  const DescribedType& mapped = types[container.mapped];
  return mapped_offset(element, mapped) + mapped.bytes;
}

std::string broken_rule(const std::vector<DescribedType>& types)
{
  return Rules(types).broken();
}

}  // namespace agnocast::internal

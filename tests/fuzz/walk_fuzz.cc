// Messages of any content, of a type with containers, of types made up, or of any encoded bytes;
// the memory they lie in is full of addresses in it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "agnocast/describe.hpp"
#include "agnocast/error.hpp"
#include "agnocast/message_text.hpp"
#include "agnocast/message_view.hpp"
#include "input.hpp"

namespace {

struct Part
{
  std::string name;
  std::unique_ptr<Part> next;
};
struct Message
{
  std::map<std::int32_t, std::string> map;
  std::list<std::int32_t> list;
  std::deque<std::string> deque;
  std::unordered_map<std::string, std::int32_t> table;
  Part part;
  std::vector<std::string> texts;
  std::vector<bool> bits;
  std::variant<std::int32_t, std::vector<double>> either;
};

/// Small numbers, addresses in the memory, or anything.
std::vector<std::uint64_t> memory_of(agnocast::fuzz::Input& input)
{
  std::vector<std::uint64_t> memory(input.left() / 2 + 1);
  for (std::uint64_t& word : memory) {
    const auto kind = input.get<std::uint8_t>();
    if (kind < 0x60) {
      word = kind;
    } else if (kind < 0xe0) {
      const std::size_t index = (kind - 0x60U) * 2U + input.get<std::uint8_t>() % 2U;
      word = reinterpret_cast<std::uint64_t>(&memory[index % memory.size()]);
    } else {
      word = input.get<std::uint64_t>();
    }
  }
  return memory;
}

/// Types whose sizes are mostly those of their kinds, with parts among each other.
std::vector<std::byte> made_up(agnocast::fuzz::Input& input)
{
  using namespace agnocast;
  constexpr std::uint8_t sizes[type_kinds] = {8,  8,  1,  4, 4,  8,  1,  1,  32, 32, 32, 24,
                                              40, 80, 24, 8, 48, 48, 56, 56, 16, 16, 8,  8};
  std::vector<DescribedType> types(1U + input.get<std::uint8_t>() % 8U);
  for (DescribedType& type : types) {
    const auto index = [&] {
      return static_cast<std::uint32_t>(input.get<std::uint8_t>() % types.size());
    };
    const std::uint32_t kind = input.get<std::uint8_t>() % type_kinds;
    type.kind = static_cast<TypeKind>(kind);
    type.name = "T" + std::to_string(kind);
    type.bytes = sizes[kind];
    const auto other = input.get<std::uint8_t>();
    if (other != 0 && other < 0x80) type.bytes = other;
    type.alignment = type.bytes % 8 == 0 ? 8U : type.bytes % 4 == 0 ? 4U : 1U;
    const bool is_by_itself = kind < 7 || type.kind == TypeKind::structure ||
                              type.kind == TypeKind::variant || type.kind == TypeKind::raw_pointer;
    if (!is_by_itself) type.element = index();
    if (type.kind == TypeKind::map || type.kind == TypeKind::hash_map) type.mapped = index();
    type.count = input.get<std::uint8_t>();
    type.inner_offset = input.get<std::uint8_t>();
    type.header_offset = type.kind == TypeKind::map || type.kind == TypeKind::set
                           ? 8
                           : static_cast<std::uint32_t>(type.count % 2);
    const bool has_fields = type.kind == TypeKind::structure || type.kind == TypeKind::variant;
    for (std::uint64_t i = 0; has_fields && i < type.count % 5; ++i) {
      const std::uint32_t part = index();
      const std::uint64_t offset = type.kind == TypeKind::variant ? 0 : input.get<std::uint8_t>();
      type.fields.push_back({"f", part, offset});
    }
  }
  return TypeDescription(std::move(types)).encode();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  using namespace agnocast;
  fuzz::Input input(data, bytes);
  std::optional<TypeDescription> description;
  const auto described = input.get<std::uint8_t>();
  try {
    if (described % 4 == 0) {
      description = type_description<Message>();
    } else if (described % 4 == 1) {
      std::vector<std::byte> encoded(std::min<std::size_t>(described * 8U, input.left()));
      for (std::byte& byte : encoded) byte = input.get<std::byte>();
      description = TypeDescription::decode(encoded.data(), encoded.size());
    } else {
      const std::vector<std::byte> encoded = made_up(input);
      description = TypeDescription::decode(encoded.data(), encoded.size());
    }
  } catch (const Error&) {
    return 0;
  }
  const std::vector<std::uint64_t> memory = memory_of(input);
  const MemoryRange range{reinterpret_cast<const std::byte*>(memory.data()), memory.size() * 8};
  const MessageView view{*description, memory.data(), range};
  const bool is_fine = !verify(view).has_value();
  MessageVisitor all;
  const bool is_shown = !walk(view, all).has_value();
  fuzz::must(is_shown || !is_fine, "what is fine can be shown");
  for (const auto& text : {to_yaml, to_json, to_csv}) {
    try {
      static_cast<void>(text(view, {}));
    } catch (const Error&) {
    }
  }
  return 0;
}

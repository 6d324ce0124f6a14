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
#include "made_up_type.hpp"

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
      const std::vector<std::byte> encoded = fuzz::made_up_type(input);
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
  const auto wrong = walk(view, all);
  const bool is_shown = !wrong.has_value();
  if (is_fine && !is_shown)
    std::fprintf(stderr, "%s\n%s", wrong->c_str(), description->schema().c_str());
  fuzz::must(is_shown || !is_fine, "what is fine can be shown");
  for (const auto& text : {to_yaml, to_json, to_csv}) {
    try {
      static_cast<void>(text(view, {}));
    } catch (const Error&) {
    }
  }
  return 0;
}

// A description and a message of any content: the first bytes are a description, which is given the
// checksum that it asks for, the others are the memory that a message of it lies in.
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
  std::vector<Part> parts;
  std::vector<bool> bits;
  std::variant<std::int32_t, std::vector<double>> either;
};

/// Words of the memory become addresses in it: by chance they hardly ever would.
void relocate(std::vector<std::uint64_t>& memory)
{
  for (std::uint64_t& word : memory) {
    if (word >> 48 != 0x4141) continue;
    word =
      reinterpret_cast<std::uint64_t>(memory.data()) + (word & 0xffff) % (memory.size() * 8 + 8);
  }
}

agnocast::TypeDescription read(const std::vector<std::uint8_t>& bytes)
{
  using agnocast::TypeDescription;
  return TypeDescription::decode(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  using namespace agnocast;
  fuzz::Input input(data, bytes);
  std::optional<TypeDescription> description;
  const auto described = input.get<std::uint16_t>();
  if (described % 2 == 0) {
    description = type_description<Message>();
  } else {
    std::vector<std::uint8_t> encoded(std::min<std::size_t>(described / 2, input.left()));
    for (std::uint8_t& byte : encoded) byte = input.get<std::uint8_t>();
    try {
      description = read(encoded);
    } catch (const Error&) {
      return 0;
    }
  }
  std::vector<std::uint64_t> memory(input.left() / 8 + 1);
  for (std::uint64_t& word : memory) word = input.get<std::uint64_t>();
  relocate(memory);
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

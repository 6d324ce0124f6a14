// Values of any shape, put into objects of types made up or described by any bytes; what they
// become must read as a message does.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <new>
#include <optional>
#include <vector>

#include "agnocast/error.hpp"
#include "agnocast/message_text.hpp"
#include "agnocast/message_value.hpp"
#include "agnocast/message_view.hpp"
#include "input.hpp"
#include "made_up_type.hpp"

namespace {

using agnocast::Value;

/// Names are mostly those that made-up types have.
Value value_of(agnocast::fuzz::Input& input, int depth)
{
  const auto kind = input.get<std::uint8_t>();
  const std::size_t count = kind / 8 % 8;
  switch (depth == 0 ? kind % 4 : kind % 6) {
    case 0:
      return {};
    case 1:
      return Value::of_boolean(kind >= 0x80);
    case 2:
      return Value::of_number(std::to_string(input.get<std::int32_t>()));
    case 3: {
      std::string text;
      for (std::size_t i = 0; i < 4 * count; ++i) text += input.get<char>();
      return Value::of_string(std::move(text));
    }
    case 4: {
      std::vector<Value> elements;
      for (std::size_t i = 0; i < count; ++i) elements.push_back(value_of(input, depth - 1));
      return Value::of_sequence(std::move(elements));
    }
    default: {
      std::vector<Value::Entry> entries;
      for (std::size_t i = 0; i < count; ++i) {
        std::string name = i % 2 == 0 ? "f" : std::to_string(input.get<std::int8_t>());
        entries.push_back({std::move(name), value_of(input, depth - 1)});
      }
      return Value::of_mapping(std::move(entries));
    }
  }
}

std::optional<agnocast::TypeDescription> description_of(agnocast::fuzz::Input& input)
{
  try {
    const std::vector<std::byte> encoded = agnocast::fuzz::made_up_type(input);
    return agnocast::TypeDescription::decode(encoded.data(), encoded.size());
  } catch (const agnocast::Error&) {
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  using namespace agnocast;
  fuzz::Input input(data, bytes);
  const auto description = description_of(input);
  constexpr std::uint64_t bytes_max = 1 << 20;
  if (!description || description->root().bytes > bytes_max) return 0;
  // Exactly as large as the object, so that a sanitizer sees every access beyond it.
  void* const object = ::operator new (description->root().bytes, std::align_val_t{64});
  try {
    construct(*description, object);
    bool is_destroyed = false;
    try {
      fill(*description, object, value_of(input, 4));
    } catch (const Error&) {
    } catch (const std::bad_alloc&) {
      is_destroyed = true;
    }
    if (!is_destroyed) destroy(*description, object);
  } catch (const Error&) {
  } catch (const std::bad_alloc&) {
  }
  ::operator delete (object, std::align_val_t{64});
  return 0;
}

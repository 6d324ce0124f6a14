// The message of a stress: all of it follows from its number, and its destructor leaves nothing of
// it, so that a message that changed or was freed is seen.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "stress/board.hpp"

namespace agnocast::stress {

struct Message
{
  std::uint64_t number = 0;
  std::vector<std::uint32_t> values;
  std::string text;

  // Volatile: the compiler would leave out what nobody may see.
  ~Message()
  {
    volatile std::uint32_t* words = values.data();
    for (std::size_t i = 0; i < values.size(); ++i) words[i] = 0xdddddddd;
    volatile char* letters = text.data();
    for (std::size_t i = 0; i < text.size(); ++i) letters[i] = '\xdd';
    *const_cast<volatile std::uint64_t*>(&number) = ~std::uint64_t{0};
  }
};

struct Lengths
{
  std::size_t values, text;
};
inline Lengths lengths_of(std::uint64_t number)
{
  Random random(number);
  const std::uint64_t big = random.chance(3) ? 8'000 : 120;
  return {random.below(big), random.below(big)};
}
inline std::uint32_t value_of(std::uint64_t number, std::size_t index)
{
  return static_cast<std::uint32_t>((number + 1) * 2'654'435'761u + index * 40'503u);
}
inline char letter_of(std::uint64_t number, std::size_t index)
{
  return static_cast<char>('a' + (number + index * 7) % 26);
}

inline void fill(Message& message, std::uint64_t number)
{
  const Lengths lengths = lengths_of(number);
  message.number = number;
  message.values.resize(lengths.values);
  for (std::size_t i = 0; i < lengths.values; ++i) message.values[i] = value_of(number, i);
  message.text.resize(lengths.text);
  for (std::size_t i = 0; i < lengths.text; ++i) message.text[i] = letter_of(number, i);
}

/// What is wrong with it; nullptr if nothing is.
inline const char* fault_of(const Message& message)
{
  const std::uint64_t number = message.number;
  const Lengths lengths = lengths_of(number);
  if (message.values.size() != lengths.values) return "its vector has another length";
  if (message.text.size() != lengths.text) return "its text has another length";
  for (std::size_t i = 0; i < lengths.values; ++i) {
    if (message.values[i] != value_of(number, i)) return "its vector has another value";
  }
  for (std::size_t i = 0; i < lengths.text; ++i) {
    if (message.text[i] != letter_of(number, i)) return "its text has another letter";
  }
  return nullptr;
}

}  // namespace agnocast::stress

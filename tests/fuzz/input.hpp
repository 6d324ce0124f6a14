// Takes values off the bytes that the fuzzer gives; zeros when they are used up.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace agnocast::fuzz {

class Input
{
 public:
  Input(const std::uint8_t* data, std::size_t bytes) : data_(data), left_(bytes) {}
  template <class T>
  T get()
  {
    T value{};
    const std::size_t n = left_ < sizeof value ? left_ : sizeof value;
    std::memcpy(&value, data_, n);
    data_ += n;
    left_ -= n;
    return value;
  }
  /// Up to the next newline, or the end.
  std::string line()
  {
    std::string text;
    while (left_ != 0) {
      const char c = static_cast<char>(*data_++);
      --left_;
      if (c == '\n') break;
      text += c;
    }
    return text;
  }
  [[nodiscard]] bool any() const { return left_ != 0; }
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

/// A finding: what must hold does not.
inline void must(bool condition, const char* what)
{
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace agnocast::fuzz

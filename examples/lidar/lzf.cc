// Decompression of LZF: literal runs, and references to bytes that were written before.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "lzf.hpp"

#include <algorithm>

namespace lidar {

const char* lzf_decompress(std::string_view input, std::vector<char>& output)
{
  std::size_t in = 0;
  std::size_t out = 0;
  const auto next_byte = [&] {
    return static_cast<std::size_t>(static_cast<unsigned char>(input[in++]));
  };

  while (in < input.size()) {
    const std::size_t control = next_byte();
    if (control < 32) {
      const std::size_t run = control + 1;
      if (run > input.size() - in) return "a literal run goes past the end of the compressed data";
      if (run > output.size() - out) return "it decompresses to more than it should";
      std::copy_n(input.data() + in, run, output.data() + out);
      in += run;
      out += run;
      continue;
    }
    std::size_t length = (control >> 5) + 2;
    if (length == 9) {
      if (in == input.size()) return "the compressed data end inside a reference";
      length += next_byte();
    }
    if (in == input.size()) return "the compressed data end inside a reference";
    const std::size_t distance = ((control & 31) << 8) + next_byte() + 1;
    if (distance > out) return "a reference goes to before the beginning";
    if (length > output.size() - out) return "it decompresses to more than it should";
    for (const std::size_t end = out + length; out < end; ++out) {  // the ranges may overlap
      output[out] = output[out - distance];
    }
  }
  return out == output.size() ? nullptr : "it decompresses to less than it should";
}

}  // namespace lidar

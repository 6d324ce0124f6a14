// Decompression of LZF, the compression of `DATA binary_compressed`.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace lidar {

/// No LZF stream of `compressed_bytes` decompresses to more than this: the best it can do is 264
/// bytes for 3.
[[nodiscard]] constexpr std::size_t lzf_bytes_max(std::size_t compressed_bytes) noexcept
{
  return (compressed_bytes / 3 + 1) * 264;
}

/// Decompresses into `output`, which must be filled to the last byte. Returns nullptr, or what is
/// wrong with the input. Reads and writes nothing beyond the two ranges, whatever the input is.
[[nodiscard]] const char* lzf_decompress(std::string_view input, std::vector<char>& output);

}  // namespace lidar

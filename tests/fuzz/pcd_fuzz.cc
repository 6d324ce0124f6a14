// PCD files of any content.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "input.hpp"
#include "pcd_reader.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  try {
    const lidar::Scan scan =
      lidar::parse_pcd({reinterpret_cast<const char*>(data), bytes}, "fuzzed");
    static_cast<void>(scan);
  } catch (const lidar::PcdError&) {
  }
  return 0;
}

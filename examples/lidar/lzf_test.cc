// LZF decompression: it undoes compression, and stays within its ranges on any input.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "lzf.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "pcd_test_files.hpp"

namespace lidar {
namespace {

TEST(Lzf, UndoesCompressionOfRepetitiveAndOfRandomData)
{
  std::mt19937 random(5);
  for (std::size_t round = 0; round < 400; ++round) {
    std::string data(random() % 5000, '\0');
    for (char& byte : data) byte = static_cast<char>(random() % (1 + round % 256));
    const std::string compressed = test::lzf_compress(data);
    std::vector<char> output(data.size());
    ASSERT_EQ(lzf_decompress(compressed, output), nullptr) << round;
    ASSERT_EQ(std::string(output.begin(), output.end()), data) << round;
    ASSERT_LE(data.size(), lzf_bytes_max(compressed.size())) << round;
  }
}

TEST(Lzf, SurvivesRandomInput)
{
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string input(random() % 200, '\0');
    for (char& byte : input) byte = static_cast<char>(random());
    std::vector<char> output(random() % 2000);
    static_cast<void>(lzf_decompress(input, output));
  }
}

}  // namespace
}  // namespace lidar

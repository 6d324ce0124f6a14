// The PCD reader: what it reads, and that it refuses everything else with a cause.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "pcd_reader.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <limits>
#include <random>
#include <string>

#include "pcd_test_files.hpp"

namespace lidar {
namespace {

using test::Column;
using test::file_of;
using test::header_of;
using test::simple_columns;

constexpr PcdEncoding encodings[] = {PcdEncoding::ascii, PcdEncoding::binary,
                                     PcdEncoding::binary_compressed};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// The message of the error that parsing ends with; empty if it succeeds.
std::string error_of(const std::string& file)
{
  try {
    static_cast<void>(parse_pcd(file, "scan.pcd"));
    return {};
  } catch (const PcdError& error) {
    return error.what();
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
  const std::size_t place = text.find(from);
  if (place == std::string::npos) throw std::logic_error("the test looks for " + from);
  return text.replace(place, from.size(), to);
}

#define EXPECT_REFUSED(file, cause)                                                   \
  do {                                                                                \
    const std::string message = error_of(file);                                       \
    EXPECT_EQ(message.rfind("scan.pcd: ", 0), 0U) << message;                         \
    EXPECT_NE(message.find(cause), std::string::npos) << "says instead: " << message; \
  } while (false)

TEST(PcdReader, ReadsBackWhatWasWrittenInEveryEncoding)
{
  const std::vector<Column> columns = simple_columns(1000);
  for (const PcdEncoding encoding : encodings) {
    const Scan scan = parse_pcd(file_of(columns, encoding), "scan.pcd");
    ASSERT_EQ(scan.size(), 1000U);
    for (std::size_t i = 0; i < scan.size(); ++i) {
      ASSERT_EQ(static_cast<double>(scan.x[i]), columns[0].values[i]);
      ASSERT_EQ(static_cast<double>(scan.y[i]), columns[1].values[i]);
      ASSERT_EQ(static_cast<double>(scan.z[i]), columns[2].values[i]);
    }
    EXPECT_TRUE(scan.intensity.empty());
    EXPECT_TRUE(scan.rgb.empty());
  }
}

TEST(PcdReader, ConvertsEveryTypeAndSizeToFloat)
{
  const std::pair<char, std::size_t> kinds[] = {{'F', 4}, {'F', 8}, {'I', 1}, {'I', 2}, {'I', 4},
                                                {'I', 8}, {'U', 1}, {'U', 2}, {'U', 4}, {'U', 8}};
  for (const PcdEncoding encoding : encodings) {
    for (const auto& [type, size_bytes] : kinds) {
      const double lowest = type == 'U' ? 3 : -100;
      const std::vector<Column> columns{{"x", type, size_bytes, {lowest, 1}},
                                        {"y", 'F', 4, {0, 0.5}},
                                        {"z", type, size_bytes, {7, 100}}};
      const Scan scan = parse_pcd(file_of(columns, encoding), "scan.pcd");
      ASSERT_EQ(scan.size(), 2U);
      EXPECT_EQ(static_cast<double>(scan.x[0]), lowest) << type << size_bytes;
      EXPECT_EQ(scan.z[1], 100.0F) << type << size_bytes;
    }
  }
}

TEST(PcdReader, SkipsFieldsThatItDoesNotKnowAlsoWithSeveralElements)
{
  const std::vector<Column> columns{{"normal", 'F', 8, {9, 9, 9, 8, 8, 8}, 3},
                                    {"z", 'F', 4, {1, 2}},
                                    {"ring", 'U', 2, {70, 71}},
                                    {"x", 'F', 4, {3, 4}},
                                    {"y", 'F', 4, {5, 6}}};
  for (const PcdEncoding encoding : encodings) {
    const Scan scan = parse_pcd(file_of(columns, encoding), "scan.pcd");
    EXPECT_EQ(scan.x, (std::vector<float>{3, 4}));
    EXPECT_EQ(scan.z, (std::vector<float>{1, 2}));
  }
}

TEST(PcdReader, ReadsIntensityAndColour)
{
  for (const PcdEncoding encoding : encodings) {
    std::vector<Column> columns = simple_columns(2);
    columns.push_back({"intensity", 'U', 1, {200, 17}});
    const auto packed = [](std::uint32_t bits) {
      return static_cast<double>(std::bit_cast<float>(bits));
    };
    columns.push_back({"rgb", 'F', 4, {packed(0x00'12'34'56), packed(0x00'65'43'21)}});
    const Scan scan = parse_pcd(file_of(columns, encoding), "scan.pcd");
    EXPECT_EQ(scan.intensity, (std::vector<float>{200, 17}));
    EXPECT_EQ(scan.rgb, (std::vector<std::uint32_t>{0x12'34'56, 0x65'43'21}));

    columns.back() = {"rgba", 'U', 4, {0xFF'12'34'56, 0xFF'65'43'21}};
    EXPECT_EQ(parse_pcd(file_of(columns, encoding), "scan.pcd").rgb, scan.rgb);
  }
}

TEST(PcdReader, LeavesOutPointsThatAreNotFinite)
{
  const std::vector<Column> columns{{"x", 'F', 8, {1, nan, 3, 4, 1e300}},
                                    {"y", 'F', 4, {1, 2, infinity, 4, 5}},
                                    {"z", 'F', 4, {1, 2, 3, 4, 5}},
                                    {"intensity", 'F', 4, {nan, 2, 3, 4, 5}}};
  for (const PcdEncoding encoding : encodings) {
    const Scan scan = parse_pcd(file_of(columns, encoding), "scan.pcd");
    EXPECT_EQ(scan.x, (std::vector<float>{1, 4}));
    EXPECT_EQ(scan.intensity, (std::vector<float>{0, 4}));
  }
}

TEST(PcdReader, ReadsHeadersOfOtherWriters)
{
  const std::string file = file_of(simple_columns(2), PcdEncoding::ascii);
  EXPECT_EQ(error_of(replaced(file, "COUNT 1 1 1\n", "")), "");
  EXPECT_EQ(error_of(replaced(file, "POINTS 2\n", "")), "");
  EXPECT_EQ(error_of(replaced(file, "WIDTH 2\nHEIGHT 1\n", "")), "");
  EXPECT_EQ(error_of(replaced(file, "FIELDS", "COLUMNS")), "");
  EXPECT_EQ(error_of(replaced(file, "DATA ascii\n", "DATA ascii\r\n")), "");
  EXPECT_EQ(error_of(replaced(file, "VERSION 0.7\n", "\n  \n# again\n")), "");
  EXPECT_EQ(
    parse_pcd("FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 1\nDATA ascii\n+1 -2.5e1 3", "").y,
    std::vector<float>{-25});
}

TEST(PcdReader, ReadsFilesWithoutPoints)
{
  for (const PcdEncoding encoding : encodings) {
    EXPECT_EQ(parse_pcd(file_of(simple_columns(0), encoding), "scan.pcd").size(), 0U);
  }
}

TEST(PcdReader, RefusesMalformedHeaders)
{
  const std::string file = file_of(simple_columns(2), PcdEncoding::ascii);
  EXPECT_REFUSED("", "no DATA");
  EXPECT_REFUSED("\x89PNG\r\n\x1a\n", "unknown keyword '?PNG'");
  EXPECT_REFUSED(std::string(1 << 20, '#'), "no DATA");
  EXPECT_REFUSED(file.substr(0, file.find("DATA")), "no DATA");
  EXPECT_REFUSED(replaced(file, "ascii", "zip"), "DATA is 'zip'");
  EXPECT_REFUSED(replaced(file, "FIELDS x", "FIELDS a"), "no field x");
  EXPECT_REFUSED(replaced(file, "FIELDS x y z\n", ""), "no FIELDS");
  EXPECT_REFUSED(replaced(file, "SIZE 4 4 4\n", ""), "no SIZE");
  EXPECT_REFUSED(replaced(file, "SIZE 4 4 4", "SIZE 4 4"), "SIZE has 2 values for 3 fields");
  EXPECT_REFUSED(replaced(file, "SIZE 4", "SIZE 3"), "SIZE '3'");
  EXPECT_REFUSED(replaced(file, "SIZE 4", "SIZE 2"), "TYPE 'F' and SIZE '2'");
  EXPECT_REFUSED(replaced(file, "TYPE F", "TYPE Q"), "TYPE 'Q'");
  EXPECT_REFUSED(replaced(file, "COUNT 1", "COUNT 0"), "COUNT 0");
  EXPECT_REFUSED(replaced(file, "COUNT 1", "COUNT 99999999"), "COUNT 99999999");
  EXPECT_REFUSED(replaced(file, "COUNT 1", "COUNT -1"), "'-1', which is not a number");
  EXPECT_REFUSED(replaced(file, "POINTS 2", "POINTS two"), "'two', which is not a number");
  EXPECT_REFUSED(replaced(file, "POINTS 2", "POINTS 2 2"), "more than one value");
  EXPECT_REFUSED(replaced(file, "POINTS 2", "POINTS"), "is empty");
  EXPECT_REFUSED(replaced(file, "POINTS 2", "POINTS 3"), "WIDTH times HEIGHT is 2");
  EXPECT_REFUSED(replaced(file, "POINTS 2", "POINTS 2\nPOINTS 2"), "two lines POINTS");
}

TEST(PcdReader, RefusesSizesThatTheFileCannotHaveWithoutTakingMemoryForThem)
{
  for (const PcdEncoding encoding : encodings) {
    const std::string file = replaced(file_of(simple_columns(2), encoding), "POINTS 2\n", "");
    const auto with = [&](const std::string& width, const std::string& height) {
      return replaced(replaced(file, "WIDTH 2", "WIDTH " + width), "HEIGHT 1", "HEIGHT " + height);
    };
    EXPECT_REFUSED(with("4294967296", "4294967296"), "WIDTH times HEIGHT is too large");
    EXPECT_REFUSED(with("4294967295", "4294967295"), "POINTS is too large");
    EXPECT_REFUSED(with("99999999999999999999", "1"), "not a number");
    EXPECT_NE(error_of(with("1000000000000", "1")), "");
    EXPECT_NE(error_of(with("3", "1")), "");
  }
}

TEST(PcdReader, RefusesTruncatedData)
{
  for (const PcdEncoding encoding : encodings) {
    const std::string header = header_of(simple_columns(30), encoding);
    const std::string file = file_of(simple_columns(30), encoding);
    const std::size_t padding = encoding == PcdEncoding::ascii ? 3 : 0;  // "-29 \n"
    for (std::size_t size = header.size(); size + padding < file.size(); ++size) {
      if (file[size - 1] == '-') continue;  // is not a number
      EXPECT_REFUSED(file.substr(0, size), "truncated");
    }
  }
}

TEST(PcdReader, RefusesAsciiThatIsNotNumbers)
{
  const std::string file = file_of(simple_columns(2), PcdEncoding::ascii);
  EXPECT_REFUSED(replaced(file, "0.5", "0,5"), "point 2 has a value that is not a number");
  EXPECT_REFUSED(replaced(file, "0.5", "half"), "point 2 has a value that is not a number");
}

TEST(PcdReader, RefusesDamagedCompressedData)
{
  const std::string header = header_of(simple_columns(2), PcdEncoding::binary_compressed);
  const auto with = [&](std::size_t uncompressed, const std::string& stream) {
    return header + test::bytes_of_u32(stream.size()) + test::bytes_of_u32(uncompressed) + stream;
  };
  const std::string literals = '\x17' + std::string(24, 'a');
  EXPECT_EQ(error_of(with(24, literals)), "");
  EXPECT_REFUSED(with(23, literals), "23 bytes, but the header says 24");
  EXPECT_REFUSED(with(24, literals + literals), "more than it should");
  EXPECT_REFUSED(with(24, std::string("\x01") + "ab"), "less than it should");
  EXPECT_REFUSED(with(24, std::string("\x1F") + "ab"), "goes past the end");
  EXPECT_REFUSED(with(24, std::string("\x00"
                                      "a\x20\x01",
                                      4)),
                 "before the beginning");
  EXPECT_REFUSED(with(24, std::string("\x00"
                                      "a\xE0\xFF\x00",
                                      5)),
                 "more than it should");
  EXPECT_REFUSED(with(24, std::string("\x00"
                                      "a\xE0",
                                      3)),
                 "inside a reference");
  EXPECT_REFUSED(with(24, std::string("\x00"
                                      "a\x20",
                                      3)),
                 "inside a reference");
  const std::string many =
    replaced(replaced(header, "WIDTH 2", "WIDTH 300000000"), "POINTS 2", "POINTS 300000000");
  EXPECT_REFUSED(many + test::bytes_of_u32(2) + test::bytes_of_u32(3'600'000'000) + "aa",
                 "cannot hold that many points");
}

TEST(PcdReader, NamesTheFileThatCannotBeRead)
{
  for (const char* file : {"/nonexistent/scan.pcd", "/dev/zero", "/"}) {
    try {
      static_cast<void>(read_pcd(file));
      ADD_FAILURE() << file << " was read";
    } catch (const PcdError& error) {
      EXPECT_EQ(std::string(error.what()).rfind(std::string(file) + ": ", 0), 0U) << error.what();
    }
  }
}

TEST(PcdReader, SurvivesFilesWithDamagedBytes)
{
  std::mt19937 random(20'240'601);
  for (int round = 0; round < 6000; ++round) {
    std::string file = file_of(simple_columns(20), encodings[round % 3]);
    for (auto damage = random() % 6; damage > 0; --damage) {
      const std::size_t place = random() % file.size();
      switch (random() % 3) {
        case 0:
          file[place] = static_cast<char>(random());
          break;
        case 1:
          file.erase(place, random() % 8);
          break;
        default:
          file.insert(place, 1, static_cast<char>('0' + random() % 10));
          break;
      }
    }
    static_cast<void>(error_of(file));
  }
}

TEST(PcdReader, ReadsTheScansOfThePointCloudLibrary)
{
  const std::filesystem::path folder = LIDAR_SCANS_FOLDER;
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no scans in " << folder;
  const std::pair<const char*, std::size_t> files[] = {{"room_scan1.pcd", 112'586},
                                                       {"room_scan2.pcd", 112'624},
                                                       {"region_growing_tutorial.pcd", 108'104}};
  for (const auto& [name, points] : files) {
    if (!std::filesystem::exists(folder / name)) continue;
    const Scan scan = read_pcd(folder / name);
    EXPECT_EQ(scan.size(), points) << name;
    EXPECT_EQ(scan.y.size(), points) << name;
    EXPECT_EQ(scan.z.size(), points) << name;
  }
}

}  // namespace
}  // namespace lidar

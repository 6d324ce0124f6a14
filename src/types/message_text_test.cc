// Messages as text.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/message_text.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "agnocast/error.hpp"
#include "types/test_messages.hpp"

namespace agnocast {
namespace {

template <class T>
MessageView view_of(const T& object)
{
  return {type_description<T>(), &object, MemoryRange::anywhere()};
}

struct Small
{
  test_message::Level level;
  std::string text;
  std::vector<test_message::Point> points;
  std::map<std::string, std::vector<std::optional<std::int32_t>>> channels;
  std::map<std::pair<std::int32_t, bool>, std::string> pairs;
  std::variant<double, std::string> either;
  std::vector<std::vector<std::uint8_t>> nested;
  std::vector<std::uint8_t> none;
  std::bitset<8> bits;
};

Small small()
{
  return {test_message::Level::high,
          "it's: a test",
          {{1, -0.5F, 1e20F}, {0, 0.1F, NAN}},
          {{"left", {3, std::nullopt}}, {"yes", {}}},
          {{{1, true}, "one"}},
          "other",
          {{1, 2}, {}, {3}},
          {},
          {}};
}

TEST(MessageText, IsYamlAsRos2PrintsIt)
{
  EXPECT_EQ(to_yaml(view_of(small())), R"(level: high
text: 'it''s: a test'
points:
- x: 1.0
  y: -0.5
  z: 1.0e+20
- x: 0.0
  y: 0.1
  z: .nan
channels:
  left:
  - 3
  - null
  'yes': []
pairs:
- key:
    first: 1
    second: true
  value: one
either: other
nested:
- - 1
  - 2
- []
- - 3
none: []
bits: '<opaque: std::bitset<8ul>, 8 bytes>'
)");
}

TEST(MessageText, IsJsonAndCsv)
{
  EXPECT_EQ(to_json(view_of(small())),
            R"({"level": "high", "text": "it's: a test", "points": [)"
            R"({"x": 1.0, "y": -0.5, "z": 1.0e+20}, {"x": 0.0, "y": 0.1, "z": null}], )"
            R"("channels": {"left": [3, null], "yes": []}, )"
            R"("pairs": [{"key": {"first": 1, "second": true}, "value": "one"}], )"
            R"("either": "other", "nested": [[1, 2], [], [3]], "none": [], )"
            R"("bits": "<opaque: std::bitset<8ul>, 8 bytes>"})");
  EXPECT_EQ(
    to_csv(view_of(small())),
    "high,it's: a test,1.0,-0.5,1.0e+20,0.0,0.1,.nan,left,3,null,yes,1,true,one,other,1,2,3,"
    "\"<opaque: std::bitset<8ul>, 8 bytes>\"");
}

TEST(MessageText, ShowsAPartAndCutsWhatIsLong)
{
  struct Message
  {
    std::vector<float> ranges = std::vector<float>(200);
    std::string text = std::string(200, 'x');
    std::map<std::string, std::int32_t> channels = {{"ring", 3}, {"x", 4}};
    double covariance[4] = {};
  };
  const Message message;
  const auto yaml = [&](const char* field, auto change) {
    TextOptions options;
    options.field = field;
    change(options);
    return to_yaml(view_of(message), options);
  };
  const auto plain = [](TextOptions&) {};
  EXPECT_EQ(yaml("channels[ring]", plain), "3\n");
  EXPECT_EQ(yaml("ranges[199]", plain), "0.0\n");
  EXPECT_EQ(yaml("text", plain), std::string(128, 'x') + "...\n");
  EXPECT_EQ(yaml("text", [](TextOptions& o) { o.full_length = true; }),
            std::string(200, 'x') + "\n");
  EXPECT_EQ(yaml("ranges", [](TextOptions& o) { o.truncate_length = 2; }),
            "- 0.0\n- 0.0\n- '...'\n");
  EXPECT_EQ(yaml("", [](TextOptions& o) { o.no_arr = o.no_str = true; }),
            "ranges: '<sequence type: float, length: 200>'\n"
            "text: '<string length: 200>'\n"
            "channels: '<map type: std::string to int, length: 2>'\n"
            "covariance: '<array type: double[4]>'\n");
  EXPECT_THROW(yaml("nothing", plain), Error);
}

TEST(MessageText, QuotesStringsThatYamlWouldTakeForSomethingElse)
{
  const auto yaml = [](const std::string& text) { return to_yaml(view_of(text)); };
  EXPECT_EQ(yaml(""), "''\n");
  EXPECT_EQ(yaml("a b"), "a b\n");
  for (const char* text : {"null", "True", "1",    "-1.5", "0x10", "1e5",  "2001-01-01", "12:30",
                           "~",    "- a",  "a: b", "a #b", "#",    " a",   "a ",         "[a",
                           "{",    "*a",   "!a",   "%",    "@",    ".nan", "on",         "a:"}) {
    EXPECT_EQ(yaml(text), "'" + std::string(text) + "'\n");
  }
  EXPECT_EQ(yaml("a\nb\t\"\\"), "\"a\\nb\\t\\\"\\\\\"\n");
  EXPECT_EQ(yaml("\xff\x01"), "\"\\xff\\x01\"\n");
  EXPECT_EQ(yaml("h\xc3\xa4"), "h\xc3\xa4\n");
  const std::string wrong = "\xc3(\xed\xa0\x80\"\n\x01";
  EXPECT_EQ(to_json(view_of(wrong)), "\"\\ufffd(\\ufffd\\ufffd\\ufffd\\\"\\n\\u0001\"");
}

TEST(MessageText, WritesNumbersAsPythonDoes)
{
  const auto yaml = [](auto number) { return to_yaml(view_of(number)); };
  EXPECT_EQ(yaml(100000.0), "100000.0\n");
  EXPECT_EQ(yaml(1e16), "1.0e+16\n");
  EXPECT_EQ(yaml(1.5e-5), "1.5e-05\n");
  EXPECT_EQ(yaml(0.0001), "0.0001\n");
  EXPECT_EQ(yaml(-0.0), "-0.0\n");
  EXPECT_EQ(yaml(1.0F / 3), "0.33333334\n");
  EXPECT_EQ(yaml(-HUGE_VAL), "-.inf\n");
  EXPECT_EQ(yaml(std::int64_t{-9223372036854775807 - 1}), "-9223372036854775808\n");
  EXPECT_EQ(yaml(static_cast<test_message::Level>(7)), "7\n");
  EXPECT_EQ(yaml('x'), "x\n");
  EXPECT_EQ(yaml(std::u16string(u"\xd800h\xdc00")), "\xef\xbf\xbdh\xef\xbf\xbd\n");
}

}  // namespace
}  // namespace agnocast

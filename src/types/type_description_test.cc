// Descriptions of C++ types: what they say, and what is refused as one.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/type_description.hpp"

#include <gtest/gtest.h>

#include <agnocast/describe.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "agnocast/error.hpp"

namespace sample {

enum class Color : std::uint8_t { red, green = 5 };
struct Point
{
  float x, y, z;
};
struct Tree
{
  std::string name;
  std::vector<Tree> children;
};
struct Everything
{
  bool flag;
  Color color;
  std::int64_t stamp;
  double matrix[2][3];
  std::string text;
  std::vector<Point> points;
  std::map<std::string, std::vector<std::optional<Point>>> channels;
  std::unordered_map<int, std::string> names;
  std::variant<int, std::string> either;
  std::unique_ptr<Point> owned;
  Tree tree;
};
class Closed
{
 public:
  Closed(int a, std::string b) : a_(a), b_(std::move(b)) {}

 private:
  friend struct agnocast::type_fields<Closed>;
  int a_;
  std::string b_;
};
class Hidden
{
 public:
  explicit Hidden(int a) : text_(static_cast<std::size_t>(a), ' ') {}

 private:
  std::string text_;
};

}  // namespace sample

AGNOCAST_FIELDS(sample::Closed, a_, b_);

namespace agnocast {
namespace {

const DescribedField& field(const TypeDescription& description, const std::string& name)
{
  for (const DescribedField& field : description.root().fields) {
    if (field.name == name) return field;
  }
  throw std::runtime_error("no field " + name);
}

TEST(TypeDescription, NamesTheFieldsOfAnAggregateWithTheirPlaces)
{
  const TypeDescription description = describe<sample::Everything>();
  const sample::Everything object{};
  const auto place = [&](const auto& part) {
    return static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(&part) -
                                      reinterpret_cast<const std::byte*>(&object));
  };
  EXPECT_EQ(description.name(), "sample::Everything");
  EXPECT_EQ(description.root().kind, TypeKind::structure);
  EXPECT_EQ(description.root().bytes, sizeof(sample::Everything));
  EXPECT_EQ(description.root().fields.size(), 11U);
  EXPECT_EQ(field(description, "stamp").value, place(object.stamp));
  EXPECT_EQ(field(description, "tree").value, place(object.tree));
  EXPECT_EQ(description.type(field(description, "channels").type).name,
            "std::map<std::string, std::vector<std::optional<sample::Point>>>");
  EXPECT_TRUE(description.is_complete());
}

TEST(TypeDescription, FindsFieldsBesideArraysAndPartsThatOnlyMove)
{
  struct Part
  {
    std::unique_ptr<int> number;
    std::string name;
  };
  struct Robot
  {
    std::string names[3];
    std::vector<Part> parts;
    std::array<Part, 2> pair;
    int counts[2];
    std::list<Part> spare;
  };
  const TypeDescription description = describe<Robot>();
  std::string names;
  for (const DescribedField& field : description.root().fields) names += field.name + " ";
  EXPECT_EQ(names, "names parts pair counts spare ");
  EXPECT_TRUE(description.is_complete());
}

TEST(TypeDescription, SaysTheSchemaInWords)
{
  EXPECT_EQ(describe<sample::Tree>().schema(),
            "struct sample::Tree (56 bytes)\n"
            "  0      std::string name\n"
            "  32     std::vector<sample::Tree> children\n");
  EXPECT_EQ(describe<sample::Color>().schema(),
            "enum sample::Color : unsigned char\n  red = 0\n  green = 5\n");
}

TEST(TypeDescription, TakesTheFieldsThatAMacroNames)
{
  const TypeDescription description = describe<sample::Closed>();
  ASSERT_EQ(description.root().fields.size(), 2U);
  EXPECT_EQ(description.root().fields[1].name, "b_");
  EXPECT_EQ(description.root().fields[1].value, 8U);
}

TEST(TypeDescription, SaysWhatItCannotSeeInto)
{
  EXPECT_EQ(describe<sample::Hidden>().root().kind, TypeKind::unknown);
  EXPECT_FALSE(describe<std::vector<sample::Hidden>>().is_complete());
}

TEST(TypeDescription, IsTheSameAfterEncodingAndDecoding)
{
  const TypeDescription description = describe<sample::Everything>();
  const std::vector<std::byte> bytes = description.encode();
  const TypeDescription again = TypeDescription::decode(bytes.data(), bytes.size());
  EXPECT_EQ(again.hash(), description.hash());
  EXPECT_EQ(again.schema(), description.schema());
  EXPECT_EQ(again.encode(), bytes);
}

TEST(TypeDescription, HasAHashThatTellsNamesAndPlacesApart)
{
  struct A
  {
    int x, y;
  };
  struct B
  {
    int y, x;
  };
  EXPECT_NE(describe<A>().hash(), describe<B>().hash());
  EXPECT_EQ(describe<A>().hash(), describe<A>().hash());
}

TEST(TypeDescription, RefusesEveryDamageOfItsBytes)
{
  const std::vector<std::byte> bytes = describe<sample::Everything>().encode();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::vector<std::byte> damaged = bytes;
      damaged[i] ^= static_cast<std::byte>(flip);
      try {
        const TypeDescription read = TypeDescription::decode(damaged.data(), damaged.size());
        // What is left are enumerators, padding and the offsets of texts that read the same.
        EXPECT_EQ(read.hash(), describe<sample::Everything>().hash());
      } catch (const Error&) {
      }
    }
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW((void)TypeDescription::decode(bytes.data(), length), Error);
  }
}

}  // namespace
}  // namespace agnocast

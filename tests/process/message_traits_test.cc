// Which types the compiler takes for a message and which it refuses. All of it is decided while
// this file is compiled.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <agnocast/message_traits.hpp>
#include <agnocast/message_type.hpp>
#include <any>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

using agnocast::is_message_v;

struct Virtual
{
  virtual void f() {}
  virtual ~Virtual() = default;
};
struct DerivedFromVirtual : Virtual
{
  int more = 0;
};
enum class Color : std::uint8_t { red };
struct Good
{
  int number;
  Color color;
  std::string name;
  std::vector<std::map<std::string, std::vector<double>>> maps;
  std::array<std::optional<std::string>, 4> array;
  std::variant<int, std::string> variant;
  double matrix[3][3];
  std::unique_ptr<std::string> owned;
};
struct Tree
{
  std::string name;
  std::vector<Tree> children;
};
struct ListNode
{
  int value;
  std::unique_ptr<ListNode> next;
};
class WithConstructor
{
 public:
  WithConstructor() : text_("x") {}

 private:
  std::string text_;
};
struct NestedGood
{
  Good good;
  std::vector<Good> more;
  std::map<int, Tree> trees;
};

static_assert(is_message_v<int> && is_message_v<double> && is_message_v<Color>);
static_assert(is_message_v<std::string> && is_message_v<std::vector<bool>>);
static_assert(is_message_v<std::deque<int>> && is_message_v<std::list<std::string>>);
static_assert(is_message_v<std::set<int>> && is_message_v<std::unordered_map<std::string, int>>);
static_assert(is_message_v<std::pair<int, std::string>> && is_message_v<std::tuple<int, double>>);
static_assert(is_message_v<Good> && is_message_v<NestedGood> && is_message_v<WithConstructor>);
static_assert(is_message_v<Tree> && is_message_v<ListNode> && is_message_v<std::vector<Tree>>);

// The outermost type.
static_assert(!is_message_v<void> && !is_message_v<int&> && !is_message_v<const int>);
static_assert(!is_message_v<int[3]> && !is_message_v<int()> && !is_message_v<void (*)()>);
static_assert(!is_message_v<int Good::*> && !is_message_v<volatile int>);
static_assert(!is_message_v<Virtual> && !is_message_v<DerivedFromVirtual>);
static_assert(!is_message_v<std::function<void()>> && !is_message_v<std::any>);
static_assert(!is_message_v<std::shared_ptr<int>> && !is_message_v<std::weak_ptr<int>>);
static_assert(!is_message_v<std::string_view> && !is_message_v<std::reference_wrapper<int>>);

// Behind each kind of bad part: alone, in containers, in arrays, in aggregates, deep inside.
template <class Part>
struct First
{
  Part part;
  int after;
};
template <class Part>
struct Last
{
  int before;
  std::string text;
  Part part;
};
template <class Part>
struct Array
{
  int before;
  Part parts[4];
};
template <class Part>
struct Deep
{
  std::string text;
  std::vector<std::map<int, Last<Part>>> nested;
};
template <class Part>
struct Recursive
{
  std::vector<Recursive> children;
  Part part;
};

template <class Part>
constexpr bool refused_everywhere =
  !is_message_v<std::vector<Part>> && !is_message_v<std::map<int, Part>> &&
  !is_message_v<std::unordered_map<std::string, Part>> && !is_message_v<std::list<Part>> &&
  !is_message_v<std::optional<Part>> && !is_message_v<std::variant<int, Part>> &&
  !is_message_v<std::array<Part, 2>> && !is_message_v<std::pair<int, Part>> &&
  !is_message_v<std::tuple<int, Part>> && !is_message_v<std::vector<std::vector<Part>>> &&
  !is_message_v<First<Part>> && !is_message_v<Last<Part>> && !is_message_v<Deep<Part>> &&
  !is_message_v<std::vector<Last<Part>>>;

static_assert(refused_everywhere<std::function<int(int)>>);
static_assert(refused_everywhere<std::shared_ptr<int>>);
static_assert(refused_everywhere<std::weak_ptr<int>>);
static_assert(refused_everywhere<std::string_view>);
static_assert(refused_everywhere<std::any>);
static_assert(refused_everywhere<Virtual>);
static_assert(refused_everywhere<void (*)(int)>);

static_assert(!is_message_v<Array<std::string_view>>);
static_assert(!is_message_v<Array<std::shared_ptr<int>>>);
static_assert(!is_message_v<Array<std::function<void()>>>);
static_assert(!is_message_v<Array<Virtual>>);
static_assert(!is_message_v<Recursive<std::string_view>>);
static_assert(!is_message_v<Recursive<std::function<void()>>>);
static_assert(is_message_v<Array<std::string>> && is_message_v<Recursive<std::string>>);

struct Reference
{
  int before;
  int& reference;
};
struct ConstReference
{
  int before;
  const std::string& reference;
};
struct HoldsReference
{
  int before;
  Reference inner;
};
struct NotDefaultConstructible
{
  explicit NotDefaultConstructible(int) {}
};
struct BehindNotDefaultConstructible
{
  int before;
  NotDefaultConstructible between;
  std::string_view view;
};

// A base class of an aggregate is a part of it.
struct Base
{
  std::string_view view;
};
struct Derived : Base
{
  int more;
};
static_assert(!is_message_v<Derived>);

// The author may say it, either way.
class Pointing
{
 public:
  explicit Pointing(int* at) : at_(at) {}
  [[nodiscard]] int* at() const { return at_; }

 private:
  int* at_;
};
struct HarmlessView
{
  std::string_view view;
};

}  // namespace

template <>
struct agnocast::message_part<Pointing> : std::false_type
{
};
template <>
struct agnocast::message_part<HarmlessView> : std::true_type
{
};

namespace {

static_assert(!is_message_v<Pointing> && !is_message_v<std::vector<Pointing>>);
static_assert(is_message_v<HarmlessView> && is_message_v<std::vector<HarmlessView>>);

TEST(MessageTraits, AReferenceIsRefusedWhereverItStands)
{
  EXPECT_FALSE(is_message_v<Reference>);
  EXPECT_FALSE(is_message_v<ConstReference>);
  EXPECT_FALSE(is_message_v<HoldsReference>);
  EXPECT_FALSE(is_message_v<std::vector<Reference>>);
}

TEST(MessageTraits, APartIsRefusedBehindOneThatHasNoDefault)
{
  EXPECT_FALSE(is_message_v<BehindNotDefaultConstructible>);
}

TEST(MessageTraits, ATypeIsNamedTheSameByEveryCompiler)
{
  EXPECT_EQ(agnocast::type_identity<std::vector<int>>().name, "St6vectorIiSaIiEE");
  EXPECT_EQ(agnocast::type_identity<double>().size, sizeof(double));
  EXPECT_EQ(agnocast::type_identity<double>().alignment, alignof(double));
}

}  // namespace

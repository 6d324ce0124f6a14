// For tests: a message type with each container, and values of it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/describe.hpp>
#include <array>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace test_message {

enum class Level : std::int8_t { low = -1, middle, high };

struct Point
{
  float x, y, z;
  bool operator==(const Point&) const = default;
};

struct Tree
{
  std::string name;
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};

struct Everything
{
  bool flag = false;
  Level level = Level::low;
  char letter = 0;
  std::uint64_t large = 0;
  double number = 0;
  std::int16_t matrix[2][3] = {};
  std::array<std::string, 2> names;
  std::string text;
  std::u16string wide;
  std::vector<Point> points;
  std::vector<bool> bits;
  std::deque<Point> queue;
  std::deque<std::string> lines;
  std::list<std::int32_t> list;
  std::forward_list<std::string> forward;
  std::map<std::string, std::vector<std::optional<Point>>> channels;
  std::multimap<Level, std::int32_t> levels;
  std::set<std::uint8_t> set;
  std::unordered_map<std::int32_t, std::string> by_number;
  std::unordered_map<std::string, double> by_name;
  std::unordered_multimap<std::string, std::int32_t> many;
  std::unordered_set<Level> seen;
  std::optional<std::string> maybe;
  std::variant<std::int32_t, std::string, std::vector<Point>> either;
  std::unique_ptr<Point> owned;
  std::pair<std::int32_t, std::string> pair;
  std::tuple<std::uint8_t, std::string> tuple;
  Tree tree;
};

/// Equal in what they hold, also behind a unique_ptr.
bool operator==(const Everything& a, const Everything& b);

inline bool operator==(const Everything& a, const Everything& b)
{
  const auto rest = [](const Everything& e) {
    return std::tie(e.flag, e.level, e.letter, e.large, e.number, e.names, e.text, e.wide, e.points,
                    e.bits, e.queue, e.lines, e.list, e.forward, e.channels, e.levels, e.set,
                    e.by_number, e.by_name, e.many, e.seen, e.maybe, e.either, e.pair, e.tuple,
                    e.tree);
  };
  for (int i = 0; i < 6; ++i) {
    if (a.matrix[i / 3][i % 3] != b.matrix[i / 3][i % 3]) return false;
  }
  return rest(a) == rest(b) && (a.owned == nullptr) == (b.owned == nullptr) &&
         (a.owned == nullptr || *a.owned == *b.owned);
}

/// With so many elements in each container; text is sometimes short, sometimes long.
inline void give_values(Everything& e, int count)
{
  const auto text = [](int i) {
    return std::string(static_cast<std::size_t>(i) * 7 % 40, 'a') + std::to_string(i);
  };
  const auto point = [](int i) {
    return Point{static_cast<float>(i), 0.5F, -static_cast<float>(i)};
  };
  e.flag = true;
  e.level = Level::high;
  e.letter = 'x';
  e.large = ~std::uint64_t{0};
  e.number = 0.1;
  e.matrix[1][2] = -7;
  e.names = {text(1), text(5)};
  e.text = text(count);
  e.wide = u"h\u00e4\U0001f600";
  for (int i = 0; i < count; ++i) {
    e.points.push_back(point(i));
    e.bits.push_back(i % 3 == 0);
    e.queue.push_back(point(i));
    e.lines.push_back(text(i));
    e.list.push_back(i * i);
    e.forward.push_front(text(i));
    e.channels[text(i)] = {point(i), std::nullopt};
    e.levels.emplace(i % 2 == 0 ? Level::low : Level::high, i);
    e.set.insert(static_cast<std::uint8_t>(i));
    e.by_number[i * 17] = text(i);
    e.by_name[text(i)] = i / 4.0;
    e.many.emplace(text(i % 5), i);
    e.tree.children.push_back({text(i), {{"leaf", {}}}});
  }
  if (count > 3) e.queue.pop_front();
  e.seen = {Level::low, Level::middle};
  if (count > 0) e.maybe = text(count);
  if (count % 3 == 1) e.either = text(count);
  if (count % 3 == 2) e.either = std::vector<Point>{point(1)};
  if (count > 0) e.owned = std::make_unique<Point>(point(9));
  e.pair = {3, text(3)};
  e.tuple = {4, text(4)};
  e.tree.name = "root";
}

}  // namespace test_message

// Objects made by description alone, then used and destroyed as their C++ types.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "agnocast/message_value.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <new>

#include "agnocast/error.hpp"
#include "agnocast/message_text.hpp"
#include "agnocast/message_view.hpp"
#include "types/test_messages.hpp"
#include "types/text_output.hpp"

namespace agnocast {
namespace {

using internal::TextOutput;
using test_message::Everything;

/// What a message says, as a value to fill another one with.
class ToValue : public TextOutput
{
 public:
  void begin_object(bool) override { open(Value::of_mapping({})); }
  void key(std::string_view name) override { key_ = name; }
  void end_object() override { close(); }
  void begin_array(bool) override { open(Value::of_sequence({})); }
  void item() override {}
  void end_array() override { close(); }
  void word(std::string_view text) override
  {
    if (text == "null") return put({});
    if (text == "true" || text == "false") return put(Value::of_boolean(text == "true"));
    put(Value::of_number(std::string(text)));
  }
  void string(std::string_view text) override { put(Value::of_string(std::string(text))); }
  Value value;

 private:
  void open(Value empty)
  {
    keys_.push_back(key_);
    open_.push_back(std::move(empty));
  }
  void close()
  {
    Value closed = std::move(open_.back());
    open_.pop_back();
    key_ = keys_.back();
    keys_.pop_back();
    put(std::move(closed));
  }
  void put(Value part)
  {
    if (open_.empty()) {
      value = std::move(part);
    } else if (open_.back().kind == Value::Kind::mapping) {
      open_.back().entries.push_back({key_, std::move(part)});
    } else {
      open_.back().elements.push_back(std::move(part));
    }
  }

  std::string key_;
  std::vector<std::string> keys_;
  std::vector<Value> open_;
};

template <class T>
MessageView view_of(const T& object)
{
  return {type_description<T>(), &object, MemoryRange::anywhere()};
}

template <class T>
Value value_of(const T& object)
{
  ToValue output;
  TextOptions options;
  options.full_length = true;
  internal::write_text(view_of(object), options, output);
  return output.value;
}

/// An object that was constructed by its description; its C++ destructor ends it.
template <class T>
class Made
{
 public:
  Made() { construct(type_description<T>(), bytes_); }
  ~Made() { object().~T(); }
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  T& object() { return *std::launder(reinterpret_cast<T*>(bytes_)); }
  void fill(const Value& value) { agnocast::fill(type_description<T>(), bytes_, value); }

 private:
  alignas(T) std::byte bytes_[sizeof(T)];
};

template <class T>
void expect_round_trip(const T& object)
{
  Made<T> made;
  made.fill(value_of(object));
  EXPECT_TRUE(made.object() == object)
    << to_yaml(view_of(object)) << to_yaml(view_of(made.object()));
  EXPECT_EQ(verify(view_of(made.object())), std::nullopt);
}

TEST(MessageValue, ConstructsWhatTheTypeConstructs)
{
  Made<Everything> made;
  const Everything usual;
  made.object().level = test_message::Level::low;
  EXPECT_TRUE(made.object() == usual);
  EXPECT_EQ(verify(view_of(made.object())), std::nullopt);
  test_message::give_values(made.object(), 20);
  EXPECT_EQ(verify(view_of(made.object())), std::nullopt);
}

TEST(MessageValue, GivesTheTypeWhatItWouldHaveFilledItself)
{
  for (const int count : {0, 1, 2, 3, 13, 14, 64, 65, 200}) {
    Everything usual;
    test_message::give_values(usual, count);
    expect_round_trip(usual);
  }
}

TEST(MessageValue, MakesObjectsThatTheTypeGoesOnWith)
{
  Everything usual;
  test_message::give_values(usual, 40);
  Made<Everything> made;
  made.fill(value_of(usual));
  Everything& e = made.object();
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(e.by_number.count(i * 17), 1U);
    EXPECT_EQ(e.by_name.at(usual.lines[static_cast<std::size_t>(i)]), i / 4.0);
    EXPECT_EQ(e.channels.count(usual.lines[static_cast<std::size_t>(i)]), 1U);
    EXPECT_EQ(e.set.count(static_cast<std::uint8_t>(i)), 1U);
  }
  EXPECT_EQ(e.many.count("0"), usual.many.count("0"));
  for (int i = 0; i < 500; ++i) {
    e.by_number[i] = "more";
    e.by_name[std::to_string(i)] = i;
    e.channels[std::to_string(i)];
    e.set.insert(static_cast<std::uint8_t>(i));
    e.many.emplace("0", i);
    e.queue.push_front({});
    e.queue.push_back({});
    e.lines.push_front("more");
    e.list.push_front(i);
    e.text += "more";
    e.bits.push_back(true);
  }
  e.by_number.erase(17);
  e.many.erase("1");
  e.channels.erase("0");
  e.list.sort();
  EXPECT_EQ(verify(view_of(e)), std::nullopt);
  EXPECT_EQ(e.channels.begin()->first, "1");
  made.fill(value_of(usual));
  EXPECT_TRUE(e == usual);
}

TEST(MessageValue, DestroysWhatTheTypeFilled)
{
  alignas(Everything) std::byte bytes[sizeof(Everything)];
  auto* const e = new (bytes) Everything();
  test_message::give_values(*e, 100);
  destroy(type_description<Everything>(), bytes);
}

template <class Key>
void expect_keys(std::initializer_list<Key> keys)
{
  std::map<Key, int> map;
  std::multimap<Key, int> multimap;
  std::unordered_map<Key, int> hash_map;
  std::unordered_multimap<Key, int> hash_multimap;
  std::set<Key, std::less<>> set;
  for (const Key& key : keys) {
    map[key] = 1;
    multimap.emplace(key, 1);
    multimap.emplace(key, 2);
    hash_map[key] = 1;
    hash_multimap.emplace(key, 1);
    hash_multimap.emplace(key, 2);
    set.insert(key);
  }
  expect_round_trip(map);
  expect_round_trip(multimap);
  expect_round_trip(hash_map);
  expect_round_trip(hash_multimap);
  expect_round_trip(set);
}

TEST(MessageValue, KnowsOrderAndHashOfKeys)
{
  expect_keys<bool>({true, false});
  expect_keys<char>({'a', 'z', '-'});
  expect_keys<std::int8_t>({-128, 0, 127});
  expect_keys<std::uint16_t>({0, 65535, 3});
  expect_keys<std::int64_t>({std::numeric_limits<std::int64_t>::min(), -1, 5});
  expect_keys<std::uint64_t>({std::numeric_limits<std::uint64_t>::max(), 0});
  expect_keys<float>({-1.5F, 0, 0.1F});
  expect_keys<double>({-1e300, 0.1, 3});
  expect_keys<std::string>({"", "b", "a string that is too long to be local"});
  expect_keys<std::u16string>({u"", u"\u00e4"});
  expect_keys<std::wstring>({L"", L"b\u00e4"});
  expect_keys<test_message::Level>({test_message::Level::low, test_message::Level::high});
}

TEST(MessageValue, NamesThePartThatDoesNotFit)
{
  using V = Value;
  const auto wrong = [](const std::string& path, auto object, const Value& value) {
    Made<decltype(object)> made;
    try {
      made.fill(value);
      ADD_FAILURE() << "took " << path;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).substr(0, path.size()), path);
    }
  };
  struct Inner
  {
    std::int8_t small;
    std::string text;
  };
  struct Outer
  {
    std::vector<Inner> list;
    std::map<std::string, Inner> map;
    int pair[2];
  };
  const auto list = [](Value v) {
    return V::of_mapping({{"list", V::of_sequence({V::of_mapping({}), std::move(v)})}});
  };
  wrong("list[1].small: '128' is out of range", Outer{},
        list(V::of_mapping({{"small", V::of_number("128")}})));
  wrong("list[1].small: '1.5' is not an integer", Outer{},
        list(V::of_mapping({{"small", V::of_number("1.5")}})));
  wrong("list[1].text: std::string takes a string, not a number", Outer{},
        list(V::of_mapping({{"text", V::of_number("1")}})));
  wrong("list[1]: ", Outer{}, list(V::of_mapping({{"txet", V::of_string("")}})));
  wrong("map[a].small: ", Outer{},
        V::of_mapping({{"map", V::of_mapping({{"a", V::of_mapping({{"small", {}}})}})}}));
  wrong("pair: ", Outer{}, V::of_mapping({{"pair", V::of_sequence({})}}));
  wrong("the message", std::map<std::string, int, std::greater<>>{}, V::of_mapping({}));
  wrong("the message a key is there more than once", std::set<int>{},
        V::of_sequence({V::of_number("1"), V::of_number("1")}));
  wrong("the message no alternative", std::variant<int, std::string>{}, V::of_boolean(true));
}

TEST(MessageValue, KeepsTheBoundsOfNumbers)
{
  const auto takes = [](auto number, const char* text) {
    Made<decltype(number)> made;
    try {
      made.fill(Value::of_number(text));
      return made.object() == number;
    } catch (const Error&) {
      return false;
    }
  };
  EXPECT_TRUE(takes(std::int8_t{-128}, "-128"));
  EXPECT_FALSE(takes(std::int8_t{}, "-129"));
  EXPECT_TRUE(takes(std::uint64_t{18446744073709551615U}, "18446744073709551615"));
  EXPECT_FALSE(takes(std::uint64_t{}, "18446744073709551616"));
  EXPECT_FALSE(takes(std::uint64_t{}, "-1"));
  EXPECT_TRUE(takes(std::uint8_t{255}, "0xff"));
  EXPECT_FALSE(takes(std::uint8_t{}, "0x100"));
  EXPECT_FALSE(takes(std::uint8_t{}, "f"));
  EXPECT_FALSE(takes(std::uint8_t{}, ""));
  EXPECT_TRUE(takes(0.1F, "0.1"));
  EXPECT_TRUE(takes(-1e300, "-1e300"));
  EXPECT_FALSE(takes(0.0F, "1e300"));
  EXPECT_TRUE(takes(-std::numeric_limits<double>::infinity(), "-.inf"));
  EXPECT_FALSE(takes(0.0, "--1"));
}

}  // namespace
}  // namespace agnocast

// The enumerators of an enumeration, as far as the compiler names them.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace agnocast::internal {

struct Enumerator
{
  std::string_view name;
  std::int64_t value;
};

/// Values outside of these are not looked for.
inline constexpr std::int64_t enumerator_min = -16;
inline constexpr std::int64_t enumerator_max = 127;

template <auto value>
consteval std::string_view spelled_value() noexcept
{
  return __PRETTY_FUNCTION__;
}

/// "... value = Color::red; ..." by GCC, "... value = Color::red]" by Clang; a value without a name
/// is written as a cast of a number, "(Color)7".
template <auto value>
consteval std::string_view enumerator_name() noexcept
{
  const std::string_view all = spelled_value<value>();
  const std::size_t from = all.find("value = ") + 8;
  const std::size_t to = all.find_first_of(";]", from);
  std::string_view name = all.substr(from, to - from);
  if (name.find('(') == 0 && name.find("::") == std::string_view::npos) return {};
  const std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos) name.remove_prefix(colon + 1);
  const bool is_name = !name.empty() && (name[0] < '0' || name[0] > '9') && name[0] != '-' &&
                       name.find(')') == std::string_view::npos;
  return is_name ? name : std::string_view{};
}

template <class Enum>
std::vector<Enumerator> enumerators()
{
  using Underlying = std::underlying_type_t<Enum>;
  std::vector<Enumerator> found;
  if constexpr (!std::is_same_v<Underlying, bool>) {
    constexpr std::int64_t first = std::is_signed_v<Underlying> ? enumerator_min : 0;
    const auto add = [&](std::string_view name, std::int64_t value) {
      if (!name.empty()) found.push_back({name, value});
    };
    [&]<std::size_t... Index>(std::index_sequence<Index...>)
    {
      (add(enumerator_name<static_cast<Enum>(first + static_cast<std::int64_t>(Index))>(),
           first + static_cast<std::int64_t>(Index)),
       ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(enumerator_max - first + 1)>{});
  }
  return found;
}

}  // namespace agnocast::internal

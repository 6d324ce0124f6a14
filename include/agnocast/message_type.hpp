// What a publisher or a subscription says of its message type.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <typeinfo>

#include "agnocast/describe.hpp"
#include "agnocast/type_description.hpp"

namespace agnocast {

/// What publisher and subscription of a topic must agree on: the name and, by its hash, the whole
/// description.
struct TypeIdentity
{
  std::string_view name;  ///< as mangled by the Itanium C++ ABI, so GCC and Clang agree
  std::uint64_t size;
  std::uint64_t alignment;
  const TypeDescription* description;  ///< kept for good; never nullptr
};

/// Describes T when it is first asked for.
template <class T>
TypeIdentity type_identity()
{
  return {typeid(T).name(), sizeof(T), alignof(T), &type_description<T>()};
}

}  // namespace agnocast

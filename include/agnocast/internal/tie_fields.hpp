// The fields of an aggregate as a tuple of references: a structured binding for each number of
// them, since before C++26 a binding cannot introduce a pack.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace agnocast::internal {

#define AGNOCAST_F8 f0, f1, f2, f3, f4, f5, f6, f7
#define AGNOCAST_F16 AGNOCAST_F8, f8, f9, f10, f11, f12, f13, f14, f15
#define AGNOCAST_F24 AGNOCAST_F16, f16, f17, f18, f19, f20, f21, f22, f23
#define AGNOCAST_F32 AGNOCAST_F24, f24, f25, f26, f27, f28, f29, f30, f31
#define AGNOCAST_F40 AGNOCAST_F32, f32, f33, f34, f35, f36, f37, f38, f39
#define AGNOCAST_F48 AGNOCAST_F40, f40, f41, f42, f43, f44, f45, f46, f47
#define AGNOCAST_F56 AGNOCAST_F48, f48, f49, f50, f51, f52, f53, f54, f55

#define AGNOCAST_TIE(count, ...)                                                             \
  template <class T>                                                                         \
  constexpr auto tie_so_many(T& object, std::integral_constant<std::size_t, count>) noexcept \
  {                                                                                          \
    auto& [__VA_ARGS__] = object;                                                            \
    return std::tie(__VA_ARGS__);                                                            \
  }
template <class T>
constexpr auto tie_so_many(T&, std::integral_constant<std::size_t, 0>) noexcept
{
  return std::tuple<>();
}
AGNOCAST_TIE(1, f0)
AGNOCAST_TIE(2, f0, f1)
AGNOCAST_TIE(3, f0, f1, f2)
AGNOCAST_TIE(4, f0, f1, f2, f3)
AGNOCAST_TIE(5, f0, f1, f2, f3, f4)
AGNOCAST_TIE(6, f0, f1, f2, f3, f4, f5)
AGNOCAST_TIE(7, f0, f1, f2, f3, f4, f5, f6)
AGNOCAST_TIE(8, AGNOCAST_F8)
AGNOCAST_TIE(9, AGNOCAST_F8, f8)
AGNOCAST_TIE(10, AGNOCAST_F8, f8, f9)
AGNOCAST_TIE(11, AGNOCAST_F8, f8, f9, f10)
AGNOCAST_TIE(12, AGNOCAST_F8, f8, f9, f10, f11)
AGNOCAST_TIE(13, AGNOCAST_F8, f8, f9, f10, f11, f12)
AGNOCAST_TIE(14, AGNOCAST_F8, f8, f9, f10, f11, f12, f13)
AGNOCAST_TIE(15, AGNOCAST_F8, f8, f9, f10, f11, f12, f13, f14)
AGNOCAST_TIE(16, AGNOCAST_F16)
AGNOCAST_TIE(17, AGNOCAST_F16, f16)
AGNOCAST_TIE(18, AGNOCAST_F16, f16, f17)
AGNOCAST_TIE(19, AGNOCAST_F16, f16, f17, f18)
AGNOCAST_TIE(20, AGNOCAST_F16, f16, f17, f18, f19)
AGNOCAST_TIE(21, AGNOCAST_F16, f16, f17, f18, f19, f20)
AGNOCAST_TIE(22, AGNOCAST_F16, f16, f17, f18, f19, f20, f21)
AGNOCAST_TIE(23, AGNOCAST_F16, f16, f17, f18, f19, f20, f21, f22)
AGNOCAST_TIE(24, AGNOCAST_F24)
AGNOCAST_TIE(25, AGNOCAST_F24, f24)
AGNOCAST_TIE(26, AGNOCAST_F24, f24, f25)
AGNOCAST_TIE(27, AGNOCAST_F24, f24, f25, f26)
AGNOCAST_TIE(28, AGNOCAST_F24, f24, f25, f26, f27)
AGNOCAST_TIE(29, AGNOCAST_F24, f24, f25, f26, f27, f28)
AGNOCAST_TIE(30, AGNOCAST_F24, f24, f25, f26, f27, f28, f29)
AGNOCAST_TIE(31, AGNOCAST_F24, f24, f25, f26, f27, f28, f29, f30)
AGNOCAST_TIE(32, AGNOCAST_F32)
AGNOCAST_TIE(33, AGNOCAST_F32, f32)
AGNOCAST_TIE(34, AGNOCAST_F32, f32, f33)
AGNOCAST_TIE(35, AGNOCAST_F32, f32, f33, f34)
AGNOCAST_TIE(36, AGNOCAST_F32, f32, f33, f34, f35)
AGNOCAST_TIE(37, AGNOCAST_F32, f32, f33, f34, f35, f36)
AGNOCAST_TIE(38, AGNOCAST_F32, f32, f33, f34, f35, f36, f37)
AGNOCAST_TIE(39, AGNOCAST_F32, f32, f33, f34, f35, f36, f37, f38)
AGNOCAST_TIE(40, AGNOCAST_F40)
AGNOCAST_TIE(41, AGNOCAST_F40, f40)
AGNOCAST_TIE(42, AGNOCAST_F40, f40, f41)
AGNOCAST_TIE(43, AGNOCAST_F40, f40, f41, f42)
AGNOCAST_TIE(44, AGNOCAST_F40, f40, f41, f42, f43)
AGNOCAST_TIE(45, AGNOCAST_F40, f40, f41, f42, f43, f44)
AGNOCAST_TIE(46, AGNOCAST_F40, f40, f41, f42, f43, f44, f45)
AGNOCAST_TIE(47, AGNOCAST_F40, f40, f41, f42, f43, f44, f45, f46)
AGNOCAST_TIE(48, AGNOCAST_F48)
AGNOCAST_TIE(49, AGNOCAST_F48, f48)
AGNOCAST_TIE(50, AGNOCAST_F48, f48, f49)
AGNOCAST_TIE(51, AGNOCAST_F48, f48, f49, f50)
AGNOCAST_TIE(52, AGNOCAST_F48, f48, f49, f50, f51)
AGNOCAST_TIE(53, AGNOCAST_F48, f48, f49, f50, f51, f52)
AGNOCAST_TIE(54, AGNOCAST_F48, f48, f49, f50, f51, f52, f53)
AGNOCAST_TIE(55, AGNOCAST_F48, f48, f49, f50, f51, f52, f53, f54)
AGNOCAST_TIE(56, AGNOCAST_F56)
AGNOCAST_TIE(57, AGNOCAST_F56, f56)
AGNOCAST_TIE(58, AGNOCAST_F56, f56, f57)
AGNOCAST_TIE(59, AGNOCAST_F56, f56, f57, f58)
AGNOCAST_TIE(60, AGNOCAST_F56, f56, f57, f58, f59)
AGNOCAST_TIE(61, AGNOCAST_F56, f56, f57, f58, f59, f60)
AGNOCAST_TIE(62, AGNOCAST_F56, f56, f57, f58, f59, f60, f61)
AGNOCAST_TIE(63, AGNOCAST_F56, f56, f57, f58, f59, f60, f61, f62)
#undef AGNOCAST_TIE
#undef AGNOCAST_F8
#undef AGNOCAST_F16
#undef AGNOCAST_F24
#undef AGNOCAST_F32
#undef AGNOCAST_F40
#undef AGNOCAST_F48
#undef AGNOCAST_F56

/// A tuple of references to the fields, of which there are `Count`.
template <class T, std::size_t Count>
constexpr auto tie_fields(T& object) noexcept
{
  return tie_so_many(object, std::integral_constant<std::size_t, Count>());
}

}  // namespace agnocast::internal

// What a function gives back when the world may have failed it: a value, or a failure in words.
// A small subset of std::expected, which GCC 12 and Clang 14 do not have in C++20.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.hpp"

namespace agnocast::internal {

/// Decides which exception a failure becomes at the public edge.
enum class FailureKind { setting, resource, registry, type_mismatch, usage, broken_peer };

struct Failure
{
  FailureKind kind = FailureKind::resource;
  std::string text;  ///< cause, object and remedy
};

template <class T>
class [[nodiscard]] Result
{
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Failure failure) : state_(std::move(failure)) {}

  explicit operator bool() const noexcept { return std::holds_alternative<T>(state_); }
  T& value()
  {
    AGNOCAST_CHECK(std::holds_alternative<T>(state_));
    return *std::get_if<T>(&state_);
  }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }
  Failure& failure()
  {
    AGNOCAST_CHECK(std::holds_alternative<Failure>(state_));
    return *std::get_if<Failure>(&state_);
  }

 private:
  std::variant<T, Failure> state_;
};

struct Nothing
{
};
using Status = Result<Nothing>;

}  // namespace agnocast::internal

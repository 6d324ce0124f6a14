// A reference to something that can be called; does not allocate and must not outlive it.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace agnocast::internal {

template <class Signature>
class FunctionRef;

template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)>
{
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& function)
  noexcept  // NOLINT: implicit, as a parameter
    : object_(const_cast<void*>(static_cast<const void*>(std::addressof(function)))),
      call_([](void* object, Arguments... arguments) -> Result {
        return (*static_cast<std::remove_reference_t<F>*>(object))(
          std::forward<Arguments>(arguments)...);
      })
  {
  }
  Result operator()(Arguments... arguments) const
  {
    return call_(object_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace agnocast::internal

// Failures of the inner rooms become exceptions here, at the public edge.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agnocast/error.hpp"
#include "base/result.hpp"

namespace agnocast::internal {

[[noreturn]] inline void raise(const Failure& failure)
{
  switch (failure.kind) {
    case FailureKind::setting:
      throw SettingError(failure.text);
    case FailureKind::registry:
      throw RegistryError(failure.text);
    case FailureKind::type_mismatch:
      throw TypeMismatchError(failure.text);
    case FailureKind::usage:
      throw UsageError(failure.text);
    case FailureKind::resource:
    case FailureKind::broken_peer:
      break;
  }
  throw ResourceError(failure.text);
}

template <class T>
T value_or_raise(Result<T> result)
{
  if (!result) raise(result.failure());
  return std::move(result.value());
}

}  // namespace agnocast::internal

// Loans: messages that are being filled.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agnocast/publisher.hpp"
#include "topic/publisher_core.hpp"

namespace agnocast::internal {

/// Behind an ipc_shared_ptr to a loan.
/// Invariant: window is non-null exactly while the loan is open; then the window counts it.
struct alignas(64) LoanHandle : Handle  // one cache line: a publish that finds it cold waits once
{
  std::shared_ptr<PublisherCore> publisher;
  void* message = nullptr;  ///< nullptr once published
  LoanHandle* next_free = nullptr;
};

}  // namespace agnocast::internal

// Where the calling thread's allocations go: to the shared heap while it has a loan or a
// SharedHeapScope open, to the process's own malloc otherwise, and always for the library's own
// work.
//
// Read inside malloc and before main: nothing here allocates, throws or is constructed.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "agnocast/export.hpp"
#include "agnocast/ipc_shared_ptr.hpp"

namespace agnocast::internal {

/// What one thread has open.
/// Invariants: 1. A window is a thread's until the thread ends and no loan refers to it.
/// 2. Only the thread itself changes private_scopes; any thread changes counts, since a loan that
///    moves takes its window along.
struct alignas(64) ThreadWindow
{
  /// In the low half of `counts`; the high half counts the references: the thread's own, and one
  /// for each open loan. Together, so that a loan opens and closes with one atomic operation each.
  static constexpr std::int64_t one_open = 1;
  static constexpr std::int64_t one_reference = std::int64_t{1} << 32;
  /// In the low half of `private_scopes`: PrivateHeapScopes of the user. In the high half:
  /// LibraryWork.
  static constexpr std::int64_t one_scope = 1;
  static constexpr std::int64_t one_work = std::int64_t{1} << 32;

  std::atomic<std::int64_t> counts{0};
  std::int64_t private_scopes = 0;  ///< while it is not 0, what is open does not count
  ThreadWindow* next_free = nullptr;

  static constexpr std::int64_t references_in(std::int64_t counts) noexcept { return counts >> 32; }
  [[nodiscard]] bool is_open() const noexcept
  {
    return static_cast<std::int32_t>(counts.load(std::memory_order_relaxed)) > 0 &&
           private_scopes == 0;
  }
};

/// The window of every thread that has none of its own yet. No loan opens it; under
/// AGNOCAST_HEAP=all it is open, as every other.
AGNOCAST_PUBLIC extern ThreadWindow idle_window;

/// LibraryWork of a thread that has only the idle window, which all such threads share.
AGNOCAST_PUBLIC extern __thread std::int64_t idle_work __attribute__((tls_model("initial-exec")));

[[nodiscard]] inline bool routes_to_shared_heap() noexcept
{
  const ThreadWindow* const window = this_thread_window;
  return window->is_open() && (window != &idle_window || idle_work == 0);
}

/// While it stands, what the calling thread allocates is the library's own, and never in the shared
/// heap, whatever the user has open. Costs two additions to a line of the thread's own. Code of the
/// user is called under UserWork.
class LibraryWork
{
 public:
  LibraryWork() noexcept : window_(this_thread_window) { scopes() += ThreadWindow::one_work; }
  ~LibraryWork() { scopes() -= ThreadWindow::one_work; }
  LibraryWork(const LibraryWork&) = delete;
  LibraryWork& operator=(const LibraryWork&) = delete;

 private:
  [[nodiscard]] std::int64_t& scopes() const noexcept
  {
    return window_ != &idle_window ? window_->private_scopes : idle_work;
  }
  ThreadWindow* const window_;
};

/// Code of the user that the library calls: it finds the window as it was when the library was
/// entered.
class UserWork
{
 public:
  UserWork() noexcept
    : window_(this_thread_window),
      suspended_(scopes() / ThreadWindow::one_work * ThreadWindow::one_work)
  {
    if (suspended_ != 0) scopes() -= suspended_;
  }
  ~UserWork()
  {
    if (suspended_ != 0) scopes() += suspended_;
  }
  UserWork(const UserWork&) = delete;
  UserWork& operator=(const UserWork&) = delete;

 private:
  [[nodiscard]] std::int64_t& scopes() const noexcept
  {
    return window_ != &idle_window ? window_->private_scopes : idle_work;
  }
  ThreadWindow* const window_;
  const std::int64_t suspended_;
};

}  // namespace agnocast::internal

// The smart pointer to a message in shared memory: a loan that is being filled, or a received one.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "agnocast/export.hpp"
#include "agnocast/message_info.hpp"

namespace agnocast {

template <class T>
class Publisher;
template <class T>
class Subscription;

namespace internal {

class PublisherCore;
class SubscriptionCore;
struct ThreadWindow;

/// What all copies of one ipc_shared_ptr share; lives in the process's private memory.
/// Invariants: 1. references is the number of ipc_shared_ptr objects that point here; of a loan 1.
/// 2. window is non-null exactly while the message is an open loan; it is then the window of the
///    thread whose allocations go to the shared heap on behalf of this loan.
struct Handle
{
  enum class Kind : std::uint8_t { loan, received };
  std::atomic<std::uint32_t> references{0};
  Kind kind = Kind::received;
  std::atomic<ThreadWindow*> window{nullptr};
};
/// The kind that stands behind a received message.
struct InformedHandle : Handle
{
  MessageInfo info;
};

AGNOCAST_PUBLIC void release_handle(Handle* handle) noexcept;
/// Moves the loan's window to the calling thread. Throws UsageError if it is being published.
AGNOCAST_PUBLIC void claim_loan(Handle* handle);
/// The window of the calling thread; a shared, always closed one until its first loan.
AGNOCAST_PUBLIC extern __thread ThreadWindow* this_thread_window
  __attribute__((tls_model("initial-exec")));

struct PointerAccess;

}  // namespace internal

/// Ownership of a message that lies in shared memory: of one's own or shared, as T says.
///
/// `ipc_shared_ptr<T>` is a loan from Publisher<T>::borrow_loaned_message(): fill it, then move it
/// into publish(), or drop it. It can be moved and not copied. While it is open, what the thread
/// allocates goes to the shared heap; a loan that is moved to another thread takes that along at
/// its first dereference there.
/// `ipc_shared_ptr<const T>` is a received message and can be copied: it stays valid and unchanged
/// for as long as a copy of the pointer exists, also when the subscription, the node or the
/// publisher's process is gone.
///
/// Thread safety: as std::shared_ptr. Different objects may be used by different threads; a loan's
/// content is one thread's at a time. Cost: copying is one atomic increment in private memory;
/// dereferencing a loan compares a thread-local pointer; dropping the last copy of a received
/// message is one store to shared memory and no system call.
template <class T>
class ipc_shared_ptr
{
 public:
  using element_type = T;

  constexpr ipc_shared_ptr() noexcept = default;
  constexpr ipc_shared_ptr(std::nullptr_t) noexcept {}
  ipc_shared_ptr(const ipc_shared_ptr& other) noexcept requires std::is_const_v<T>
    : ipc_shared_ptr(other.ptr_, other.handle_)
  {
  }
  /// A loan has one owner, so that nobody looks at it once it is published: move it.
  ipc_shared_ptr(const ipc_shared_ptr&) requires(!std::is_const_v<T>) = delete;
  ipc_shared_ptr(ipc_shared_ptr&& other) noexcept
    : ptr_(std::exchange(other.ptr_, nullptr)), handle_(std::exchange(other.handle_, nullptr))
  {
  }
  ipc_shared_ptr& operator=(ipc_shared_ptr other) noexcept
  {
    swap(other);
    return *this;
  }
  ~ipc_shared_ptr() { reset(); }

  void swap(ipc_shared_ptr& other) noexcept
  {
    std::swap(ptr_, other.ptr_);
    std::swap(handle_, other.handle_);
  }

  void reset() noexcept
  {
    if (handle_ != nullptr) internal::release_handle(std::exchange(handle_, nullptr));
    ptr_ = nullptr;
  }

  /// Dereferencing an empty pointer is undefined, as with std::shared_ptr. The first time on
  /// another thread, dereferencing a loan takes it along, and throws what joining the domain
  /// throws.
  T& operator*() const { return *get(); }
  T* operator->() const { return get(); }
  T* get() const
  {
    if constexpr (!std::is_const_v<T>) {
      if (handle_ != nullptr &&
          handle_->window.load(std::memory_order_relaxed) != internal::this_thread_window) {
        internal::claim_loan(handle_);
      }
    }
    return ptr_;
  }

  explicit operator bool() const noexcept { return ptr_ != nullptr; }
  [[nodiscard]] std::uint32_t use_count() const noexcept
  {
    return handle_ == nullptr ? 0 : handle_->references.load(std::memory_order_relaxed);
  }
  /// Sequence, publish time and publisher of a received message; zeros for a loan.
  [[nodiscard]] MessageInfo info() const noexcept
  {
    return handle_ == nullptr || handle_->kind == internal::Handle::Kind::loan
             ? MessageInfo{}
             : static_cast<const internal::InformedHandle*>(handle_)->info;
  }

  friend bool operator==(const ipc_shared_ptr& a, const ipc_shared_ptr& b) noexcept
  {
    return a.ptr_ == b.ptr_;
  }
  friend bool operator==(const ipc_shared_ptr& a, std::nullptr_t) noexcept
  {
    return a.ptr_ == nullptr;
  }

 private:
  template <class>
  friend class ipc_shared_ptr;
  friend struct internal::PointerAccess;

  ipc_shared_ptr(T* ptr, internal::Handle* handle) noexcept : ptr_(ptr), handle_(handle)
  {
    if (handle_ != nullptr) handle_->references.fetch_add(1, std::memory_order_relaxed);
  }

  T* ptr_ = nullptr;
  internal::Handle* handle_ = nullptr;
};

namespace internal {

/// How publishers and subscriptions make and look into pointers.
struct PointerAccess
{
  /// Takes over the one reference that the handle was made with.
  template <class T>
  static ipc_shared_ptr<T> adopt(T* ptr, Handle* handle) noexcept
  {
    ipc_shared_ptr<T> pointer;
    pointer.ptr_ = ptr;
    pointer.handle_ = handle;
    return pointer;
  }
  template <class T>
  static Handle* handle(const ipc_shared_ptr<T>& pointer) noexcept
  {
    return pointer.handle_;
  }
  template <class T>
  static T* address(const ipc_shared_ptr<T>& pointer) noexcept
  {
    return pointer.ptr_;
  }
};

}  // namespace internal
}  // namespace agnocast

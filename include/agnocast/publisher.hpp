// The publishing end of a topic.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "agnocast/export.hpp"
#include "agnocast/internal/audit.hpp"
#include "agnocast/ipc_shared_ptr.hpp"
#include "agnocast/message_traits.hpp"
#include "agnocast/message_type.hpp"
#include "agnocast/qos.hpp"

namespace agnocast {

class Node;

enum class PublishStatus : std::uint8_t {
  published,
  timed_out,  ///< keep_all: a reliable subscription had not taken the oldest message in time
  refused,    ///< a part of the message lies in private memory and may or can not be moved
};

namespace internal {

class NodeCore;

struct LoanRequest
{
  Handle* handle;
  void* address;
};
/// Throws ResourceError if the shared heap is exhausted, UsageError after a fork.
AGNOCAST_PUBLIC LoanRequest open_loan(PublisherCore& publisher);
AGNOCAST_PUBLIC void abandon_unconstructed_loan(Handle* handle) noexcept;
/// How a publisher audits its messages.
struct AuditRules
{
  AuditMessage audit;  ///< nullptr if nothing in the type can point anywhere
  Audit mode;
};
/// What the audit of one message found.
struct AuditFindings
{
  std::uint64_t moved = 0;
  std::uint64_t bytes = 0;  ///< that containers own
  std::string path;  ///< of the first part that was moved or refused; empty if there was none
};
PublishStatus publish_loan(PublisherCore& publisher, Handle* handle, const AuditRules& rules,
                           AuditFindings& findings);

/// What the library does with a message whose type it does not know.
struct MessageFunctions
{
  void (*destroy)(void* message, const void* context);
  const void* destroy_context;  ///< lives for good
  AuditMessage audit;           ///< nullptr if nothing in the type can point anywhere
  bool needs_hook;
};

}  // namespace internal

/// What does not depend on the message type. Thread-safe.
class AGNOCAST_PUBLIC PublisherBase
{
 public:
  PublisherBase(const PublisherBase&) = delete;
  PublisherBase& operator=(const PublisherBase&) = delete;
  /// Leaves the topic. Messages that a connected subscription has not read yet, or holds, stay
  /// readable to it; they are freed when it is done with them.
  virtual ~PublisherBase();

  /// The full name, with the namespace applied.
  [[nodiscard]] std::string topic_name() const;
  [[nodiscard]] QoS qos() const noexcept;
  /// Unique in the domain; equal to MessageInfo::publisher_id of what it publishes.
  [[nodiscard]] std::uint64_t id() const noexcept;
  /// Subscriptions of the topic that are registered now, in any process. Reads shared memory only.
  [[nodiscard]] std::size_t subscription_count() const;
  /// Messages that are published and not freed yet: those that are retained or held, and at most 16
  /// that wait for the next loan or the control thread to reclaim them.
  [[nodiscard]] std::size_t retained_count() const;
  /// Parts of messages that publish() found in private memory and moved into the shared heap.
  [[nodiscard]] std::uint64_t moved_count() const noexcept;
  /// Frees what no subscription needs any more, now instead of at the next loan: every volatile
  /// message that all connected subscriptions have read and none holds. Returns how many. The
  /// library does the same on a thread of its own for a publisher that pauses, within a second.
  /// Destructors run in the calling thread.
  std::size_t reclaim();

 protected:
  PublisherBase(Node& node, std::string_view topic, const TypeIdentity& type,
                const internal::MessageFunctions& functions, const QoS& qos,
                const PublisherOptions& options);

  PublishStatus publish_handle(internal::Handle* handle);

  std::shared_ptr<internal::PublisherCore> core_;

 private:
  void say_what_audit_found(const internal::AuditFindings& findings, PublishStatus status) noexcept;

  const internal::AuditRules audit_;
  std::atomic<bool> audit_said_{false};
};

/// Publishes messages of type T without copying them.
///
/// Thread safety: all functions may be called from any thread. Cost of publish(): independent of
/// the size of the message and, while no subscriber sleeps, free of system calls and allocations;
/// it looks at one shared record for each subscription. What it retires is reclaimed by the next
/// borrow_loaned_message(), which runs the destructors, or by a thread of the library. It takes a
/// lock that only other publishes on the same object contend for.
template <class T>
class Publisher : public PublisherBase
{
  static_assert(is_message_v<T>,
                "T cannot be a message: it has virtual functions, references, std::function, "
                "std::shared_ptr, std::string_view or another part that is bound to one process");

 public:
  using SharedPtr = std::shared_ptr<Publisher<T>>;

  Publisher(Node& node, std::string_view topic, const QoS& qos,
            const PublisherOptions& options = {})
    : PublisherBase(node, topic, type_identity<T>(),
                    {&destroy, nullptr, internal::audit_of<T>(), !std::is_trivially_copyable_v<T>},
                    qos, options)
  {
  }

  /// A value-initialized T in shared memory, to be filled and published. Until then, the calling
  /// thread's allocations go to the shared heap. Any number of loans may be open at once. Throws
  /// ResourceError if the heap cannot grow, and what T's constructor throws.
  [[nodiscard]] ipc_shared_ptr<T> borrow_loaned_message()
  {
    const internal::LoanRequest loan = internal::open_loan(*core_);
    T* message = nullptr;
    try {
      message = ::new (loan.address) T();
    } catch (...) {
      internal::abandon_unconstructed_loan(loan.handle);
      throw;
    }
    return internal::PointerAccess::adopt(message, loan.handle);
  }

  /// Hands the message to every subscription and empties `message`; on timed_out (keep_all only)
  /// and refused nothing is published and `message` is kept. First looks whether all of the message
  /// lies in the shared heap (PublisherOptions::audit); moving a part there takes an allocation and
  /// a copy of its elements, or their move. Throws UsageError if `message` is empty, was published
  /// before, or is a loan of another publisher, and ResourceError if the shared heap has no room
  /// for what must be moved; it stays as it was then.
  PublishStatus publish(ipc_shared_ptr<T>&& message)
  {
    const PublishStatus status = publish_handle(internal::PointerAccess::handle(message));
    if (status == PublishStatus::published) message.reset();
    return status;
  }

 private:
  static void destroy(void* message, const void*) { static_cast<T*>(message)->~T(); }
};

}  // namespace agnocast

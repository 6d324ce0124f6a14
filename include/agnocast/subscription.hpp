// The receiving end of a topic.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "agnocast/export.hpp"
#include "agnocast/ipc_shared_ptr.hpp"
#include "agnocast/message_traits.hpp"
#include "agnocast/message_type.hpp"
#include "agnocast/qos.hpp"

namespace agnocast {

class Node;
class WaitSet;

namespace internal {

class NodeCore;

struct TakenMessage
{
  const void* address = nullptr;
  Handle* handle = nullptr;
};
/// A callback with the message type erased; it owns the one reference of what it is given.
using ErasedCallback = std::function<void(TakenMessage)>;

}  // namespace internal

/// What does not depend on the message type. Thread-safe.
class AGNOCAST_PUBLIC SubscriptionBase : public std::enable_shared_from_this<SubscriptionBase>
{
 public:
  SubscriptionBase(const SubscriptionBase&) = delete;
  SubscriptionBase& operator=(const SubscriptionBase&) = delete;
  /// Leaves the topic. Messages taken from it stay valid for as long as they are held. When this
  /// returns, the callback neither runs nor will run, and is destroyed: the destructor waits for a
  /// call that another thread is in. Not if it is called from inside of the callback, nor if that
  /// other thread waits, in the destructor of a subscription, for a callback of this thread to
  /// return. So hold no lock here that the callback takes.
  virtual ~SubscriptionBase();

  [[nodiscard]] std::string topic_name() const;
  [[nodiscard]] QoS qos() const noexcept;
  /// Publishers that this subscription reads from now.
  [[nodiscard]] std::size_t publisher_count() const;
  /// Messages that were published for this subscription and gone before it took them.
  [[nodiscard]] std::uint64_t lost_count() const noexcept;
  /// Messages that are held now.
  [[nodiscard]] std::size_t held_count() const noexcept;
  /// Messages that SubscriptionOptions::verify kept away.
  [[nodiscard]] std::uint64_t rejected_count() const noexcept;
  /// True if take() would give a message: there is one, and a hold is free. No system call unless
  /// publishers came or went.
  [[nodiscard]] bool has_message() const;

 protected:
  SubscriptionBase(Node& node, std::string_view topic, const TypeIdentity& type, const QoS& qos,
                   const SubscriptionOptions& options, internal::ErasedCallback callback);

  internal::TakenMessage take_erased(bool newest);

  std::shared_ptr<internal::SubscriptionCore> core_;
  std::weak_ptr<internal::NodeCore> node_;  ///< that runs the callback, if there is one
  friend class WaitSet;
};

/// Receives the messages of a topic in place.
///
/// Thread safety: all functions may be called from any thread. Cost of take(): one store to shared
/// memory, no system call, no allocation; it takes a lock that only other takes on the same object
/// contend for.
template <class T>
class Subscription : public SubscriptionBase
{
  static_assert(is_message_v<T>,
                "T cannot be a message: it has virtual functions, references, std::function, "
                "std::shared_ptr, std::string_view or another part that is bound to one process");

 public:
  using SharedPtr = std::shared_ptr<Subscription<T>>;
  using MessagePtr = ipc_shared_ptr<const T>;

  Subscription(Node& node, std::string_view topic, const QoS& qos,
               const SubscriptionOptions& options = {})
    : SubscriptionBase(node, topic, type_identity<T>(), qos, options, nullptr)
  {
  }

  /// With a callback, which spin() calls. It may take const ipc_shared_ptr<const T>&,
  /// ipc_shared_ptr<const T> or std::shared_ptr<const T>, and after it const MessageInfo&.
  template <class Callback>
  requires(!std::is_convertible_v<Callback, SubscriptionOptions>)
    Subscription(Node& node, std::string_view topic, const QoS& qos, Callback&& callback,
                 const SubscriptionOptions& options = {})
    : SubscriptionBase(node, topic, type_identity<T>(), qos, options,
                       erase(std::forward<Callback>(callback)))
  {
  }

  /// The next unread message, oldest first over all publishers by publish time; empty if there is
  /// none. Throws UsageError if hold_limit messages are held already; the message stays unread.
  [[nodiscard]] MessagePtr take() { return as_pointer(take_erased(false)); }

  /// The newest message, skipping older unread ones (they do not count as lost); empty if nothing
  /// was published since the last take. Throws as take().
  [[nodiscard]] MessagePtr take_latest() { return as_pointer(take_erased(true)); }

 private:
  static MessagePtr as_pointer(internal::TakenMessage taken) noexcept
  {
    return internal::PointerAccess::adopt(static_cast<const T*>(taken.address), taken.handle);
  }

  template <class Callback>
  static internal::ErasedCallback erase(Callback&& callback)
  {
    using F = std::decay_t<Callback>;
    // std::shared_ptr is looked at first: a generic lambda takes any of the three, and the
    // ipc_shared_ptr is what it should get.
    if constexpr (std::is_invocable_v<F&, MessagePtr, const MessageInfo&>) {
      return [f = F(std::forward<Callback>(callback))](internal::TakenMessage taken) mutable {
        MessagePtr message = as_pointer(taken);
        const MessageInfo info = message.info();
        f(std::move(message), info);
      };
    } else if constexpr (std::is_invocable_v<F&, MessagePtr>) {
      return [f = F(std::forward<Callback>(callback))](internal::TakenMessage taken) mutable {
        f(as_pointer(taken));
      };
    } else if constexpr (std::is_invocable_v<F&, std::shared_ptr<const T>, const MessageInfo&>) {
      return [f = F(std::forward<Callback>(callback))](internal::TakenMessage taken) mutable {
        const MessagePtr message = as_pointer(taken);
        f(as_standard(message), message.info());
      };
    } else {
      static_assert(std::is_invocable_v<F&, std::shared_ptr<const T>>,
                    "the callback must take const agnocast::ipc_shared_ptr<const T>&, "
                    "agnocast::ipc_shared_ptr<const T> or std::shared_ptr<const T>, optionally "
                    "followed by const agnocast::MessageInfo&");
      return [f = F(std::forward<Callback>(callback))](internal::TakenMessage taken) mutable {
        f(as_standard(as_pointer(taken)));
      };
    }
  }

  static std::shared_ptr<const T> as_standard(MessagePtr message)
  {
    const T* address = message.get();
    return std::shared_ptr<const T>(address, [held = std::move(message)](const T*) {});
  }
};

}  // namespace agnocast

// Messages of types that this program was not compiled with: read and written by their description.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "agnocast/export.hpp"
#include "agnocast/ipc_shared_ptr.hpp"
#include "agnocast/message_info.hpp"
#include "agnocast/message_value.hpp"
#include "agnocast/message_view.hpp"
#include "agnocast/publisher.hpp"
#include "agnocast/qos.hpp"
#include "agnocast/subscription.hpp"
#include "agnocast/type_description.hpp"

namespace agnocast {

class Node;

/// What messages of the topic look like, by the first publisher or subscription of it whose
/// description can be read; nothing if the topic has none. Joins the domain. Costs a few system
/// calls and a copy of the description.
AGNOCAST_PUBLIC std::optional<TypeDescription> find_description(std::string_view topic);

/// A received message; holds it as an ipc_shared_ptr does.
class GenericMessage
{
 public:
  GenericMessage() = default;
  GenericMessage(ipc_shared_ptr<const std::byte> message, const TypeDescription& description,
                 MemoryRange allowed)
    : message_(std::move(message)), description_(&description), allowed_(allowed)
  {
  }
  explicit operator bool() const noexcept { return static_cast<bool>(message_); }
  [[nodiscard]] MessageInfo info() const noexcept { return message_.info(); }
  /// For walk(), select(), to_yaml() and the like. Valid as long as this object and the
  /// subscription exist.
  [[nodiscard]] MessageView view() const noexcept
  {
    return {*description_, message_.get(), allowed_};
  }

 private:
  ipc_shared_ptr<const std::byte> message_;
  const TypeDescription* description_ = nullptr;
  MemoryRange allowed_;
};

/// A subscription to a topic of any type. Thread-safe as Subscription<T>, and it costs publishers
/// the same.
class AGNOCAST_PUBLIC GenericSubscription : public SubscriptionBase
{
 public:
  /// `description` is most often that of find_description(). Throws as Node::create_subscription().
  GenericSubscription(Node& node, std::string_view topic, const TypeDescription& description,
                      const QoS& qos, const SubscriptionOptions& options = {});

  /// As Subscription<T>::take() and take_latest().
  [[nodiscard]] GenericMessage take();
  [[nodiscard]] GenericMessage take_latest();
  [[nodiscard]] const TypeDescription& description() const noexcept { return *description_; }

 private:
  GenericMessage as_message(internal::TakenMessage taken);

  const TypeDescription* description_;  ///< kept for good
};

/// Publishes messages of any type that can be filled by its description. Thread-safe.
class AGNOCAST_PUBLIC GenericPublisher : public PublisherBase
{
 public:
  /// Throws Error if messages of that type cannot be made, and as Node::create_publisher().
  GenericPublisher(Node& node, std::string_view topic, const TypeDescription& description,
                   const QoS& qos, const PublisherOptions& options = {});

  /// Publishes a message with these values; what is not named is zero or empty. Throws Error, with
  /// the path, if a value does not fit, and ResourceError if the shared heap has no room.
  PublishStatus publish(const Value& value);
  [[nodiscard]] const TypeDescription& description() const noexcept { return *description_; }

 private:
  const TypeDescription* description_;  ///< kept for good
};

}  // namespace agnocast

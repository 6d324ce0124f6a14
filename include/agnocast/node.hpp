// Nodes: named groups of publishers and subscriptions.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "agnocast/export.hpp"
#include "agnocast/publisher.hpp"
#include "agnocast/subscription.hpp"

namespace agnocast {

/// A named part of the application. Thread-safe.
///
/// Names follow the ROS 2 rules: a node name has letters, digits and underscores and begins with
/// no digit; a namespace is empty, "/" or a path of such names; a topic is relative ("points"),
/// absolute ("/lidar/points") or private ("~/points", below the node's own name).
class AGNOCAST_PUBLIC Node
{
 public:
  using SharedPtr = std::shared_ptr<Node>;

  /// Throws NameError. Does not touch the system: the process joins the domain with its first
  /// publisher or subscription.
  explicit Node(std::string_view name, std::string_view namespace_ = "");
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string namespace_name() const;
  /// Namespace and name, such as "/robot/driver".
  [[nodiscard]] std::string fully_qualified_name() const;

  /// Throws NameError, SettingError, TypeMismatchError, ResourceError or RegistryError.
  /// Cost: a handful of system calls under the registry's lock, and a mapping for each process
  /// that subscribes.
  template <class T>
  std::shared_ptr<Publisher<T>> create_publisher(std::string_view topic, const QoS& qos,
                                                 const PublisherOptions& options = {})
  {
    const PrivateHeapScope in_private;  // a loan may be open
    return std::make_shared<Publisher<T>>(*this, topic, qos, options);
  }
  template <class T>
  std::shared_ptr<Publisher<T>> create_publisher(std::string_view topic, std::size_t depth,
                                                 const PublisherOptions& options = {})
  {
    return create_publisher<T>(topic, QoS(depth), options);
  }

  /// A subscription that is read with take(). Throws and costs as create_publisher().
  template <class T>
  std::shared_ptr<Subscription<T>> create_subscription(std::string_view topic, const QoS& qos,
                                                       const SubscriptionOptions& options = {})
  {
    const PrivateHeapScope in_private;
    return std::make_shared<Subscription<T>>(*this, topic, qos, options);
  }
  template <class T>
  std::shared_ptr<Subscription<T>> create_subscription(std::string_view topic, std::size_t depth,
                                                       const SubscriptionOptions& options = {})
  {
    return create_subscription<T>(topic, QoS(depth), options);
  }

  /// A subscription whose callback runs in the thread that spins this node.
  template <class T, class Callback>
  requires(!std::is_convertible_v<Callback, SubscriptionOptions>)
    std::shared_ptr<Subscription<T>> create_subscription(std::string_view topic, const QoS& qos,
                                                         Callback&& callback,
                                                         const SubscriptionOptions& options = {})
  {
    const PrivateHeapScope in_private;
    return std::make_shared<Subscription<T>>(*this, topic, qos, std::forward<Callback>(callback),
                                             options);
  }
  template <class T, class Callback>
  requires(!std::is_convertible_v<Callback, SubscriptionOptions>)
    std::shared_ptr<Subscription<T>> create_subscription(std::string_view topic, std::size_t depth,
                                                         Callback&& callback,
                                                         const SubscriptionOptions& options = {})
  {
    return create_subscription<T>(topic, QoS(depth), std::forward<Callback>(callback), options);
  }

  /// For the library's own parts.
  [[nodiscard]] const std::shared_ptr<internal::NodeCore>& core() const noexcept { return core_; }

 private:
  std::shared_ptr<internal::NodeCore> core_;
};

template <class T>
std::shared_ptr<Publisher<T>> create_publisher(const std::shared_ptr<Node>& node,
                                               std::string_view topic, const QoS& qos,
                                               const PublisherOptions& options = {})
{
  return node->create_publisher<T>(topic, qos, options);
}

template <class T, class... Rest>
std::shared_ptr<Subscription<T>> create_subscription(const std::shared_ptr<Node>& node,
                                                     std::string_view topic, const QoS& qos,
                                                     Rest&&... rest)
{
  return node->create_subscription<T>(topic, qos, std::forward<Rest>(rest)...);
}

}  // namespace agnocast

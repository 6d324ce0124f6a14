// The exceptions of the public interface.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include "agnocast/export.hpp"

namespace agnocast {

/// Base of every exception that the library throws. `what()` names the cause, the object and the
/// remedy. Thrown when something is created or a loan is asked for; publishing and taking on
/// healthy objects do not throw.
class AGNOCAST_PUBLIC Error : public std::runtime_error
{
 public:
  using std::runtime_error::runtime_error;
};

/// A node, namespace or topic name breaks the ROS 2 rules.
class AGNOCAST_PUBLIC NameError : public Error
{
 public:
  using Error::Error;
};

/// A setting (environment variable, QoS, option) has a value that cannot be used.
class AGNOCAST_PUBLIC SettingError : public Error
{
 public:
  using Error::Error;
};

/// Publisher and subscription of one topic disagree on the message type.
class AGNOCAST_PUBLIC TypeMismatchError : public Error
{
 public:
  using Error::Error;
};

/// The shared heap, /dev/shm, the window or a registry table is full.
class AGNOCAST_PUBLIC ResourceError : public Error
{
 public:
  using Error::Error;
};

/// The registry cannot be used: forbidden, damaged, or of another version.
class AGNOCAST_PUBLIC RegistryError : public Error
{
 public:
  using Error::Error;
};

/// The caller used an object in a way that its contract forbids: published an empty, already
/// published or foreign loan, took past the hold limit, used a parent's object after fork.
class AGNOCAST_PUBLIC UsageError : public Error
{
 public:
  using Error::Error;
};

}  // namespace agnocast

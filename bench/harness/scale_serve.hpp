// The two roles of a scale case, over any means of communication.
//
// A system that takes part has a program that understands
//
//   scale --role publisher|subscriber --index I --fd N --parent PID --publishers P --subscribers S
//         --topics T --size BYTES --awake 0|1 --pace each|rate|flood --rate-hz HZ --messages N
//
// and calls serve_scale() with a ScalePublisher or a ScaleSubscriber of its own. Processes have the
// indices 0 to P - 1 (publishers) and P to P + S - 1 (subscribers); every publisher publishes on
// every topic, every subscriber has one subscription to each topic. Histories are 16 deep.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "harness/scale_page.hpp"

namespace bench {

/// When the next message is published: when each subscriber has had the last one; at a fixed rate
/// for each topic, evenly spread; or as soon as no more than `scale_window` are on their way.
enum class Pace : std::uint8_t { each, rate, flood };

inline constexpr std::uint64_t scale_window = 8;
inline constexpr std::size_t scale_depth = 16;

struct ScaleArguments
{
  bool publishes = false;
  std::size_t index = 0;
  int fd = -1;
  pid_t parent = 0;
  std::size_t publishers = 1;
  std::size_t subscribers = 1;
  std::size_t topics = 1;
  std::size_t size_bytes = 64;
  bool awake = false;  ///< subscribers poll, and give up the core each time they find nothing
  Pace pace = Pace::each;
  std::uint64_t rate_hz = 0;
  std::uint64_t messages = 0;  ///< of each publisher, over all topics
  /// For names of topics and the like: the same in all processes, no other case's.
  [[nodiscard]] std::string session() const { return std::to_string(parent); }
};

class ScalePublisher
{
 public:
  virtual ~ScalePublisher() = default;
  /// True once every topic has all its subscribers.
  virtual bool is_connected() = 0;
  /// Not measured: gets the memory for the next message of the topic. Nothing needs to be written
  /// but the stamp: what is measured is handing over.
  virtual void prepare(std::size_t topic, std::uint64_t number) = 0;
  /// Measured: writes the stamp and publishes.
  virtual void publish(std::size_t topic, const Stamp& stamp) = 0;
};

class ScaleSubscriber
{
 public:
  virtual ~ScaleSubscriber() = default;
  virtual bool is_connected() = 0;
  /// Calls `got` for each message that is there. If there is none: returns at once if awake, else
  /// sleeps until there is one, at most 100 ms.
  virtual void receive(const std::function<void(const Stamp&)>& got) = 0;
};

/// True if argv asks for a role of a scale case.
bool is_scale_end(int argc, char** argv);
/// Throws Failure if something is missing.
ScaleArguments parse_scale_arguments(int argc, char** argv);

using MakePublisher = std::function<std::unique_ptr<ScalePublisher>(const ScaleArguments&)>;
using MakeSubscriber = std::function<std::unique_ptr<ScaleSubscriber>(const ScaleArguments&)>;
/// The main function of such a program.
int serve_scale(const ScaleArguments& arguments, const MakePublisher& make_publisher,
                const MakeSubscriber& make_subscriber);

}  // namespace bench

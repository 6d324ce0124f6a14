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
// A program that is not written in C++ does by itself what serve_scale() does:
//   1. asks to be killed with PID; maps sizeof(ScalePage) bytes of descriptor N, populated; sets
//   its
//      timer slack to 1 ns; a publisher pins itself to core 0, an awake subscriber to core 1
//   2. connects; sets its state to ready; waits until go is not 0
//   3. publisher: for number 1 to N, on topic number % T: prepares the message, awaits its turn
//      (await_turn), reads the clock, publishes with Stamp{number, that time}, reads the clock
//      again: the difference is a sample; raises published. Then duration_ns, state done, and waits
//      for quit
//      subscriber: until quit is not 0: takes what is there; for each message reads the clock,
//      whose distance to the stamp is a sample; raises last_ns[number] if there is one publisher
//      with one topic; raises received. Awake: sched_yield after finding nothing, if there are
//      several
//   4. cpu_ns: what getrusage(RUSAGE_SELF) says now, less what it said at go; exits with status 0
// All pauses are pselect() without descriptors: with sched_yield the only calls not counted as the
// system's, which therefore must not make them itself.
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

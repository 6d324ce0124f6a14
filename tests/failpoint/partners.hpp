// The partners that must not notice: a steady publisher and a steady subscriber, and the tally in
// which they, the victim and the test write what happened.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agnocast/agnocast.hpp"
#include "os/failpoint.hpp"
#include "support/process.hpp"

namespace agnocast::test {

/// A message whose parts all follow from its number, and which scribbles over itself when it is
/// destroyed: who reads it after that sees it.
struct Sample
{
  std::uint64_t number = 0;
  std::string text;
  std::vector<std::uint64_t> values;
  std::map<std::uint64_t, std::string> entries;

  ~Sample();
};

void fill(Sample& sample, std::uint64_t number, std::size_t values);
[[nodiscard]] bool is_whole(const Sample& sample);

/// Lies in memory that all processes of a test share.
struct Tally
{
  std::atomic<std::uint64_t> published;   ///< by the steady publisher
  std::atomic<std::uint64_t> received;    ///< of those, by the steady subscriber
  std::atomic<std::uint64_t> corrupted;   ///< messages that were not what they were published as
  std::atomic<std::uint64_t> disordered;  ///< gaps, repetitions and turns in an order
  std::atomic<std::uint64_t> failed;      ///< exceptions of a partner
  std::atomic<bool> be_slow;              ///< asks the steady subscriber to be a slow reader
  std::atomic<bool> pause;                ///< wanted
  std::atomic<bool> publisher_paused, subscriber_paused;
  std::atomic<std::uint64_t> used_blocks;  ///< of the steady publisher's heap, while it pauses
  std::atomic<std::uint64_t> retained;     ///< its messages that are not freed, while it pauses
  std::atomic<std::uint32_t> visits_wanted, visits;              ///< publishers that come and go
  std::atomic<std::uint64_t> victim_published, victim_received;  ///< in this run, on /steady
  internal::os::FailpointWatch failpoints;                       ///< of the victim

  static Tally& create();
};

void publish_steadily(Tally& tally, Channel& channel);
void receive_steadily(Tally& tally, Channel& channel);

}  // namespace agnocast::test

// What an actor plays.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storm/ends.hpp"

namespace agnocast::storm {

void play_stable_publisher(const Stage& stage, Random& random);
void play_stable_subscriber(const Stage& stage, Random& random);

/// Until they are killed or told to end.
void play_publisher(const Stage& stage, Random& random);
void play_subscriber(const Stage& stage, Random& random);
void play_relay(const Stage& stage, Random& random);
void play_joiner(const Stage& stage, Random& random);
void play_forker(const Stage& stage, Random& random);
/// Joins and leaves.
void play_tidier(const Stage& stage, Random& random);

/// From 16 bytes to 1 MB, small ones as often as large ones.
std::size_t random_size(Random& random);
void rest(std::uint64_t microseconds);

}  // namespace agnocast::storm

// A few places that all threads of an actor share. What leaves a table is destroyed by whoever
// asked, without the table's lock, so that no lock of the test is held while the library works.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <utility>
#include <vector>

#include "stress/board.hpp"

namespace agnocast::stress {

/// T is something like a pointer: empty by default, copied or moved in a step.
template <class T>
class Table
{
 public:
  explicit Table(std::size_t places) : places_(places) {}

  /// Puts it into a random place and gives what was there, if that is one that may be replaced;
  /// otherwise gives the new one back.
  template <class Condition>
  T put(Random& random, T value, Condition&& may_go)
  {
    const std::lock_guard lock(mutex_);
    T& place = places_[random.below(places_.size())];
    if (place && !may_go(place)) return value;
    return std::exchange(place, std::move(value));
  }
  T put(Random& random, T value)
  {
    return put(random, std::move(value), [](const T&) { return true; });
  }

  /// A copy of a random one that is as asked for; empty if the places looked at have none.
  template <class Condition>
  T get(Random& random, Condition&& is_meant)
  {
    const std::lock_guard lock(mutex_);
    T* place = find(random, is_meant);
    return place == nullptr ? T{} : *place;
  }
  T get(Random& random)
  {
    return get(random, [](const T&) { return true; });
  }

  template <class Condition>
  T remove(Random& random, Condition&& is_meant)
  {
    const std::lock_guard lock(mutex_);
    T* place = find(random, is_meant);
    return place == nullptr ? T{} : std::exchange(*place, T{});
  }
  T remove(Random& random)
  {
    return remove(random, [](const T&) { return true; });
  }

 private:
  template <class Condition>
  T* find(Random& random, Condition& is_meant)
  {
    const std::size_t first = random.below(places_.size());
    for (std::size_t i = 0; i < places_.size(); ++i) {
      T& place = places_[(first + i) % places_.size()];
      if (place && is_meant(place)) return &place;
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<T> places_;
};

}  // namespace agnocast::stress

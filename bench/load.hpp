// The measurements of `load`: what costs when others hold, join, idle, or are many.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "load_stage.hpp"

namespace bench {

/// One repetition of one measurement; a figure that is measured in one way only has no `without`.
struct LoadFigures
{
  double with = 0;
  double without = 0;
};

/// Each takes `smoke`: then it only shows that it works. All throw Failure.
LoadFigures measure_held(bool smoke);          ///< ns, p50 of borrow and publish
LoadFigures measure_newcomers(bool smoke);     ///< ns, p99 of borrow and publish
LoadFigures measure_many_members(bool smoke);  ///< ns, p50 from publish to the callback
LoadFigures measure_idle_100(bool smoke);      ///< parts of a core
LoadFigures measure_idle_200(bool smoke);      ///< parts of a core
LoadFigures measure_wake_ups(bool smoke);      ///< in a second
LoadFigures measure_deep_reader(bool smoke);   ///< bytes
LoadFigures measure_joiner(bool smoke);        ///< ns
LoadFigures measure_end(bool smoke);           ///< ns
LoadFigures measure_snapshots(bool smoke);     ///< endpoints that were not seen, and errors

}  // namespace bench

// Percentiles of durations.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// The smallest sample that at least the given part of all samples do not exceed.
double quantile(const std::vector<double>& sorted, double part);
double median(std::vector<double> values);

struct Summary
{
  double p50_ns = 0;  // these three: medians over the runs
  double p90_ns = 0;
  double p99_ns = 0;
  double p999_ns = 0;  // these two: of the samples of all runs together
  double max_ns = 0;
  std::size_t n = 0;
};

/// The samples of several runs of one measurement.
class Series
{
 public:
  /// Each duration divided by `divisor` is a sample.
  void add_run(const std::vector<std::uint64_t>& durations_ns, double divisor);
  [[nodiscard]] Summary summary() const;

 private:
  std::vector<double> all_;
  std::vector<double> p50_;
  std::vector<double> p90_;
  std::vector<double> p99_;
};

}  // namespace bench

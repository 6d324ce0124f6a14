// Percentiles by nearest rank.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "harness/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace bench {

double quantile(const std::vector<double>& sorted, double part)
{
  if (sorted.empty()) return 0;
  const double rank = std::ceil(part * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

double median(std::vector<double> values)
{
  std::sort(values.begin(), values.end());
  if (values.empty()) return 0;
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void Series::add_run(const std::vector<std::uint64_t>& durations_ns, double divisor)
{
  std::vector<double> run;
  run.reserve(durations_ns.size());
  for (const std::uint64_t duration : durations_ns) {
    run.push_back(static_cast<double>(duration) / divisor);
  }
  std::sort(run.begin(), run.end());
  p50_.push_back(quantile(run, 0.50));
  p90_.push_back(quantile(run, 0.90));
  p99_.push_back(quantile(run, 0.99));
  all_.insert(all_.end(), run.begin(), run.end());
}

Summary Series::summary() const
{
  std::vector<double> sorted = all_;
  std::sort(sorted.begin(), sorted.end());
  return {.p50_ns = median(p50_),
          .p90_ns = median(p90_),
          .p99_ns = median(p99_),
          .p999_ns = quantile(sorted, 0.999),
          .max_ns = sorted.empty() ? 0 : sorted.back(),
          .n = sorted.size()};
}

}  // namespace bench

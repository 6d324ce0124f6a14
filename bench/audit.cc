// What the audit of a message costs: by itself, and as part of publish().
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "commands.hpp"
#include "harness/clock.hpp"
#include "harness/process.hpp"
#include "harness/statistics.hpp"

namespace bench {
namespace {

struct Point
{
  float x, y, z, intensity;
};

/// 16 containers, each with one block.
struct Blocks
{
  static constexpr const char* label = "blocks";
  std::array<std::vector<Point>, 8> clouds;
  std::array<std::string, 4> names;
  std::vector<double> times;
  std::vector<std::uint16_t> rings;
  std::optional<std::vector<int>> indices;
  std::variant<int, std::vector<float>> weights;

  void fill(std::size_t bytes)
  {
    for (auto& cloud : clouds) cloud.resize(bytes / clouds.size() / sizeof(Point));
    for (auto& frame : names) frame = "lidar_on_the_roof_in_front_left";
    times.resize(1000);
    rings.resize(1000);
    indices.emplace(1000);
    weights.emplace<std::vector<float>>(1000);
  }
};

/// 16 containers of all kinds, of which some have nodes.
struct Kinds
{
  static constexpr const char* label = "kinds";
  std::array<std::vector<Point>, 4> clouds;
  std::array<std::string, 4> names;
  std::map<std::string, int> counts;
  std::unordered_map<int, float> weights;
  std::set<int> ids;
  std::list<double> times;
  std::deque<int> queue;
  std::vector<bool> flags;
  std::optional<std::vector<int>> indices;
  std::multimap<int, int> pairs;

  void fill(std::size_t bytes)
  {
    for (auto& cloud : clouds) cloud.resize(bytes / clouds.size() / sizeof(Point));
    for (auto& frame : names) frame = "lidar_on_the_roof_in_front_left";
    for (int i = 0; i < 4; ++i) {
      counts[std::string(1, static_cast<char>('a' + i))] = i;
      weights[i] = 1;
      ids.insert(i);
      times.push_back(i);
      queue.push_back(i);
      pairs.emplace(i, i);
    }
    flags.resize(1000);
    indices.emplace(1000);
  }
};

struct AuditResult
{
  const char* message;
  std::size_t bytes;
  double audit_ns;  ///< of a message in the cache
  double publish_ns, publish_without_ns;
};

/// Of publish() right after the message was filled: other parts of it fill the caches then.
template <class T>
double publish_cost_ns(agnocast::Publisher<T>& publisher, std::size_t bytes)
{
  auto loan = publisher.borrow_loaned_message();
  loan->fill(bytes);
  const std::uint64_t begin_ns = now_ns();
  const agnocast::PublishStatus status = publisher.publish(std::move(loan));
  const std::uint64_t end_ns = now_ns();
  if (status != agnocast::PublishStatus::published) throw Failure("a message was not published");
  return static_cast<double>(end_ns - begin_ns);
}

/// The median over `repetitions` of the mean of many audits, each of which has to find nothing.
template <class T>
double audit_cost_ns(agnocast::Publisher<T>& publisher, const AuditOptions& options)
{
  auto loan = publisher.borrow_loaned_message();
  loan->fill(options.bytes);
  // All that is asked of the heap's range is that the message lies in it.
  const auto* const begin = reinterpret_cast<const std::byte*>(std::uintptr_t{1} << 20);
  constexpr agnocast::internal::AuditMessage audit = agnocast::internal::audit_of<T>();
  const std::uint64_t count = options.smoke ? 1'000 : 1'000'000;
  std::vector<double> costs;
  for (unsigned repetition = 0; repetition < options.repetitions; ++repetition) {
    const std::uint64_t begin_ns = now_ns();
    for (std::uint64_t i = 0; i < count; ++i) {
      agnocast::internal::Auditor auditor(agnocast::Audit::refuse, begin, SIZE_MAX / 2);
      audit(loan.get(), auditor);
      if (auditor.is_refused()) throw Failure("the audit refused a message");
    }
    costs.push_back(static_cast<double>(now_ns() - begin_ns) / static_cast<double>(count));
  }
  return median(costs);
}

template <class T>
AuditResult measure(const AuditOptions& options)
{
  agnocast::Node node("audit");
  agnocast::PublisherOptions without;
  without.audit = agnocast::Audit::off;
  const std::string topic = std::string("/bench/audit/") + T::label;
  const auto audited = node.create_publisher<T>(topic, agnocast::QoS(1));
  const auto unaudited = node.create_publisher<T>(topic + "/off", agnocast::QoS(1), without);
  const std::size_t count = options.smoke ? 2 : 15 * std::size_t{options.repetitions};
  std::vector<double> with_ns;
  std::vector<double> without_ns;
  for (std::size_t i = 0; i < count; ++i) {
    with_ns.push_back(publish_cost_ns(*audited, options.bytes));
    without_ns.push_back(publish_cost_ns(*unaudited, options.bytes));
  }
  const AuditResult result{T::label, options.bytes, audit_cost_ns(*audited, options),
                           median(with_ns), median(without_ns)};
  if (audited->moved_count() != 0) throw Failure("the audit moved what it should not have to");
  std::printf("%-8s %10zu %10.1f %14.0f %14.0f\n", result.message, result.bytes, result.audit_ns,
              result.publish_ns, result.publish_without_ns);
  return result;
}

void write_json(const std::string& path, const std::vector<AuditResult>& results)
{
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw Failure(path + ": " + std::strerror(errno));
  std::fputs("{\n  \"command\": \"audit\",\n  \"results\": [", file);
  for (const AuditResult& result : results) {
    std::fprintf(file,
                 "%s\n    {\"message\": \"%s\", \"containers\": 16, \"bytes\": %zu, \"audit_ns\": "
                 "%.2f, \"publish_ns\": %.1f, \"publish_without_ns\": %.1f}",
                 &result == results.data() ? "" : ",", result.message, result.bytes,
                 result.audit_ns, result.publish_ns, result.publish_without_ns);
  }
  std::fputs("\n  ]\n}\n", file);
  std::fclose(file);
}

}  // namespace

int run_audit(const AuditOptions& options)
{
  // A domain of its own, unless the environment says otherwise.
  setenv("AGNOCAST_DOMAIN_ID", std::to_string(900 + getpid() % 90).c_str(), 0);
  std::printf("nanoseconds, medians; publish() right after a message was filled\n");
  std::printf("%-8s %10s %10s %14s %14s\n", "message", "bytes", "audit", "publish",
              "without audit");
  const std::vector<AuditResult> results = {measure<Blocks>(options), measure<Kinds>(options)};
  if (!options.json_path.empty()) write_json(options.json_path, results);
  return 0;
}

}  // namespace bench

// agnocast top: topics and processes, live.
//
// It looks from outside: nothing is subscribed to, so nobody notices. All figures come from the
// counters that publishers and subscriptions keep.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "commands.hpp"
#include "terminal.hpp"

namespace cli {
namespace {

using agnocast::DomainSnapshot;
using agnocast::EndpointInfo;
using agnocast::ProcessInfo;
using Clock = std::chrono::steady_clock;

struct TopicRow
{
  std::string name, type;
  double rate = 0, bytes_per_s = 0;
  std::uint64_t delay_ns = 0, lost = 0;
  std::uint64_t publishers = 0, subscriptions = 0, retained = 0, held = 0, unread = 0, moved = 0;
  std::int64_t last_stamp_ns = 0;
};

struct ProcessRow
{
  ProcessInfo info;
  double rate = 0, bytes_per_s = 0;      ///< of what it publishes
  std::uint64_t delay_ns = 0, lost = 0;  ///< of what it subscribes to
  std::uint64_t held = 0;
};

/// What two snapshots say together.
struct Figures
{
  std::vector<TopicRow> topics;
  std::vector<ProcessRow> processes;
};

double rate_of(std::uint64_t before, std::uint64_t now, double seconds)
{
  return seconds > 0 && now >= before ? static_cast<double>(now - before) / seconds : 0;
}

Figures figures_of(const DomainSnapshot& before, const DomainSnapshot& now)
{
  const double seconds = static_cast<double>(now.time_ns - before.time_ns) * 1e-9;
  std::map<std::uint64_t, const EndpointInfo*> earlier;
  for (const EndpointInfo& endpoint : before.endpoints) earlier[endpoint.id] = &endpoint;
  std::map<std::uint64_t, const EndpointInfo*> publishers;
  for (const EndpointInfo& endpoint : now.endpoints) {
    if (endpoint.is_publisher) publishers[endpoint.id] = &endpoint;
  }
  Figures figures;
  for (const agnocast::TopicInfo& topic : now.topics) {
    TopicRow row;
    row.name = topic.name;
    row.type = topic.type;
    figures.topics.push_back(row);
  }
  std::map<std::uint64_t, ProcessRow> processes;
  for (const ProcessInfo& process : now.processes) processes[process.id].info = process;
  for (const EndpointInfo& endpoint : now.endpoints) {
    TopicRow& topic = figures.topics[endpoint.topic];
    ProcessRow& process = processes[endpoint.process_id];
    if (endpoint.is_publisher) {
      const auto found = earlier.find(endpoint.id);
      const EndpointInfo none;
      const EndpointInfo& seen = found == earlier.end() ? none : *found->second;
      const double rate = rate_of(seen.published, endpoint.published, seconds);
      const double bytes_per_s = rate_of(seen.total_bytes, endpoint.total_bytes, seconds);
      topic.publishers += 1;
      topic.rate += rate;
      topic.bytes_per_s += bytes_per_s;
      topic.retained += endpoint.retained;
      topic.moved += endpoint.moved_parts;
      topic.last_stamp_ns = std::max(topic.last_stamp_ns, endpoint.last_stamp_ns);
      process.rate += rate;
      process.bytes_per_s += bytes_per_s;
      continue;
    }
    topic.subscriptions += endpoint.is_closed ? 0 : 1;
    topic.lost += endpoint.lost;
    process.lost += endpoint.lost;
    topic.delay_ns = std::max(topic.delay_ns, endpoint.delay_ns);
    process.delay_ns = std::max(process.delay_ns, endpoint.delay_ns);
    for (const agnocast::ConnectionInfo& connection : endpoint.connections) {
      topic.held += connection.held;
      process.held += connection.held;
      const auto publisher = publishers.find(connection.publisher_id);
      if (publisher != publishers.end() && publisher->second->published + 1 > connection.cursor) {
        const std::uint64_t unread = publisher->second->published + 1 - connection.cursor;
        topic.unread = std::max(topic.unread, std::min(unread, publisher->second->retained));
      }
    }
  }
  for (auto& [id, process] : processes) figures.processes.push_back(std::move(process));
  return figures;
}

enum class Sort { name, rate, bandwidth, delay, lost, held };
constexpr const char* sort_names[] = {"name", "rate", "bandwidth", "delay", "lost", "held"};

struct View
{
  Sort sort = Sort::rate;
  std::string filter;
  bool is_typing = false;  ///< the filter
};

std::string delay_text(std::uint64_t delay_ns)
{
  return delay_ns == 0 ? "-" : duration_text(static_cast<double>(delay_ns));
}

std::string age_text(std::int64_t stamp_ns, std::int64_t now_ns)
{
  return stamp_ns == 0
           ? "-"
           : duration_text(static_cast<double>(std::max<std::int64_t>(now_ns - stamp_ns, 0)));
}

std::vector<std::string> lines_of(const DomainSnapshot& now, Figures figures, const View& view)
{
  const auto precedes = [&](const auto& a, const auto& b) {
    switch (view.sort) {
      case Sort::rate:
        return a.rate > b.rate;
      case Sort::bandwidth:
        return a.bytes_per_s > b.bytes_per_s;
      case Sort::delay:
        return a.delay_ns > b.delay_ns;
      case Sort::lost:
        return a.lost > b.lost;
      case Sort::held:
        return a.held > b.held;
      case Sort::name:
        break;
    }
    return false;
  };
  std::sort(figures.topics.begin(), figures.topics.end(),
            [](const TopicRow& a, const TopicRow& b) { return a.name < b.name; });
  std::stable_sort(figures.topics.begin(), figures.topics.end(), precedes);
  std::stable_sort(figures.processes.begin(), figures.processes.end(), precedes);

  Table topics({"TOPIC", "RATE/s", "BYTES/s", "DELAY", "LOST", "PUB", "SUB", "KEPT", "HELD",
                "UNREAD", "MOVED", "AGE", "TYPE"});
  for (const TopicRow& row : figures.topics) {
    if (row.name.find(view.filter) == std::string::npos) continue;
    topics.add({row.name, number_text(row.rate, 1), bytes_text(row.bytes_per_s),
                delay_text(row.delay_ns), std::to_string(row.lost), std::to_string(row.publishers),
                std::to_string(row.subscriptions), std::to_string(row.retained),
                std::to_string(row.held), std::to_string(row.unread), std::to_string(row.moved),
                age_text(row.last_stamp_ns, now.time_ns), row.type});
  }
  Table processes({"PID", "STATE", "RATE/s", "BYTES/s", "DELAY", "LOST", "USED", "PEAK", "SECURED",
                   "LOANS", "HELD", "COMMAND"});
  for (const ProcessRow& row : figures.processes) {
    if (row.info.command.find(view.filter) == std::string::npos) continue;
    processes.add(
      {std::to_string(row.info.pid), row.info.is_alive ? "alive" : "dead", number_text(row.rate, 1),
       bytes_text(row.bytes_per_s), delay_text(row.delay_ns), std::to_string(row.lost),
       bytes_text(static_cast<double>(row.info.heap_used_bytes)),
       bytes_text(static_cast<double>(row.info.heap_peak_bytes)),
       bytes_text(static_cast<double>(row.info.secured_bytes)), std::to_string(row.info.loans_open),
       std::to_string(row.held), row.info.command});
  }
  std::vector<std::string> lines{
    "domain " + std::to_string(now.domain) + ": " + std::to_string(now.processes.size()) +
      " processes, " + std::to_string(now.topics.size()) + " topics, sorted by " +
      sort_names[static_cast<std::size_t>(view.sort)] +
      (view.filter.empty() ? "" : ", only '" + view.filter + "'"),
    view.is_typing ? "filter: " + view.filter + "_" : "keys: s sort, / filter, q quit", ""};
  for (const Table* table : {&topics, &processes}) {
    std::istringstream text(table->text());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    lines.emplace_back();
  }
  for (const std::string& problem : now.problems) lines.push_back("! " + problem);
  return lines;
}

/// False if the program is to end.
bool handle(char key, View& view)
{
  constexpr char backspace = 127;
  if (key == '\0') return false;
  if (view.is_typing) {
    if (key == '\n' || key == '\r') {
      view.is_typing = false;
    } else if (key == backspace) {
      if (!view.filter.empty()) view.filter.pop_back();
    } else if (static_cast<unsigned char>(key) >= 0x20) {
      view.filter += key;
    }
    return true;
  }
  if (key == 's') {
    view.sort =
      static_cast<Sort>((static_cast<std::size_t>(view.sort) + 1) % std::size(sort_names));
  } else if (key == '/') {
    view.is_typing = true;
    view.filter.clear();
  }
  return key != 'q';
}

void show_live(double period_s)
{
  agnocast::init(0, nullptr);
  const agnocast::DomainView domain;
  const auto period =
    std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(period_s));
  View view;
  DomainSnapshot before = domain.snapshot();
  DomainSnapshot now = before;
  Terminal terminal;
  auto due = Clock::now();
  while (agnocast::ok()) {
    if (Clock::now() >= due) {
      before = std::move(now);
      now = domain.snapshot();
      due = Clock::now() + period;
    }
    if (!terminal.draw(lines_of(now, figures_of(before, now), view))) return;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now());
    const auto key = terminal.key(static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (key && !handle(*key, view)) return;
  }
}

void show_batch(double period_s, std::size_t count)
{
  const agnocast::DomainView domain;
  DomainSnapshot before = domain.snapshot();
  for (std::size_t i = 0; i < count; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double>(period_s));
    DomainSnapshot now = domain.snapshot();
    std::string text;
    for (const std::string& line : lines_of(now, figures_of(before, now), {})) text += line + "\n";
    if (!print(text)) return;
    before = std::move(now);
  }
}

}  // namespace

void add_top(CLI::App& app, const Options&)
{
  CLI::App* const command = app.add_subcommand("top", "Topics and processes, live");
  struct TopOptions
  {
    double period_s = 1;
    std::size_t batch = 0;
  };
  const auto options = std::make_shared<TopOptions>();
  command->add_option("-d,--delay", options->period_s, "Seconds between two looks")
    ->capture_default_str()
    ->check(CLI::Range(0.1, 3600.0));
  command->add_option("-b,--batch", options->batch, "Print so many times instead, to anything");
  command->callback([options] {
    if (options->batch != 0) {
      show_batch(options->period_s, options->batch);
    } else {
      show_live(options->period_s);
    }
  });
}

}  // namespace cli

// agnocast top: topics and processes, live.
//
// It looks from outside: nothing is subscribed to, so nobody notices. Rates come from the
// publishers' own counters.
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
  double rate = 0;
  std::uint64_t publishers = 0, subscriptions = 0, retained = 0, held = 0, unread = 0, moved = 0;
  std::int64_t last_stamp_ns = 0;
};

struct ProcessRow
{
  ProcessInfo info;
  double rate = 0;  ///< of what it publishes
  std::uint64_t held = 0;
};

/// What two snapshots say together.
struct Figures
{
  std::vector<TopicRow> topics;
  std::vector<ProcessRow> processes;
};

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
      const std::uint64_t seen = found == earlier.end() ? 0 : found->second->published;
      const double rate = seconds > 0 && endpoint.published >= seen
                            ? static_cast<double>(endpoint.published - seen) / seconds
                            : 0;
      topic.publishers += 1;
      topic.rate += rate;
      topic.retained += endpoint.retained;
      topic.moved += endpoint.moved_parts;
      topic.last_stamp_ns = std::max(topic.last_stamp_ns, endpoint.last_stamp_ns);
      process.rate += rate;
      continue;
    }
    topic.subscriptions += endpoint.is_closed ? 0 : 1;
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

enum class Sort { name, rate, held };

struct View
{
  Sort sort = Sort::rate;
  std::string filter;
  bool is_typing = false;  ///< the filter
};

const char* name_of(Sort sort)
{
  return sort == Sort::name ? "name" : sort == Sort::rate ? "rate" : "held";
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
    if (view.sort == Sort::rate && a.rate != b.rate) return a.rate > b.rate;
    if (view.sort == Sort::held && a.held != b.held) return a.held > b.held;
    return false;
  };
  std::sort(figures.topics.begin(), figures.topics.end(),
            [](const TopicRow& a, const TopicRow& b) { return a.name < b.name; });
  std::stable_sort(figures.topics.begin(), figures.topics.end(), precedes);
  std::stable_sort(figures.processes.begin(), figures.processes.end(), precedes);

  Table topics({"TOPIC", "RATE/s", "PUB", "SUB", "KEPT", "HELD", "UNREAD", "MOVED", "AGE", "TYPE"});
  for (const TopicRow& row : figures.topics) {
    if (row.name.find(view.filter) == std::string::npos) continue;
    topics.add({row.name, number_text(row.rate, 1), std::to_string(row.publishers),
                std::to_string(row.subscriptions), std::to_string(row.retained),
                std::to_string(row.held), std::to_string(row.unread), std::to_string(row.moved),
                age_text(row.last_stamp_ns, now.time_ns), row.type});
  }
  Table processes(
    {"PID", "STATE", "RATE/s", "USED", "PEAK", "SECURED", "LOANS", "HELD", "COMMAND"});
  for (const ProcessRow& row : figures.processes) {
    if (row.info.command.find(view.filter) == std::string::npos) continue;
    processes.add(
      {std::to_string(row.info.pid), row.info.is_alive ? "alive" : "dead", number_text(row.rate, 1),
       bytes_text(static_cast<double>(row.info.heap_used_bytes)),
       bytes_text(static_cast<double>(row.info.heap_peak_bytes)),
       bytes_text(static_cast<double>(row.info.secured_bytes)), std::to_string(row.info.loans_open),
       std::to_string(row.held), row.info.command});
  }
  std::vector<std::string> lines{
    "domain " + std::to_string(now.domain) + ": " + std::to_string(now.processes.size()) +
      " processes, " + std::to_string(now.topics.size()) + " topics, sorted by " +
      name_of(view.sort) + (view.filter.empty() ? "" : ", only '" + view.filter + "'"),
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
    view.sort = view.sort == Sort::name   ? Sort::rate
                : view.sort == Sort::rate ? Sort::held
                                          : Sort::name;
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

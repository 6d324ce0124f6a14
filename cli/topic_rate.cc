// agnocast topic hz, bw and delay: figures over the last messages, once a second.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>

#include "commands.hpp"
#include "reader.hpp"

namespace cli {
namespace {

using Clock = std::chrono::steady_clock;

struct RateOptions
{
  ReaderOptions reader;
  std::size_t window = 10'000;
  std::size_t reports = 0;  ///< 0: until the end
};

/// What one message adds to the figures.
struct Sample
{
  double at_s;     ///< when it was published
  double delay_s;  ///< from its publishing to its taking
  double bytes;
  std::uint64_t lost;  ///< messages that were not seen, until then
};

struct Statistics
{
  double mean = 0, min = 0, max = 0, deviation = 0;
};

template <class Get>
Statistics statistics_of(const std::deque<Sample>& samples, std::size_t first, Get&& get)
{
  Statistics result;
  result.min = INFINITY;
  result.max = -INFINITY;
  double sum = 0;
  double squares = 0;
  const auto count = static_cast<double>(samples.size() - first);
  for (std::size_t i = first; i < samples.size(); ++i) {
    const double value = get(i);
    sum += value;
    squares += value * value;
    result.min = std::min(result.min, value);
    result.max = std::max(result.max, value);
  }
  result.mean = sum / count;
  result.deviation = std::sqrt(std::max(squares / count - result.mean * result.mean, 0.0));
  return result;
}

std::string json_of(const Statistics& s, const char* name, double value, std::size_t window)
{
  return std::string("{\"") + name + "\": " + number_text(value, 6) +
         ", \"mean\": " + number_text(s.mean, 9) + ", \"min\": " + number_text(s.min, 9) +
         ", \"max\": " + number_text(s.max, 9) + ", \"std_dev\": " + number_text(s.deviation, 9) +
         ", \"window\": " + std::to_string(window) + "}\n";
}

/// Messages in a second, those included that were lost on the way to us.
double rate_of(const std::deque<Sample>& samples)
{
  const double seconds = samples.back().at_s - samples.front().at_s;
  const std::uint64_t count = samples.size() - 1 + samples.back().lost - samples.front().lost;
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

using Report = std::function<std::string(const std::deque<Sample>&, Format)>;

std::string hz(const std::deque<Sample>& samples, Format format)
{
  if (samples.size() < 2) return {};
  const Statistics gap =
    statistics_of(samples, 1, [&](std::size_t i) { return samples[i].at_s - samples[i - 1].at_s; });
  const double rate = rate_of(samples);
  if (format != Format::text) return json_of(gap, "rate", rate, samples.size());
  return "average rate: " + number_text(rate, 3) + "\n\tmin: " + number_text(gap.min, 6) +
         "s max: " + number_text(gap.max, 6) + "s std dev: " + number_text(gap.deviation, 6) +
         "s window: " + std::to_string(samples.size()) + "\n";
}

std::string bw(const std::deque<Sample>& samples, Format format)
{
  if (samples.size() < 2) return {};
  const Statistics size =
    statistics_of(samples, 0, [&](std::size_t i) { return samples[i].bytes; });
  const double rate = size.mean * rate_of(samples);
  if (format != Format::text) return json_of(size, "bytes_per_s", rate, samples.size());
  return bytes_text(rate) + "/s from " + std::to_string(samples.size()) +
         " messages\n\tMessage size mean: " + bytes_text(size.mean) +
         " min: " + bytes_text(size.min) + " max: " + bytes_text(size.max) + "\n";
}

std::string delay(const std::deque<Sample>& samples, Format format)
{
  if (samples.empty()) return {};
  const Statistics late =
    statistics_of(samples, 0, [&](std::size_t i) { return samples[i].delay_s; });
  if (format != Format::text) return json_of(late, "delay", late.mean, samples.size());
  return "average delay: " + number_text(late.mean, 6) + "\n\tmin: " + number_text(late.min, 6) +
         "s max: " + number_text(late.max, 6) + "s std dev: " + number_text(late.deviation, 6) +
         "s window: " + std::to_string(samples.size()) + "\n";
}

/// Adds up what a message consists of: the object, and what its containers own.
class Size : public agnocast::MessageVisitor
{
 public:
  static double of(const agnocast::MessageView& view)
  {
    Size size;
    size.bytes_ = static_cast<double>(view.description.root().bytes);
    if (const auto wrong = agnocast::walk(view, size)) throw agnocast::Error(*wrong);
    return size.bytes_;
  }
  std::uint64_t begin_sequence(const agnocast::SequenceValue& sequence) override
  {
    return add(sequence, 0);
  }
  std::uint64_t begin_map(const agnocast::SequenceValue& map) override
  {
    return add(map, map.mapped->bytes);
  }
  void string(const agnocast::TextValue& text) override
  {
    bytes_ += static_cast<double>(text.count() * text.width());
  }

 private:
  std::uint64_t add(const agnocast::SequenceValue& sequence, std::uint64_t mapped_bytes)
  {
    if (sequence.type.kind != agnocast::TypeKind::array) {
      bytes_ += static_cast<double>(sequence.count) *
                static_cast<double>(sequence.element.bytes + mapped_bytes);
    }
    // Plain elements have nothing more to add; there may be millions.
    const bool is_plain = sequence.mapped == nullptr && sequence.element.fields.empty() &&
                          sequence.element.element == agnocast::TypeDescription::none;
    return is_plain ? 0 : sequence.count;
  }

  double bytes_ = 0;
};

double now_s()
{
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void measure(const RateOptions& options, Format format, bool with_bytes, const Report& report)
{
  Reader reader(options.reader);
  std::deque<Sample> samples;
  std::size_t reports = 0;
  bool is_new = false;
  auto next_report = Clock::now() + std::chrono::seconds(1);
  while (agnocast::ok()) {
    if (const agnocast::GenericMessage message = reader.next_until(next_report)) {
      const double at_s = static_cast<double>(message.info().publish_time_ns) * 1e-9;
      samples.push_back(
        {at_s, now_s() - at_s, with_bytes ? Size::of(message.view()) : 0, reader.lost_count()});
      if (samples.size() > options.window) samples.pop_front();
      is_new = true;
    }
    if (Clock::now() < next_report) continue;
    next_report += std::chrono::seconds(1);
    const std::string text = is_new ? report(samples, format) : "";
    is_new = false;
    if (text.empty()) continue;
    if (!print(text) || ++reports == options.reports) return;
  }
}

void add(CLI::App& topic, const Options& options, const char* name, const char* what,
         bool with_bytes, Report report)
{
  CLI::App* const command = topic.add_subcommand(name, what);
  const auto rate_options = std::make_shared<RateOptions>();
  rate_options->reader.add_to(*command);
  command->add_option("-w,--window", rate_options->window, "How many messages the figures are over")
    ->capture_default_str()
    ->check(CLI::Range(std::size_t{2}, std::size_t{100'000'000}));
  command->add_option("-n,--reports", rate_options->reports, "End after so many reports");
  command->callback([rate_options, &options, with_bytes, report = std::move(report)] {
    measure(*rate_options, options.format, with_bytes, report);
  });
}

}  // namespace

void add_topic_rates(CLI::App& topic, const Options& options)
{
  add(topic, options, "hz", "Messages in a second", false, hz);
  add(topic, options, "bw", "Bytes in a second, with what containers own", true, bw);
  add(topic, options, "delay", "Time from publishing to taking", false, delay);
}

}  // namespace cli

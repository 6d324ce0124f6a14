// agnocast topic echo: prints messages of any type.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.hpp"
#include "reader.hpp"

namespace cli {
namespace {

struct EchoOptions
{
  ReaderOptions reader;
  agnocast::TextOptions text;
  bool once = false;
  bool csv = false;
  bool no_lost = false;
};

std::string text_of(const agnocast::GenericMessage& message, const EchoOptions& options,
                    Format format)
{
  if (options.csv) return agnocast::to_csv(message.view(), options.text) + "\n";
  if (format == Format::json) return agnocast::to_json(message.view(), options.text) + "\n";
  return agnocast::to_yaml(message.view(), options.text) + "---\n";
}

void echo(const EchoOptions& options, Format format)
{
  Reader reader(options.reader);
  std::uint64_t lost = 0;
  while (const agnocast::GenericMessage message = reader.next()) {
    if (const std::uint64_t now = reader.lost_count(); now != lost && !options.no_lost) {
      std::fprintf(stderr,
                   "agnocast: %llu messages were lost: they came faster than they were printed\n",
                   static_cast<unsigned long long>(now - lost));
      lost = now;
    }
    std::string text;
    try {
      text = text_of(message, options, format);
    } catch (const agnocast::Error& error) {
      // The next one may be sound.
      std::fprintf(stderr, "agnocast: a message cannot be shown: %s\n", error.what());
      if (options.once) throw;
      continue;
    }
    if (!print(text) || options.once) return;
  }
  if (reader.is_timed_out()) {
    throw Failure("no message on '" + full_topic(options.reader.topic) + "' within the timeout");
  }
}

}  // namespace

void add_topic_echo(CLI::App& topic, const Options& options)
{
  CLI::App* const command = topic.add_subcommand("echo", "Print the messages of a topic");
  const auto echo_options = std::make_shared<EchoOptions>();
  echo_options->reader.add_to(*command);
  command->add_option("--field", echo_options->text.field,
                      "Only this part, such as points[3].x or channels[intensity]");
  command->add_flag("--once", echo_options->once, "Print the first message and end");
  command->add_flag("--csv", echo_options->csv, "All values on one line, with commas");
  command->add_flag("--no-arr", echo_options->text.no_arr, "No elements of sequences");
  command->add_flag("--no-str", echo_options->text.no_str, "No texts");
  command->add_flag("--no-lost-messages", echo_options->no_lost, "Do not tell about lost messages");
  command
    ->add_option("-l,--truncate-length", echo_options->text.truncate_length,
                 "Elements and characters after which ... stands")
    ->capture_default_str();
  command->add_flag("-f,--full-length", echo_options->text.full_length, "Nothing is cut short");
  command->callback([echo_options, &options] { echo(*echo_options, options.format); });
}

}  // namespace cli

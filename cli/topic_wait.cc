// agnocast topic wait: ends when a message has come.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "commands.hpp"
#include "reader.hpp"

namespace cli {

void add_topic_wait(CLI::App& topic, const Options&)
{
  CLI::App* const command =
    topic.add_subcommand("wait", "Wait for messages; status 0 when they came, 1 if they did not");
  struct WaitOptions
  {
    ReaderOptions reader;
    std::size_t count = 1;
  };
  const auto options = std::make_shared<WaitOptions>();
  options->reader.add_to(*command);
  command->add_option("-n,--count", options->count, "How many")->capture_default_str();
  command->callback([options] {
    Reader reader(options->reader);
    for (std::size_t i = 0; i < options->count; ++i) {
      if (!reader.next()) {
        throw Failure("no message on '" + full_topic(options->reader.topic) + "'");
      }
    }
  });
}

}  // namespace cli

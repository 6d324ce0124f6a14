// agnocast: looks into the topics, nodes and processes of a domain.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <string_view>

#include "commands.hpp"

int main(int argc, char** argv)
{
  CLI::App app("Looks into the topics, nodes and processes of an Agnocast domain", "agnocast");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "All commands with their options");
  cli::Options options;
  const std::map<std::string, cli::Format> formats{
    {"text", cli::Format::text}, {"json", cli::Format::json}, {"yaml", cli::Format::yaml}};
  app.add_option("--format", options.format, "How results are printed: text, json or yaml")
    ->transform(CLI::CheckedTransformer(formats))
    ->default_str("text")
    ->option_text("text|json|yaml");
  app.fallthrough();

  CLI::App& topic = *app.add_subcommand("topic", "Topics, and the messages on them");
  topic.require_subcommand(1);
  cli::add_topic_echo(topic, options);
  cli::add_topic_rates(topic, options);
  cli::add_topic_wait(topic, options);
  cli::add_topic_list(topic, options);
  cli::add_topic_info(topic, options);
  cli::add_topic_pub(topic, options);
  cli::add_node(app, options);
  cli::add_process(app, options);
  cli::add_service(app, options);
  cli::add_doctor(app, options);
  cli::add_clean(app, options);
  cli::add_top(app, options);
  cli::add_version(app, options);

  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes is noticed when something is written
  try {
    // No command of its own, since its words are not to be understood as options.
    if (argc > 1 && std::string_view(argv[1]) == "complete") {
      return cli::print(cli::complete(app, {argv + 2, argv + argc})) ? 0 : 1;
    }
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agnocast: %s\n", error.what());
    return 1;
  }
  return 0;
}

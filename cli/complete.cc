// agnocast complete WORD...: what the last word can become, for the shells' completion.
//
// It reads the commands from the command line's own description, so that it needs no list of its
// own, and topics and nodes from the domain.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <set>

#include "commands.hpp"

namespace cli {
namespace {

/// The names in "TEXT:{a,b}" and "ENUM:value in {a->0,b->1} OR {0,1}".
std::set<std::string> values_of(const CLI::Option& option)
{
  const std::string type = option.get_type_name();
  std::set<std::string> values;
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}', begin);
  if (begin == std::string::npos || end == std::string::npos) return values;
  for (std::size_t at = begin + 1; at < end;) {
    const std::size_t comma = std::min(type.find(',', at), end);
    const std::string value = type.substr(at, comma - at);
    values.insert(value.substr(0, value.find("->")));
    at = comma + 1;
  }
  return values;
}

std::set<std::string> names_in_domain(const std::string& kind)
{
  std::set<std::string> names;
  try {
    const agnocast::DomainSnapshot domain = agnocast::DomainView().snapshot();
    if (kind == "topic") {
      for (const agnocast::TopicInfo& topic : domain.topics) names.insert(topic.name);
    } else if (kind == "node") {
      for (const agnocast::EndpointInfo& endpoint : domain.endpoints) names.insert(endpoint.node);
    }
  } catch (const agnocast::Error&) {
    // A shell shows nothing else beside what is typed; the command itself will say it.
  }
  return names;
}

CLI::App* find_command(CLI::App& command, const std::string& name)
{
  const auto found = command.get_subcommands([&](CLI::App* c) { return c->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

/// Options count where they are given to a command inside of theirs, too.
CLI::Option* find_option(CLI::App* command, const std::string& word)
{
  for (; command != nullptr; command = command->get_parent()) {
    if (CLI::Option* const found = command->get_option_no_throw(word)) return found;
  }
  return nullptr;
}

bool takes_value(const CLI::Option& option)
{
  return option.get_items_expected_max() > 0;
}

std::set<std::string> options_of(CLI::App* command)
{
  std::set<std::string> names;
  for (; command != nullptr; command = command->get_parent()) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) names.insert("--" + name);
      for (const std::string& name : option->get_snames()) names.insert("-" + name);
    }
  }
  return names;
}

std::set<std::string> candidates(CLI::App& app, const std::vector<std::string>& before,
                                 const std::string& word)
{
  CLI::App* command = &app;
  const CLI::Option* waiting = nullptr;  ///< for its value
  bool has_positional = false;
  for (const std::string& earlier : before) {
    if (waiting != nullptr) {
      waiting = nullptr;
    } else if (!earlier.empty() && earlier.front() == '-') {
      const CLI::Option* const option = find_option(command, earlier);
      if (option != nullptr && takes_value(*option)) waiting = option;
    } else if (CLI::App* const next = find_command(*command, earlier)) {
      command = next;
    } else {
      has_positional = true;
    }
  }
  if (waiting != nullptr) return values_of(*waiting);
  if (!word.empty() && word.front() == '-') return options_of(command);
  std::set<std::string> found;
  for (const CLI::App* next : command->get_subcommands([](CLI::App*) { return true; })) {
    found.insert(next->get_name());
  }
  for (const CLI::Option* option : command->get_options()) {
    if (option->get_positional() && !has_positional)
      found.merge(names_in_domain(option->get_name()));
  }
  return found;
}

}  // namespace

std::string complete(CLI::App& app, std::vector<std::string> words)
{
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  const std::string word = words.empty() ? "" : words.back();
  if (!words.empty()) words.pop_back();
  std::string text;
  for (const std::string& candidate : candidates(app, words, word)) {
    if (candidate.rfind(word, 0) == 0) text += candidate + "\n";
  }
  return text;
}

}  // namespace cli

// agnocast doctor, clean and version.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "commands.hpp"

namespace cli {
namespace {

using agnocast::Finding;
using agnocast::Health;
using agnocast::Value;

const char* word_of(Health health)
{
  switch (health) {
    case Health::fine:
      return "ok";
    case Health::notice:
      return "note";
    case Health::warning:
      return "warning";
    default:
      return "FAILURE";
  }
}

void examine(Format format)
{
  std::string text;
  std::vector<Value> findings;
  bool has_failed = false;
  for (const Finding& finding : agnocast::examine_machine()) {
    has_failed = has_failed || finding.health == Health::failure;
    const std::string word = word_of(finding.health);
    text += word + std::string(9 - word.size(), ' ') + finding.subject + ": " + finding.text + "\n";
    if (!finding.remedy.empty()) text += "         -> " + finding.remedy + "\n";
    findings.push_back(Value::of_mapping({{"health", Value::of_string(word)},
                                          {"subject", Value::of_string(finding.subject)},
                                          {"text", Value::of_string(finding.text)},
                                          {"remedy", Value::of_string(finding.remedy)}}));
  }
  print(format == Format::text ? text
                               : document_text(Value::of_sequence(std::move(findings)), format));
  if (has_failed)
    throw Failure("something has to be changed before anything can be published here");
}

/// Whoever joins a domain cleans up in it, and whoever leaves it as the last removes it.
void visit(std::uint32_t domain)
{
  const pid_t child = fork();
  if (child == 0) {
    ::setenv("AGNOCAST_DOMAIN_ID", std::to_string(domain).c_str(), 1);
    ::unsetenv("AGNOCAST_WINDOW");  // the domain has its own
    int status = 0;
    try {
      const agnocast::WaitSet joins;
    } catch (const agnocast::Error& error) {
      std::fprintf(stderr, "agnocast: domain %u: %s\n", domain, error.what());
      status = 1;
    }
    std::exit(status);  // leaves the domain
  }
  int status = 0;
  if (child > 0) ::waitpid(child, &status, 0);
}

void clean(bool dry_run, Format format)
{
  const std::vector<std::string> before = agnocast::find_leftovers();
  std::vector<std::string> after = before;
  if (!dry_run && !before.empty()) {
    std::vector<std::uint32_t> domains = agnocast::DomainView::domains();
    if (domains.empty()) domains.push_back(agnocast::DomainView().domain());
    for (const std::uint32_t domain : domains) visit(domain);
    after = agnocast::find_leftovers();
  }
  std::vector<Value> removed;
  std::vector<Value> left;
  std::string text;
  for (const std::string& object : before) {
    const bool is_left = std::find(after.begin(), after.end(), object) != after.end();
    (is_left ? left : removed).push_back(Value::of_string(object));
    text += (is_left ? dry_run ? "would remove " : "left " : "removed ") + object + "\n";
  }
  if (before.empty()) text = "nothing to remove\n";
  const std::size_t left_count = left.size();
  print(format == Format::text
          ? text
          : document_text(Value::of_mapping({{"removed", Value::of_sequence(std::move(removed))},
                                             {"left", Value::of_sequence(std::move(left))}}),
                          format));
  if (!dry_run && left_count != 0) {
    throw Failure(
      "some objects stay: they are another user's, who can remove them by 'agnocast clean', as can "
      "root; or their domain cannot be joined");
  }
}

}  // namespace

void add_doctor(CLI::App& app, const Options& options)
{
  app.add_subcommand("doctor", "Look at this machine and say what to change")->callback([&options] {
    examine(options.format);
  });
}

void add_clean(CLI::App& app, const Options& options)
{
  CLI::App* const command =
    app.add_subcommand("clean", "Remove what dead processes left in /dev/shm and /dev/mqueue");
  const auto dry_run = std::make_shared<bool>(false);
  command->add_flag("-n,--dry-run", *dry_run, "Only say what would be removed");
  command->callback([dry_run, &options] { clean(*dry_run, options.format); });
}

void add_version(CLI::App& app, const Options& options)
{
  app.add_subcommand("version", "The version of this program")->callback([&options] {
    const Value document = Value::of_mapping({{"version", Value::of_string(AGNOCAST_CLI_VERSION)}});
    print(options.format == Format::text ? AGNOCAST_CLI_VERSION "\n"
                                         : document_text(document, options.format));
  });
}

}  // namespace cli

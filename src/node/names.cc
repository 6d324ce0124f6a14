// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/names.hpp"

#include "abi/types.h"
#include "agnocast/error.hpp"

namespace agnocast::internal {

namespace {

constexpr std::size_t name_max = AGNOCAST_NAME_BYTES - 1;

[[noreturn]] void refuse(std::string_view what, std::string_view name, const std::string& reason)
{
  throw NameError(std::string(what) + " '" + std::string(name) + "' cannot be used: " + reason);
}

bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}
bool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void check_token(std::string_view what, std::string_view name, std::string_view token)
{
  if (token.empty()) refuse(what, name, "it has an empty part; remove the repeated or last '/'");
  if (is_digit(token.front())) {
    refuse(what, name, "'" + std::string(token) + "' begins with a digit; begin it with a letter");
  }
  for (const char c : token) {
    if (!is_digit(c) && !is_letter(c) && c != '_') {
      refuse(what, name,
             "it has the character '" + std::string(1, c) +
               "'; only letters, digits and '_' are allowed, with '/' between the parts of a path");
    }
  }
  if (token.find("__") != std::string_view::npos) {
    refuse(what, name, "it has repeated underscores; use single ones");
  }
}

// "/a/b" with every part checked.
void check_path(std::string_view what, std::string_view name, std::string_view path)
{
  path.remove_prefix(1);
  for (;;) {
    const std::size_t slash = path.find('/');
    check_token(what, name, path.substr(0, slash));
    if (slash == std::string_view::npos) return;
    path.remove_prefix(slash + 1);
  }
}

void check_length(std::string_view what, std::string_view name, std::string_view full)
{
  if (full.size() > name_max) {
    refuse(what, std::string(name.substr(0, 40)) + "…",
           "it has " + std::to_string(full.size()) + " characters with its namespace, " +
             std::to_string(name_max) + " are allowed");
  }
}

}  // namespace

void check_node_name(std::string_view name)
{
  if (name.empty()) refuse("node name", name, "it is empty");
  check_length("node name", name, name);
  check_token("node name", name, name);
}

std::string full_namespace(std::string_view name)
{
  if (name.empty() || name == "/") return "/";
  std::string full = name.front() == '/' ? std::string(name) : "/" + std::string(name);
  check_length("namespace", name, full);
  check_path("namespace", name, full);
  return full;
}

std::string full_topic(std::string_view topic, std::string_view node,
                       std::string_view namespace_name)
{
  if (topic.empty()) refuse("topic name", topic, "it is empty");
  const std::string prefix = namespace_name == "/" ? std::string() : std::string(namespace_name);
  std::string full;
  if (topic.front() == '/') {
    full = topic;
  } else if (topic.front() == '~') {
    if (topic.size() < 3 || topic[1] != '/') {
      refuse("topic name", topic, "'~' must be followed by '/' and a name");
    }
    full = prefix + "/" + std::string(node) + std::string(topic.substr(1));
  } else {
    full = prefix + "/" + std::string(topic);
  }
  if (full.size() < 2) refuse("topic name", topic, "it has no name after the '/'");
  check_length("topic name", topic, full);
  check_path("topic name", topic, full);
  return full;
}

}  // namespace agnocast::internal

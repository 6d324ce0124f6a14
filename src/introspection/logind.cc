// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "introspection/logind.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>

namespace agnocast::internal {

namespace {

// In the order of precedence.
constexpr std::array folders{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd",
                             "/usr/lib/systemd", "/lib/systemd"};
constexpr uid_t first_human_user = 1000;

std::string trimmed(const std::string& text)
{
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Changes `removes` if the file says so.
void read_setting(const std::filesystem::path& path, bool& removes)
{
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::string text = trimmed(line);
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || trimmed(text.substr(0, equals)) != "RemoveIPC") continue;
    const std::string value = trimmed(text.substr(equals + 1));
    // An empty value means the default.
    removes = !(value == "no" || value == "false" || value == "off" || value == "0" ||
                value == "n" || value == "f");
  }
}

}  // namespace

bool logind_removes_ipc(const std::string& root)
{
  bool removes = true;
  std::error_code ignored;
  for (const char* folder : folders) {
    const std::filesystem::path file = root + folder + "/logind.conf";
    if (!std::filesystem::exists(file, ignored)) continue;
    read_setting(file, removes);
    break;
  }
  // By name, wherever they lie; one in a folder further up hides those of the same name.
  std::map<std::string, std::filesystem::path> additions;
  for (const char* folder : folders) {
    std::filesystem::directory_iterator entries(root + folder + "/logind.conf.d", ignored);
    if (ignored) continue;
    for (const auto& entry : entries) {
      if (entry.path().extension() == ".conf") {
        additions.emplace(entry.path().filename().string(), entry.path());
      }
    }
  }
  for (const auto& [name, path] : additions) read_setting(path, removes);
  return removes;
}

bool is_subject_to_logind()
{
  std::error_code ignored;
  if (::geteuid() < first_human_user) return false;
  if (!std::filesystem::exists("/run/systemd/system", ignored)) return false;
  char buffer[4096];
  struct passwd entry = {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) {
    return true;
  }
  return !std::filesystem::exists(std::string("/var/lib/systemd/linger/") + found->pw_name,
                                  ignored);
}

}  // namespace agnocast::internal

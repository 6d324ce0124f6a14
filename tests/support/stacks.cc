// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "support/stacks.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace agnocast::test {

namespace {

// On one line, and empty if it cannot be read.
std::string content_of(const std::filesystem::path& path)
{
  std::ifstream file(path);
  std::string text;
  for (std::string line; std::getline(file, line);) text += (text.empty() ? "" : " | ") + line;
  return text;
}

void print_threads(pid_t process, std::FILE* to)
{
  std::error_code error;
  const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    const std::filesystem::path thread = task.path();
    std::string state;
    std::ifstream status(thread / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("State:", 0) == 0) state = line.substr(7);
    }
    std::fprintf(to, "  thread %s (%s): %s; wchan %s; syscall %s\n", thread.filename().c_str(),
                 content_of(thread / "comm").c_str(), state.c_str(),
                 content_of(thread / "wchan").c_str(), content_of(thread / "syscall").c_str());
    const std::string kernel = content_of(thread / "stack");  // root only
    if (!kernel.empty()) std::fprintf(to, "    %s\n", kernel.c_str());
  }
  if (error) std::fprintf(to, "  its threads cannot be read: %s\n", error.message().c_str());
}

// 0 if there is no such process any more.
pid_t parent_of(const std::string& process)
{
  // "12 (a name with ) in it) S 11 ..."
  const std::string stat = content_of("/proc/" + process + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || stat.size() < name_end + 4) return 0;
  return static_cast<pid_t>(std::strtol(stat.c_str() + name_end + 4, nullptr, 10));
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t process)
{
  std::multimap<pid_t, pid_t> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    children.emplace(parent_of(name), static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10)));
  }
  std::vector<pid_t> found{process};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    for (auto child = begin; child != end; ++child) found.push_back(child->second);
  }
  return found;
}

void print_stacks(pid_t process, std::FILE* to)
{
  std::fprintf(to, "process %d: %s\n", process,
               content_of("/proc/" + std::to_string(process) + "/stat").c_str());
  print_threads(process, to);
  const std::string command =
    "command -v gdb > /dev/null && DEBUGINFOD_URLS= timeout 30 gdb -nx -p " +
    std::to_string(process) +
    " -batch -ex 'thread apply all bt 24' 2> /dev/null | grep -E "
    "'^(Thread|#)'";
  std::FILE* lines = ::popen(command.c_str(), "r");
  bool is_empty = true;
  char line[1024];
  while (lines != nullptr && std::fgets(line, sizeof line, lines) != nullptr) {
    is_empty = false;
    std::fprintf(to, "  %s", line);
  }
  if (lines != nullptr) ::pclose(lines);
  if (is_empty) std::fprintf(to, "  no stacks: gdb is not here, or failed\n");
  std::fflush(to);
}

}  // namespace agnocast::test

// What the conductor prints at the end.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <sstream>

#include "stress/conductor.hpp"
#include "support/domain.hpp"

namespace agnocast::stress {

void Conductor::print_findings()
{
  const std::uint32_t count = board_->findings_count.load();
  const std::size_t shown = std::min<std::size_t>({count, findings_max, 20});
  for (std::size_t i = 0; i < shown; ++i) std::printf("FOUND: %s\n", board_->findings[i].text);
  if (count > shown) std::printf("and %zu more\n", count - shown);
}

// What the actors said last on standard error: reports of sanitizers and stacks, if something was
// found. That callbacks wait for holds is nothing to speak of here.
void Conductor::print_said()
{
  if (!has_found()) return;
  std::string text;
  char part[65'536];
  ssize_t size = 0;
  for (off_t at = 0; (size = ::pread(errors_fd_, part, sizeof part, at)) > 0; at += size) {
    text.append(part, static_cast<std::size_t>(size));
  }
  std::istringstream lines(text);
  std::deque<std::string> last;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("its callback waits") != std::string::npos) continue;
    last.push_back(std::move(line));
    if (last.size() > 200) last.pop_front();
  }
  for (const std::string& line : last) std::printf("said: %s\n", line.c_str());
}

void Conductor::print_summary() const
{
  const auto line = [&](const char* what, Count count) {
    std::printf("  %-52s %12llu\n", what, static_cast<unsigned long long>(total(count)));
  };
  std::printf("stress: %.1f seconds, %zu processes, one after the other\n",
              static_cast<double>(now_ns() - began_ns_) / 1e9, pids_.size());
  line("random operations outside of callbacks", Count::deeds);
  line("messages published", Count::published);
  line("messages taken", Count::received);
  line("callbacks", Count::callbacks);
  line("subscriptions", Count::subscriptions);
  line("destroyed by their own callback", Count::own_destroyed);
  line("destroyed by another callback", Count::other_destroyed);
  line("nodes dropped by a callback while they were spun", Count::nodes_dropped);
  line("shutdowns", Count::shutdowns);
  line("processes that gave back all before they ended", Count::tidy_ends);
  line("processes that ended with all that they had", Count::untidy_ends);
  std::printf("  %-52s %12zu\n", "findings", failures_.size() + board_->findings_count.load());
  std::printf("stress: %s, seed %llu\n", has_found() ? "FAILED" : "nothing found",
              static_cast<unsigned long long>(plan_.seed));
}

}  // namespace agnocast::stress

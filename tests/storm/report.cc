// What the conductor prints: the summary, the actors' warnings, and the state of one that hangs.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "storm/conductor.hpp"
#include "support/stacks.hpp"

namespace agnocast::storm {

void Conductor::describe(std::size_t seat, const char* why)
{
  const Actor& actor = actors_[seat];
  const Seat& place = board_->seats[seat];
  std::printf("HANG: seat %zu (%s, process %d) %s; %s since %.1f s\n", seat, name_of(actor.kind),
              actor.pid, why, place.doing,
              static_cast<double>(now_ns() - place.alive_ns.load()) / 1e9);
  test::print_stacks(actor.pid, stdout);
}

std::uint64_t Conductor::total(Count what) const
{
  std::uint64_t sum = 0;
  for (const Seat& seat : board_->seats) sum += seat.counts[static_cast<std::size_t>(what)].load();
  return sum;
}

// What the actors said on standard error, each text once, numbers left out.
void Conductor::print_warnings()
{
  struct stat status = {};
  if (::fstat(errors_fd_, &status) != 0 || status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* text = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, errors_fd_, 0);
  if (text == MAP_FAILED) return;
  std::istringstream lines(std::string(static_cast<const char*>(text), size));
  std::map<std::string, std::uint64_t> counts;
  for (std::string line; std::getline(lines, line);) {
    std::string pattern;
    for (const char c : line) {
      if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
        pattern += c;
      } else if (pattern.empty() || pattern.back() != '#') {
        pattern += '#';
      }
    }
    ++counts[line.rfind("agnocast", 0) == 0 ? pattern : line];
  }
  ::munmap(text, size);
  std::size_t printed = 0;
  for (const auto& [line, count] : counts) {
    if (++printed > (plan_.verbose || !failures_.empty() ? 200u : 8u)) break;
    std::printf("said %llu times: %s\n", static_cast<unsigned long long>(count), line.c_str());
  }
}

void Conductor::print_summary()
{
  const auto line = [](const char* what, std::uint64_t value) {
    std::printf("  %-44s %12llu\n", what, static_cast<unsigned long long>(value));
  };
  std::printf("storm: %.1f seconds, %zu processes at a time, %u topics, seed %llu\n", stormed_s_,
              actors_.size(), plan_.topics, static_cast<unsigned long long>(plan_.seed));
  line("processes started", started_);
  line("forked children that used the library or ended", total(Count::forks));
  line("kills", kills_);
  line("stops", stops_);
  line("ends in order", ends_);
  line("publishers and subscriptions created", total(Count::endpoints));
  line("messages published", total(Count::published));
  line("loans dropped", total(Count::dropped_loans));
  line("publishes that timed out", total(Count::timed_out));
  line("messages received", total(Count::received));
  line("checksums compared", total(Count::verified));
  line("megabytes received", total(Count::bytes) / 1'000'000);
  line("not received: retention", total(Count::lost_retention));
  line("not received: subscription came later", total(Count::lost_late));
  line("not received: publisher gone before connected", total(Count::lost_publisher_gone));
  line("not received: unexplained", total(Count::unexplained));
  line("corrupted", total(Count::corrupted));
  line("leaked", total(Count::leaked));
  line("hangs", hangs_);
  line("other findings", failures_.size() + total(Count::errors));
}

}  // namespace agnocast::storm

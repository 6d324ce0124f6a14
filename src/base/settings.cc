// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "base/settings.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "abi/area_layout.h"

namespace agnocast::internal {

namespace {

Failure bad(const std::string& variable, const std::string& value, const std::string& wanted)
{
  return bad_setting(variable, value, wanted);
}

// Digits only (base 10), or 0x and hexadecimal digits: no sign, no blanks, no rest.
std::optional<std::uint64_t> parse_number(const std::string& text)
{
  const bool is_hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const std::size_t first = is_hex ? 2 : 0;
  if (first == text.size()) return std::nullopt;
  for (std::size_t i = first; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (is_hex ? std::isxdigit(c) == 0 : std::isdigit(c) == 0) return std::nullopt;
  }
  errno = 0;
  const unsigned long long value = std::strtoull(text.c_str(), nullptr, is_hex ? 16 : 10);
  if (errno != 0) return std::nullopt;
  return value;
}

Status read_domain(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_DOMAIN_ID");
  if (text == nullptr || *text == 0) return Nothing{};
  const auto value = parse_number(text);
  if (!value || *value > 0xffffffff) {
    return bad("AGNOCAST_DOMAIN_ID", text, "give a number from 0 to 4294967295");
  }
  settings.domain = static_cast<std::uint32_t>(*value);
  return Nothing{};
}

Status read_mempool(Settings& settings)
{
  const char* name = "AGNOCAST_MEMPOOL_SIZE";
  const char* text = std::getenv(name);
  if (text == nullptr) text = std::getenv(name = "MEMPOOL_SIZE");
  if (text == nullptr) return Nothing{};
  const auto value = parse_number(text);
  const char* wanted =
    "give the bytes that this process secures at start as a whole number above 0, "
    "such as 104857600 for 100 MiB";
  if (!value || *value == 0) return bad(name, text, wanted);
  constexpr std::uint64_t granule = Settings::mempool_granule;
  if (*value > (std::uint64_t{1} << 62)) {
    return bad(name, text, "no slot of a window is that large; leave it away, the heap grows");
  }
  settings.mempool_bytes = static_cast<std::size_t>((*value + granule - 1) / granule * granule);
  settings.mempool_source = name;
  return Nothing{};
}

Status read_heap(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_HEAP");
  if (text == nullptr || *text == 0 || std::strcmp(text, "loan") == 0) return Nothing{};
  if (std::strcmp(text, "all") != 0) return bad("AGNOCAST_HEAP", text, "give 'loan' or 'all'");
  settings.heap_all = true;
  return Nothing{};
}

Status read_access(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_ACCESS");
  if (text == nullptr || *text == 0 || std::strcmp(text, "owner") == 0) return Nothing{};
  if (std::strcmp(text, "all") == 0) {
    settings.access = Settings::Access::all;
  } else if (std::strncmp(text, "group:", 6) == 0 && text[6] != 0) {
    settings.access = Settings::Access::group;
    settings.access_group = text + 6;
  } else {
    return bad("AGNOCAST_ACCESS", text, "give 'owner', 'group:<name>' or 'all'");
  }
  return Nothing{};
}

Status read_registry(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_REGISTRY");
  if (text == nullptr || *text == 0 || std::strcmp(text, "auto") == 0) return Nothing{};
  if (std::strcmp(text, "user") == 0) {
    settings.registry = Settings::Host::user;
  } else if (std::strcmp(text, "kernel") == 0) {
    settings.registry = Settings::Host::kernel;
  } else {
    return bad("AGNOCAST_REGISTRY", text, "give 'auto', 'user' or 'kernel'");
  }
  return Nothing{};
}

Status read_window(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_WINDOW");
  if (text == nullptr || *text == 0) return Nothing{};
  const char* wanted =
    "give <base>:<size> or <base>:<size>:<slot size> in bytes, such as "
    "0x550000000000:0x4000000000; base and sizes are multiples of 64 KiB, a slot has at least "
    "64 MiB, and the window at least one slot";
  const std::string value = text;
  const std::size_t first = value.find(':');
  if (first == std::string::npos) return bad("AGNOCAST_WINDOW", value, wanted);
  const std::size_t second = value.find(':', first + 1);
  const auto base = parse_number(value.substr(0, first));
  const auto bytes = parse_number(value.substr(first + 1, second - first - 1));
  constexpr std::uint64_t addresses_end = 0x7fff00000000;
  if (!base || !bytes || *bytes > addresses_end) return bad("AGNOCAST_WINDOW", value, wanted);
  std::uint64_t slot = 0;
  if (second != std::string::npos) {
    const auto given = parse_number(value.substr(second + 1));
    if (!given) return bad("AGNOCAST_WINDOW", value, wanted);
    slot = *given;
  } else {
    slot =
      AGNOCAST_SLOT_BYTES_MIN;  // as many slots as there can be processes, if the window allows
    while (slot * 2 * 1024 <= *bytes) slot *= 2;
  }
  constexpr std::uint64_t unit = 0x10000;
  if (*base == 0 || *base % unit != 0 || *bytes % unit != 0 || slot % unit != 0 ||
      slot < AGNOCAST_SLOT_BYTES_MIN || *bytes < slot || *base + *bytes < *base ||
      *base + *bytes > addresses_end) {
    return bad("AGNOCAST_WINDOW", value, wanted);
  }
  settings.window = WindowSetting{*base, *bytes, slot};
  return Nothing{};
}

Status read_thread_priority(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_THREAD_PRIORITY");
  if (text == nullptr || *text == 0 || std::strcmp(text, "normal") == 0) return Nothing{};
  const std::string value = text;
  if (value.starts_with("fifo:")) {
    const auto priority = parse_number(value.substr(5));
    if (priority && *priority >= 1 && *priority <= 99) {
      settings.thread_fifo_priority = static_cast<int>(*priority);
      return Nothing{};
    }
  } else if (value.starts_with("nice:")) {
    const bool is_negative = value.substr(5, 1) == "-";
    const auto nice = parse_number(value.substr(is_negative ? 6 : 5));
    if (nice && *nice <= (is_negative ? 20u : 19u)) {
      settings.thread_nice = is_negative ? -static_cast<int>(*nice) : static_cast<int>(*nice);
      return Nothing{};
    }
  }
  return bad("AGNOCAST_THREAD_PRIORITY", text,
             "give 'normal', 'nice:<-20 to 19>' or 'fifo:<1 to 99>'");
}

Status read_thread_affinity(Settings& settings)
{
  const char* text = std::getenv("AGNOCAST_THREAD_AFFINITY");
  if (text == nullptr || *text == 0 || std::strcmp(text, "all") == 0) return Nothing{};
  constexpr std::uint64_t cpus_max = 8192;
  const std::string value = text;
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    const std::string part = value.substr(begin, end - begin);
    const std::size_t dash = part.find('-');
    const auto first = parse_number(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_number(part.substr(dash + 1));
    if (!first || !last || *last < *first || *last >= cpus_max) {
      return bad("AGNOCAST_THREAD_AFFINITY", text,
                 "give 'all' or numbers of CPUs and ranges of them, such as 0,2-5");
    }
    for (std::uint64_t cpu = *first; cpu <= *last; ++cpu) {
      settings.thread_cpus.push_back(static_cast<int>(cpu));
    }
    begin = end + 1;
  }
  return Nothing{};
}

}  // namespace

Failure bad_setting(const std::string& variable, const std::string& value,
                    const std::string& wanted)
{
  return {FailureKind::setting, variable + "='" + value + "' cannot be used: " + wanted};
}

Result<Settings> read_settings()
{
  Settings settings;
  for (auto* read : {read_domain, read_mempool, read_heap, read_access, read_registry, read_window,
                     read_thread_priority, read_thread_affinity}) {
    if (Status status = read(settings); !status) return std::move(status.failure());
  }
  return settings;
}

}  // namespace agnocast::internal

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "registry/registry_files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "abi/registry_layout.h"
#include "memory/names.hpp"
#include "memory/peer.hpp"
#include "os/file.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "registry/failures.hpp"
#include "registry/pages.hpp"

namespace agnocast::internal {

namespace {

bool is_number(const std::string& text)
{
  return !text.empty() && text.size() <= 10 &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

/// "agnocast_registry[.<domain>][@<user>][.lock]" without the last part; empty if it is none.
std::string registry_of_file(const std::string& file, std::uint32_t& domain)
{
  const std::string suffix = registry_lock_name("");
  std::string name = file;
  if (name.size() > suffix.size() &&
      name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
    name.resize(name.size() - suffix.size());
  }
  std::string rest = name.substr(registry_name(0).size() - 1);
  if (const std::size_t at = rest.find('@'); at != std::string::npos) {
    if (!is_number(rest.substr(at + 1))) return {};
    rest.resize(at);
  }
  domain = 0;
  if (rest.empty()) return name;
  if (rest[0] != '.' || !is_number(rest.substr(1))) return {};
  const unsigned long long number = std::stoull(rest.substr(1));
  domain = static_cast<std::uint32_t>(number);
  return number != 0 && number <= UINT32_MAX ? name : std::string();
}

bool is_alive(const PeerIdentity& process)
{
  const std::uint64_t here = os::pid_namespace();
  if (process.pid_namespace == here && here != 0 && !os::may_exist(process.pid)) return false;
  const RemainsReport remains = examine_area(process.process);
  return remains.state != Remains::dead && remains.state != Remains::none &&
         !remains.is_of_another(process.process_id);
}

bool has_living_area(std::uint32_t user)
{
  const std::vector<std::string> areas = os::list_shared(area_prefix);
  return std::any_of(areas.begin(), areas.end(), [&](const std::string& file) {
    const auto status = os::status_of_shared("/" + file);
    const long pid = std::strtol(file.c_str() + std::strlen(area_prefix), nullptr, 10);
    return status && status->uid == user && os::may_exist(static_cast<pid_t>(pid));
  });
}

/// Another user's registry in which nobody lives. Its maker may not have got to its own area yet.
bool is_abandoned(const std::string& registry)
{
  for (int i = 0; i < 100; ++i) {
    if (is_inhabited(registry)) return false;
    os::sleep_ns(2'000'000);
  }
  return true;
}

std::string registry_of_user(std::uint32_t domain, std::uint32_t user)
{
  return registry_name(domain) + "@" + std::to_string(user);
}

/// Whether this user, or root, has made the registry and its lock, as far as they are there.
bool is_own(const std::string& registry)
{
  const std::uint32_t self = os::effective_user();
  const auto is_foreign = [&](const std::string& name) {
    const auto status = os::status_of_shared(name);
    return status && status->uid != self;
  };
  return self == 0 || (!is_foreign(registry) && !is_foreign(registry_lock_name(registry)));
}

/// Whether this process may begin anew in the registry that another user has left.
bool may_be_inherited(const Settings& settings, const std::string& registry)
{
  const auto status = os::status_of_shared(registry);
  if (!status || !os::open_shared(registry, O_RDWR)) return false;
  return static_cast<bool>(admit_owner(settings, owner_of(*status), registry));
}

}  // namespace

std::vector<std::string> registry_files(std::uint32_t domain)
{
  std::vector<std::string> found;
  for (const std::string& file : os::list_shared(registry_name(0).substr(1))) {
    std::uint32_t of = 0;
    const std::string name = registry_of_file(file, of);
    if (!name.empty() && of == domain) found.push_back("/" + name);
  }
  std::sort(found.begin(), found.end());  // the shortest, which is the domain's own, first
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::uint32_t> domains_with_files()
{
  std::vector<std::uint32_t> found;
  for (const std::string& file : os::list_shared(registry_name(0).substr(1))) {
    std::uint32_t domain = 0;
    if (!registry_of_file(file, domain).empty()) found.push_back(domain);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool is_inhabited(const std::string& registry)
{
  const auto status = os::status_of_shared(registry);
  if (!status) return false;
  const os::Descriptor file = os::open_shared(registry, O_RDONLY);
  // What is no registry at all is for who joins to complain of.
  if (!file) return errno == EACCES ? has_living_area(status->uid) : errno != ENOENT;
  const auto pages = std::make_unique<agnocast_registry>();
  const ssize_t bytes = os::read_at(file.get(), pages.get(), sizeof *pages, 0);
  if (bytes <= 0 || pages->header.magic == 0) return false;
  if (bytes != static_cast<ssize_t>(sizeof *pages) ||
      pages->header.magic != AGNOCAST_REGISTRY_MAGIC ||
      pages->header.abi_version != AGNOCAST_ABI_VERSION) {
    return true;
  }
  const RegistryPages view(pages.get());
  const std::vector<PeerIdentity> live = view.processes();
  const std::vector<PeerIdentity> joining = view.joining();
  return std::any_of(live.begin(), live.end(), is_alive) ||
         std::any_of(joining.begin(), joining.end(), is_alive);
}

std::string registry_to_join(const Settings& settings)
{
  const std::string usual = registry_name(settings.domain);
  const std::vector<std::string> files = registry_files(settings.domain);
  const bool is_usual = files.empty() || (files.size() == 1 && files[0] == usual);
  if (is_usual && is_own(usual)) return usual;
  for (const std::string& file : files) {
    if (is_inhabited(file)) return file;
  }
  for (const std::string& file : files) {
    if (is_own(file)) return file;
  }
  for (const std::string& file : files) {
    if (!is_abandoned(file) || may_be_inherited(settings, file)) return file;
  }
  if (std::find(files.begin(), files.end(), usual) == files.end()) return usual;
  return registry_of_user(settings.domain, os::effective_user());
}

std::string registry_to_read(std::uint32_t domain)
{
  const std::vector<std::string> files = registry_files(domain);
  if (files.size() == 1 && os::open_shared(files[0], O_RDONLY)) return files[0];
  for (const std::string& file : files) {
    if (is_inhabited(file)) return file;
  }
  // What dead processes left in it may be of interest to who can read it.
  for (const std::string& file : files) {
    if (os::open_shared(file, O_RDONLY)) return file;
  }
  return {};
}

bool is_left_by_another_user(const std::string& process)
{
  const auto status = os::status_of_shared(area_name(process));
  if (!status || status->uid == os::effective_user()) return false;
  const os::Descriptor file = os::open_shared(area_name(process), O_RDONLY);
  return !file && errno == EACCES &&
         !os::may_exist(static_cast<pid_t>(std::strtol(process.c_str(), nullptr, 10)));
}

}  // namespace agnocast::internal

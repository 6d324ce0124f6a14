// What the tests of process lifecycles share: a message with containers, what is left of a
// process, and what a call threw, as a line of text.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agnocast/agnocast.hpp"
#include "support/process.hpp"

namespace agnocast::test {

struct Report
{
  std::uint64_t number = 0;
  std::string name;
  std::vector<std::uint64_t> values;
  std::map<std::uint64_t, std::string> entries;
};

inline void fill(Report& report, std::uint64_t number, std::size_t values = 1000)
{
  report.number = number;
  report.name = "report number " + std::to_string(number) + ", longer than a short string";
  report.values.assign(values, number);
  for (std::uint64_t i = 0; i < 50; ++i) {
    report.entries[number * i] = "entry " + std::to_string(i) + " of a map, also long enough";
  }
}

/// Walks everything.
inline bool is_whole(const Report& report, std::uint64_t number, std::size_t values = 1000)
{
  Report expected;
  fill(expected, number, values);
  return report.number == expected.number && report.name == expected.name &&
         report.values == expected.values && report.entries == expected.entries;
}

inline void publish_report(Publisher<Report>& publisher, std::uint64_t number,
                           std::size_t values = 1000)
{
  auto loan = publisher.borrow_loaned_message();
  fill(*loan, number, values);
  publisher.publish(std::move(loan));
}

/// The next message, waited for; empty if none comes.
template <class T>
ipc_shared_ptr<const T> await_message(Subscription<T>& subscription)
{
  ipc_shared_ptr<const T> message;
  eventually([&] { return static_cast<bool>(message = subscription.take()); });
  return message;
}

inline bool file_exists(const std::string& path)
{
  struct stat status = {};
  return ::lstat(path.c_str(), &status) == 0;
}

inline bool queue_exists(const std::string& name)
{
  const mqd_t queue = ::mq_open(name.c_str(), O_RDONLY);
  if (queue < 0) return errno != ENOENT;
  ::mq_close(queue);
  return true;
}

inline std::string registry_path()
{
  return std::string("/dev/shm/agnocast_registry.") + std::getenv("AGNOCAST_DOMAIN_ID");
}

/// Whether somebody is in the domain, or was and is still registered: wherever the registry is
/// kept.
inline bool registry_exists()
{
  const char* const host = std::getenv("AGNOCAST_REGISTRY");
  if (host == nullptr || std::string(host) != "kernel") return file_exists(registry_path());
  return !DomainView().snapshot().processes.empty();
}

inline std::string area_path(pid_t pid)
{
  return "/dev/shm/agnocast@" + std::to_string(pid);
}

/// The shared objects of a process that exist, by kind; empty if there are none.
inline std::string remains_of(pid_t pid)
{
  std::string text;
  if (file_exists(area_path(pid))) text += "area ";
  if (file_exists("/dev/shm/agnocast_doorbell@" + std::to_string(pid))) text += "doorbell ";
  if (queue_exists("/new_publisher@" + std::to_string(pid))) text += "queue ";
  return text;
}

/// How many lines of /proc/self/maps name the area of \p pid.
inline int mappings_of(pid_t pid)
{
  std::ifstream maps("/proc/self/maps");
  const std::string wanted = "/agnocast@" + std::to_string(pid);
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    const std::size_t found = line.find(wanted);
    if (found == std::string::npos) continue;
    const std::size_t end = found + wanted.size();
    if (end == line.size() || line[end] == ' ') ++count;
  }
  return count;
}

/// "nothing thrown", or the exception's type and text.
template <class F>
std::string outcome_of(F&& call)
{
  try {
    std::forward<F>(call)();
  } catch (const NameError& error) {
    return std::string("NameError: ") + error.what();
  } catch (const SettingError& error) {
    return std::string("SettingError: ") + error.what();
  } catch (const TypeMismatchError& error) {
    return std::string("TypeMismatchError: ") + error.what();
  } catch (const ResourceError& error) {
    return std::string("ResourceError: ") + error.what();
  } catch (const RegistryError& error) {
    return std::string("RegistryError: ") + error.what();
  } catch (const UsageError& error) {
    return std::string("UsageError: ") + error.what();
  } catch (const std::bad_alloc& error) {
    return std::string("bad_alloc: ") + error.what();
  }
  return "nothing thrown";
}

/// Runs \p body in a process of its own that then ends in order; what it returned.
inline std::string in_process(const std::function<std::string()>& body)
{
  Process process([&](Channel& channel) { channel.say(body()); });
  std::string said = process.hear();
  EXPECT_EQ(process.wait(), 0) << said;
  return said;
}

/// What happens to a process that joins with one publisher and one subscription.
inline std::string outcome_of_joining(const std::string& topic = "/joining")
{
  return outcome_of([&] {
    Node node("joiner");
    auto publisher = node.create_publisher<Report>(topic, QoS(1));
    auto subscription = node.create_subscription<Report>(topic, QoS(1));
    publish_report(*publisher, 7);
    auto message = subscription->take();
    require(message && is_whole(*message, 7), "a process can talk to itself");
  });
}

/// For tests that end processes by force: afterwards, the next process to come tidies the domain.
class ForcefulTest : public testing::Test
{
 protected:
  void TearDown() override
  {
    EXPECT_EQ(in_process([] { return outcome_of_joining(); }), "nothing thrown");
  }
};

inline testing::AssertionResult contains(const std::string& text,
                                         const std::vector<std::string>& parts)
{
  for (const std::string& part : parts) {
    if (text.find(part) == std::string::npos) {
      return testing::AssertionFailure() << "'" << part << "' is not in '" << text << "'";
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace agnocast::test

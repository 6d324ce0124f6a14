// A look into a domain from outside, whose registry and whose areas have any content.
//
// A real domain, of this process alone, is copied to files of other names; each input changes the
// copies in some places, and they are looked at as the tools look at any domain.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "abi/area_layout.h"
#include "abi/registry_layout.h"
#include "input.hpp"

namespace {

using namespace agnocast;
using fuzz::must;

struct Message
{
  std::string text;
  std::map<std::string, std::vector<int>> parts;
};

constexpr std::uint32_t real_domain_base = 5'000'000;
constexpr std::size_t area_bytes = 1 << 20;  ///< of the copy: what lies in front of the heap

std::string registry_path(std::uint32_t domain)
{
  return "/dev/shm/agnocast_registry." + std::to_string(domain);
}

std::vector<std::byte> read_file(const std::string& path, std::size_t bytes)
{
  std::vector<std::byte> content(bytes);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t count = pread(file, content.data(), bytes, 0);
  must(count > 0, "the real domain can be read");
  content.resize(static_cast<std::size_t>(count));
  close(file);
  return content;
}

class Copy
{
 public:
  Copy(std::string path, std::vector<std::byte> content)
    : path_(std::move(path)),
      content_(std::move(content)),
      file_(open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))
  {
    must(
      pwrite(file_, content_.data(), content_.size(), 0) == static_cast<ssize_t>(content_.size()),
      "a copy can be written");
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy()
  {
    close(file_);
    unlink(path_.c_str());
  }
  void change(std::size_t offset, std::uint64_t value, std::size_t count)
  {
    offset %= content_.size() - sizeof value;
    changed_.push_back(offset);
    static_cast<void>(
      !pwrite(file_, &value, std::min(count, sizeof value), static_cast<off_t>(offset)));
  }
  void restore()
  {
    for (const std::size_t offset : changed_) {
      static_cast<void>(
        !pwrite(file_, &content_[offset], sizeof(std::uint64_t), static_cast<off_t>(offset)));
    }
    changed_.clear();
  }

 private:
  const std::string path_;
  const std::vector<std::byte> content_;
  const int file_;
  std::vector<std::size_t> changed_;
};

class Domain
{
 public:
  Domain()
  {
    const std::uint32_t real = real_domain_base + 2 * static_cast<std::uint32_t>(getpid());
    setenv("AGNOCAST_DOMAIN_ID", std::to_string(real).c_str(), 1);
    node_ = std::make_shared<Node>("fuzzed");
    PublisherOptions options;
    options.require_hook = false;  // no container is ever filled
    publisher_ = node_->create_publisher<Message>("/fuzzed", QoS(4), options);
    subscription_ = node_->create_subscription<Message>("/fuzzed", QoS(4));
    publisher_->publish(publisher_->borrow_loaned_message());
    must(static_cast<bool>(subscription_->take()), "the real domain works");

    std::vector<std::byte> registry = read_file(registry_path(real), sizeof(agnocast_registry));
    auto* const record = reinterpret_cast<agnocast_registry*>(registry.data())->processes;
    const auto of_this =
      std::find_if(record, record + AGNOCAST_PROCESS_CAPACITY,
                   [](const agnocast_process_record& r) { return r.state == AGNOCAST_LIVE; });
    const std::string name(of_this->name);
    std::snprintf(of_this->name, sizeof of_this->name, "%s.7", name.c_str());
    slot_ = static_cast<std::size_t>(of_this - record);
    const std::string area = "/dev/shm/agnocast@" + name;
    area_ = std::make_unique<Copy>(area + ".7", read_file(area, area_bytes));
    registry_ = std::make_unique<Copy>(registry_path(real + 1), std::move(registry));
    view_ = std::make_unique<DomainView>(real + 1);
    must(look() == 2, "the copies can be read");
  }

  /// Where records, rings, connections and descriptions lie, and now and then anywhere.
  void change(fuzz::Input& input)
  {
    const auto where = input.get<std::uint8_t>() % 6;
    const std::size_t at = input.get<std::uint16_t>();
    const auto value = input.get<std::uint64_t>();
    const std::size_t count = 1 + input.get<std::uint8_t>() % 8U;
    constexpr std::size_t control_used = 0x4000;
    switch (where) {
      case 0:
        return registry_->change(at % sizeof(agnocast_registry_header), value, count);
      case 1:
        return registry_->change(offsetof(agnocast_registry, processes) +
                                   slot_ * sizeof(agnocast_process_record) +
                                   at % sizeof(agnocast_process_record),
                                 value, count);
      case 2:
        return registry_->change(
          offsetof(agnocast_registry, topics) + at % (2 * sizeof(agnocast_topic_record)), value,
          count);
      case 3:
        return registry_->change(
          offsetof(agnocast_registry, endpoints) + at % (3 * sizeof(agnocast_endpoint_record)),
          value, count);
      case 4:
        return area_->change(at % sizeof(agnocast_area_header), value, count);
      default:
        return area_->change(AGNOCAST_CONTROL + at % control_used, value, count);
    }
  }

  void restore()
  {
    registry_->restore();
    area_->restore();
  }

  /// How many endpoints there are of which a description can be read.
  std::size_t look() const
  {
    std::size_t described = 0;
    try {
      const DomainSnapshot snapshot = view_->snapshot();
      for (const EndpointInfo& endpoint : snapshot.endpoints) {
        must(endpoint.topic < snapshot.topics.size(), "an endpoint has a topic");
        must(endpoint.retained <= endpoint.published, "no more is kept than was published");
        if (const auto description = view_->description(snapshot, endpoint)) {
          must(!description->schema().empty(), "a description has a text");
          ++described;
        }
      }
    } catch (const Error&) {
    }
    return described;
  }

 private:
  std::shared_ptr<Node> node_;
  Publisher<Message>::SharedPtr publisher_;
  Subscription<Message>::SharedPtr subscription_;
  std::size_t slot_ = 0;
  std::unique_ptr<Copy> registry_;
  std::unique_ptr<Copy> area_;
  std::unique_ptr<DomainView> view_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes)
{
  static Domain domain;
  fuzz::Input input(data, bytes);
  for (int i = 0; i < 16 && input.any(); ++i) domain.change(input);
  domain.look();
  domain.restore();
  return 0;
}

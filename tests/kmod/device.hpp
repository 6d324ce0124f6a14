// The device by its bare commands, without the library.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>

#include "abi/kernel_interface.h"

namespace agnocast::test {

/// All commands of the interface; the number of each is its place, from 1.
inline constexpr unsigned long every_command[] = {AGNOCAST_GET_VERSION_CMD,
                                                  AGNOCAST_ENTER_CMD,
                                                  AGNOCAST_LOOK_CMD,
                                                  AGNOCAST_ADD_PROCESS_CMD,
                                                  AGNOCAST_REMOVE_PROCESS_CMD,
                                                  AGNOCAST_ADD_PUBLISHER_CMD,
                                                  AGNOCAST_ADD_SUBSCRIBER_CMD,
                                                  AGNOCAST_CLOSE_SUBSCRIBER_CMD,
                                                  AGNOCAST_REMOVE_PUBLISHER_CMD,
                                                  AGNOCAST_REMOVE_SUBSCRIBER_CMD,
                                                  AGNOCAST_TAKE_TURN_CMD,
                                                  AGNOCAST_GIVE_TURN_CMD,
                                                  AGNOCAST_FORGET_PROCESS_CMD,
                                                  AGNOCAST_FINISH_PROCESS_CMD};

/// One open file of the device. Its calls return 0 or an errno.
class Device
{
 public:
  Device() : file_(open(AGNOCAST_DEVICE, O_RDWR | O_CLOEXEC)), error_(file_ < 0 ? errno : 0) {}
  ~Device() { close(); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] int file() const { return file_; }
  [[nodiscard]] int error() const { return error_; }
  void close()
  {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
  }
  int call(unsigned long command, void* argument) const
  {
    return ioctl(file_, command, argument) == 0 ? 0 : errno;
  }
  int enter(std::uint32_t domain, std::uint32_t access = AGNOCAST_ACCESS_OWNER) const
  {
    agnocast_enter_args args = {};
    args.domain = domain;
    args.access = access;
    return call(AGNOCAST_ENTER_CMD, &args);
  }
  /// nullptr, with errno, if it cannot be mapped so.
  [[nodiscard]] const agnocast_registry* map(int protection = PROT_READ, int flags = MAP_SHARED,
                                             std::size_t bytes = sizeof(agnocast_registry)) const
  {
    void* const got = mmap(nullptr, bytes, protection, flags, file_, 0);
    return got == MAP_FAILED ? nullptr : static_cast<const agnocast_registry*>(got);
  }

 private:
  int file_;
  int error_;
};

/// This process as a member of a domain, by a mapping alone.
class Member
{
 public:
  explicit Member(std::uint32_t domain, std::uint32_t access = AGNOCAST_ACCESS_OWNER)
    : domain_(domain)
  {
    const Device device;
    error_ = device.enter(domain, access);
    if (error_ == 0) pages_ = device.map();
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { leave(); }

  void leave()
  {
    if (pages_ != nullptr) munmap(const_cast<agnocast_registry*>(pages_), sizeof *pages_);
    pages_ = nullptr;
  }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] const agnocast_registry& pages() const { return *pages_; }

  int begin_process(std::uint32_t slot, const std::string& name)
  {
    agnocast_process_args args = {};
    args.domain = domain_;
    args.slot = slot;
    std::snprintf(args.name, sizeof args.name, "%s", name.c_str());
    return Device().call(AGNOCAST_ADD_PROCESS_CMD, &args);
  }
  int finish_process() { return Device().call(AGNOCAST_FINISH_PROCESS_CMD, &domain_); }
  int add_process(std::uint32_t slot, const std::string& name)
  {
    const int error = begin_process(slot, name);
    return error != 0 ? error : finish_process();
  }
  int add_endpoint(const std::string& topic, agnocast_ticket_args& ticket,
                   unsigned long command = AGNOCAST_ADD_PUBLISHER_CMD,
                   std::uint64_t type_hash = 1) const
  {
    agnocast_endpoint_args args = {};
    args.domain = domain_;
    args.depth = 1;
    args.type_hash = type_hash;
    args.type_bytes = 8;
    args.type_alignment = 8;
    std::snprintf(args.topic_name, sizeof args.topic_name, "%s", topic.c_str());
    std::snprintf(args.node, sizeof args.node, "/node");
    std::snprintf(args.type_name, sizeof args.type_name, "i");
    const int error = Device().call(command, &args);
    ticket = {domain_, args.index, args.id};
    return error;
  }
  [[nodiscard]] int remove(agnocast_ticket_args ticket,
                           unsigned long command = AGNOCAST_REMOVE_PUBLISHER_CMD) const
  {
    return Device().call(command, &ticket);
  }
  int take_turn() { return Device().call(AGNOCAST_TAKE_TURN_CMD, &domain_); }
  int give_turn() { return Device().call(AGNOCAST_GIVE_TURN_CMD, &domain_); }

  [[nodiscard]] std::size_t processes() const
  {
    std::size_t count = 0;
    for (const auto& record : pages_->processes) count += record.state == AGNOCAST_LIVE;
    return count;
  }
  [[nodiscard]] std::size_t endpoints() const
  {
    std::size_t count = 0;
    for (const auto& record : pages_->endpoints) count += record.state == AGNOCAST_LIVE;
    return count;
  }

 private:
  std::uint32_t domain_;
  int error_ = 0;
  const agnocast_registry* pages_ = nullptr;
};

}  // namespace agnocast::test

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/queue.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/file.hpp"

namespace agnocast::internal::os {

bool Queue::open(const std::string& name, std::size_t message_bytes, mode_t mode, long group)
{
  const StandardPlaces taken;
  ::mq_unlink(name.c_str());
  mq_attr attributes = {};
  attributes.mq_maxmsg = 10;
  attributes.mq_msgsize = static_cast<long>(message_bytes);
  descriptor_ = above_standard(
    ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC, mode, &attributes));
  if (descriptor_ < 0) return false;
  ::fchmod(descriptor_, mode);  // the mask of the process must not lock out who may join
  if (group >= 0)
    static_cast<void>(::fchown(descriptor_, static_cast<uid_t>(-1), static_cast<gid_t>(group)) ==
                      0);
  struct stat status = {};
  ::fstat(descriptor_, &status);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return true;
}

bool Queue::still_ours() const
{
  struct stat status = {};
  return descriptor_ >= 0 && ::fstat(descriptor_, &status) == 0 && status.st_dev == device_ &&
         status.st_ino == inode_;
}

bool Queue::check() noexcept
{
  if (!still_ours()) descriptor_ = -1;
  return is_open();
}

bool Queue::receive(void* target, std::size_t bytes, std::size_t& got)
{
  if (!check()) return false;
  const ssize_t received = ::mq_receive(descriptor_, static_cast<char*>(target), bytes, nullptr);
  if (received < 0) return false;
  got = static_cast<std::size_t>(received);
  return true;
}

bool Queue::reopen(const std::string& name)
{
  const StandardPlaces taken;
  descriptor_ = above_standard(::mq_open(name.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (descriptor_ < 0 || still_ours()) return descriptor_ >= 0;
  ::mq_close(descriptor_);  // another's, under our name
  descriptor_ = -1;
  return false;
}

void Queue::close()
{
  if (still_ours()) ::mq_close(descriptor_);
  descriptor_ = -1;
}

bool send_to_queue(const std::string& name, const void* source, std::size_t bytes)
{
  const StandardPlaces taken;
  const mqd_t queue = ::mq_open(name.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (queue < 0) return false;
  const bool sent = ::mq_send(queue, static_cast<const char*>(source), bytes, 0) == 0;
  ::mq_close(queue);
  return sent;
}

bool queue_exists(const std::string& name)
{
  const mqd_t queue = ::mq_open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (queue < 0) return errno == EACCES;
  ::mq_close(queue);
  return true;
}

bool unlink_queue(const std::string& name)
{
  return ::mq_unlink(name.c_str()) == 0;
}

}  // namespace agnocast::internal::os

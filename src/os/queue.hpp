// POSIX message queues for announcements.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace agnocast::internal::os {

/// The receiving end of a queue. Survives that the program closes all its descriptors: it then
/// touches the number no more. For one thread.
class Queue
{
 public:
  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Makes the queue anew. False on failure, with errno.
  bool open(const std::string& name, std::size_t message_bytes, mode_t mode, long group);
  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  /// False also if its descriptor is not ours any more; it is forgotten then.
  bool check() noexcept;
  /// The descriptor to poll, or -1.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// True if a message was there; its bytes in `got`, which is at most `bytes`.
  bool receive(void* target, std::size_t bytes, std::size_t& got);
  /// After the program has closed it: opens the same queue again. False if it is not there.
  bool reopen(const std::string& name);
  void close();

 private:
  [[nodiscard]] bool still_ours() const;
  int descriptor_ = -1;
  unsigned long device_ = 0, inode_ = 0;
};

/// Never blocks. False if there is no such queue, it is full, or it is closed to us.
bool send_to_queue(const std::string& name, const void* source, std::size_t bytes);
/// Whether the name is taken; false where there are no message queues.
bool queue_exists(const std::string& name);
bool unlink_queue(const std::string& name);

}  // namespace agnocast::internal::os

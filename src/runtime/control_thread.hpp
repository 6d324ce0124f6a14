// The thread "agnocast": announcements, deaths of peers, early reclaim.
//
// It holds the robust futex word of the area, by which peers know that the process lives. All
// descriptors it waits on may be closed by the program at any time (daemons do that): it checks
// that they are still its own before it reads from them or closes them.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "memory/area.hpp"
#include "memory/peer.hpp"
#include "os/process.hpp"
#include "os/queue.hpp"

namespace agnocast::internal {

class Runtime;

class ControlThread
{
 public:
  /// Starts the thread and waits until it holds the area's robust word.
  Status start(Runtime& runtime, Area& area, const Permissions& permissions);
  void stop();
  /// In a forked child: the thread does not exist here.
  void abandon() noexcept;
  /// Makes it look at once: the peers to watch have changed.
  void poke();
  [[nodiscard]] bool has_queue() const noexcept { return has_queue_.load(); }

 private:
  struct Watch
  {
    std::uint64_t process_id;
    int descriptor;
    std::uint64_t device, inode;
    bool is_ready = false;  ///< the process has ended, or the descriptor is not ours any more
  };

  void run();
  void wait_for_work();
  void work();
  [[nodiscard]] bool has_ended(const PeerArea& peer);
  void receive_announcements();
  void prepare();
  void watch_new_peers();
  void look_for_deaths();
  void complain_of_broken();
  void complain_of_removed();
  void reclaim();
  void tell_figures();
  void retry_unreachable();
  [[nodiscard]] int timeout_ms();
  static void drop_watch(Watch& watch) noexcept;

  Runtime* runtime_ = nullptr;
  Area* area_ = nullptr;
  os::Thread thread_;
  os::Queue queue_;
  std::atomic<bool> has_queue_{false};
  std::atomic<bool> stop_{false};
  std::uint32_t running_ = 0;  ///< a futex word: 1 when the robust word is held
  std::vector<Watch> watches_;
  bool has_unwatched_peer_ = false;
  bool has_messages_ = false;
  bool has_unreachable_ = false;
  bool has_unsettled_ = false;  ///< changes of the registry that could not be made yet
  std::int64_t look_for_removed_at_ns_ = 0;
  Once area_said_, bell_said_;
};

}  // namespace agnocast::internal

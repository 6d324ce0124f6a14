// The thread "agnocast": announcements, deaths of peers, and a look at what may be freed.
//
// It holds the robust futex word of the area, by which peers know that the process lives; so it
// runs until the process ends. It sleeps until something is to be done: a message in its queue, the
// end of a peer (a pidfd each), somebody's poke(). Its looks at publishers, at what could not be
// reached and at the figures for tools come 50 ms apart while they find something, and up to 1 s
// apart while they do not. What may take long is for Workers. All descriptors may be closed by the
// program at any time (daemons do that): see os/epoll.hpp.
//
// A death is noticed by all who have the area mapped, in the same moment. Each marks it, connects
// to what can still be read, and wakes its own; to clean up, each waits a time of its own, and the
// first one does it for all.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "memory/area.hpp"
#include "memory/peer.hpp"
#include "os/epoll.hpp"
#include "os/process.hpp"
#include "os/queue.hpp"
#include "runtime/workers.hpp"

namespace agnocast::internal {

class Runtime;

class ControlThread
{
 public:
  struct Setup
  {
    const Permissions& permissions;
    os::Scheduling scheduling;
  };

  /// Starts the thread and waits until it holds the area's robust word.
  Status start(Runtime& runtime, Area& area, const Setup& setup);
  /// For a join that fails: ends the thread, if there is one. Allocates nothing.
  void stop() noexcept;
  /// At the end of the process: the thread does nothing more, but holds the robust word to the end.
  void park();
  /// In a forked child: the thread does not exist here.
  void abandon() noexcept;
  /// Makes it look at once: there are other peers to watch, or there is more to free.
  void poke() noexcept;
  /// Message destructors run on no thread of the library from here on.
  void end_user_code() noexcept { workers_.end_user_code(); }

 private:
  /// A process that has areas mapped here.
  struct Watch
  {
    enum class State { lives, dead, cleaned };
    PeerIdentity identity;
    int descriptor = -1;  ///< -1: its end cannot be waited for
    State state = State::lives;
    std::int64_t clean_up_at_ns = 0;  ///< while dead
    std::uint64_t seen = 0;           ///< the number of the last look that found it mapped
  };

  void run(const os::Scheduling& scheduling);
  void rest();
  void close_queue() noexcept;
  void open_descriptors();
  [[nodiscard]] int timeout_ms();
  void work(const os::Epoll::Ready& ready);
  void receive_announcements();
  void prepare();
  void complain_of_removed();
  void look_soon();
  void look();
  bool tell_figures();
  bool look_at_registry();

  // In deaths.cc.
  void watch_peers();
  bool watch_end_of(Watch& watch);
  void watch_all_anew() noexcept;
  void drop_descriptor(Watch& watch) noexcept;
  [[nodiscard]] bool is_of_own_namespace(const Watch& watch) const;
  [[nodiscard]] bool has_ended(const Watch& watch) const;
  void look_for_deaths(const os::Epoll::Ready& ready);
  void note_deaths(const std::vector<std::uint64_t>& dead);
  [[nodiscard]] std::int64_t own_delay_ns(std::uint64_t dead) const;
  void clean_up_after_dead();
  void recover(const std::vector<PeerIdentity>& dead);
  void complain_of_broken(const std::vector<std::shared_ptr<PeerArea>>& peers);

  Runtime* runtime_ = nullptr;
  Area* area_ = nullptr;
  os::Thread thread_;
  os::Epoll epoll_;
  os::Queue queue_;
  bool has_queue_ = false;  ///< there is one, whether its descriptor is ours or not
  std::string queue_name_;
  Workers workers_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> park_{false};
  std::uint32_t running_ = 0;                 ///< a futex word, see run() and rest()
  os::SchedulingFailure scheduling_failure_;  ///< set before running_

  std::unordered_map<std::uint64_t, Watch> watches_;  ///< by process id
  std::uint64_t seen_peers_ = 0;                      ///< version of the table of peers
  std::uint64_t watch_look_ = 0;
  bool has_unwatched_peer_ = false;
  std::size_t dead_count_ = 0;  ///< watches in state dead
  int look_period_ms_ = 50;
  bool must_look_again_ = false;   ///< the next look is followed by another one soon
  std::int64_t looked_at_ns_ = 0;  ///< when the last look was
  std::int64_t look_at_ns_ = 0;
  std::int64_t scan_at_ns_ = 0;  ///< when the words of all peers are looked at
  std::int64_t look_for_removed_at_ns_ = 0;

  std::mutex recovered_mutex_;
  std::vector<std::uint64_t> recovered_;  ///< by a worker; guarded by recovered_mutex_
  Once area_said_, bell_said_;
};

}  // namespace agnocast::internal

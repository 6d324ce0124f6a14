// The other process of a measurement: starting it, knowing that it lives, and waiting for it.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// The measurement cannot be made or went wrong; the program prints it and exits with status 1.
class Failure : public std::runtime_error
{
 public:
  using std::runtime_error::runtime_error;
};

/// Where the two processes run.
struct Pins
{
  int ping = 0;
  int pong = 1;
  [[nodiscard]] bool same_core() const noexcept { return ping == pong; }
};

/// Checks that the process may run on both cores. If `lenient`, a core that is missing is replaced
/// by one that is there, and that is said; otherwise it is a Failure.
Pins usable_pins(const std::vector<int>& cores, bool lenient);
void pin_this_process(int core);

/// The peer process. In the ping process it owns the child: it ends it when it is destroyed.
class Peer
{
 public:
  /// Starts this program anew with the given arguments; file descriptors without FD_CLOEXEC stay
  /// open in it.
  static Peer start(const std::vector<std::string>& arguments);
  /// The parent of this process, which is killed by the kernel if the parent dies.
  static Peer parent(pid_t expected);

  Peer(Peer&& other) noexcept;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Throws Failure if the peer is no more.
  void check();
  /// Waits for the child to exit with status 0.
  void join();
  /// True if the main thread of the child sleeps in the kernel now.
  [[nodiscard]] bool asleep() const;

 private:
  explicit Peer(pid_t pid) noexcept : pid_(pid) {}
  [[nodiscard]] bool ended(int wait_flags);

  pid_t pid_;
  bool is_child_ = false;
  int stat_fd_ = -1;
  int exit_status_ = -1;
};

/// One wait for something that the peer does: it ends with a Failure when the peer has died or
/// after a time limit. Costs a counter as long as things go well.
class Patience
{
 public:
  Patience(Peer& peer, const char* awaited) noexcept : peer_(peer), awaited_(awaited) {}

  /// For measured loops: never gives up the core.
  void spin()
  {
    if ((++turns_ & 0xffff) == 0) check();
  }
  /// For loops that are not measured: lets others have the core if the peer needs it too.
  void rest(bool same_core);
  /// For loops that sleep by themselves.
  void check();

 private:
  static constexpr std::uint64_t limit_ns = 20'000'000'000;

  Peer& peer_;
  const char* awaited_;
  std::uint32_t turns_ = 0;
  std::uint64_t deadline_ns_ = 0;
};

/// The same rule for every sleeping receiver: the kernel says that it sleeps, and then its core has
/// had the time to go idle.
void wait_until_asleep(Peer& peer, bool same_core);

}  // namespace bench

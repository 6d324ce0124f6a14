// Which callbacks of a subscription run now, and that none runs once it is closed.
//
// Invariants
// 1. A run exists only if enter() came before close(): once closed, no new one begins.
// 2. close() returns when no other thread has a run, unless each of those waits, directly or
// through
//    others, for a callback of the calling thread to end. Then somebody must not wait, or all would
//    for ever: the one who would close the circle does not.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace agnocast::internal {

/// Thread-safe. A thread may be inside several times: a callback may spin its own node.
class CallbackGate
{
 public:
  /// One call of the callback; lies on the stack of the thread that makes it.
  class Run
  {
   public:
    explicit Run(CallbackGate& gate) noexcept;
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    /// False if the gate is closed: the callback must not be called.
    [[nodiscard]] bool is_allowed() const noexcept { return is_allowed_; }

   private:
    friend class CallbackGate;
    CallbackGate& gate_;
    const std::thread::id thread_ = std::this_thread::get_id();
    Run* next_ = nullptr;
    bool is_allowed_ = false;
  };

  CallbackGate() = default;
  CallbackGate(const CallbackGate&) = delete;
  CallbackGate& operator=(const CallbackGate&) = delete;

  /// Waits for the runs of other threads. Costs a lock if there are none.
  void close();
  /// True if no thread is inside.
  [[nodiscard]] bool is_empty();

 private:
  [[nodiscard]] bool has_run_of_others(std::thread::id self) const noexcept;
  [[nodiscard]] bool has_run_of(std::thread::id thread);
  [[nodiscard]] bool is_held_up_by(std::thread::id self);

  std::mutex mutex_;  ///< guards all below; taken after the lock of all waiters
  std::condition_variable left_;
  Run* runs_ = nullptr;
  bool is_closed_ = false;
  bool is_waited_for_ = false;
};

}  // namespace agnocast::internal

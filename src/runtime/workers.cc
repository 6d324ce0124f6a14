// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "runtime/workers.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "heap/thread_window.hpp"
#include "os/futex.hpp"

namespace agnocast::internal {

namespace {

constexpr std::size_t threads_max = 8;
constexpr std::int64_t long_ns = 20'000'000;  // a job that others need not wait for any longer
constexpr std::chrono::seconds idle_max{2};

// The job that the calling thread is at.
thread_local const void* own_job = nullptr;

}  // namespace

void Workers::schedule(const os::Scheduling& scheduling)
{
  const std::lock_guard lock(mutex_);
  scheduling_ = scheduling;
  running_.reserve(threads_max + 1);  // where no thread can be had, the control thread's own
}

void Workers::add(const void* key, Runs runs, std::function<void()> job)
{
  std::unique_lock lock(mutex_);
  if (runs == Runs::user_code && user_code_ended_) return;
  const auto has_key = [&](const auto& other) { return other.key == key; };
  if (std::any_of(jobs_.begin(), jobs_.end(), has_key) ||
      std::any_of(running_.begin(), running_.end(),
                  [&](const auto& running) { return running->key == key; })) {
    return;
  }
  jobs_.push_back({key, runs, std::move(job)});
  if (idle_ != 0) {
    has_work_.notify_all();  // not each of them may take it
  } else if (threads_ == 0 && !start_thread()) {
    run_one(lock);
  }
}

// The oldest that may run now, or the end.
std::deque<Workers::Job>::iterator Workers::next_job()
{
  const auto users = std::count_if(running_.begin(), running_.end(), [](const auto& running) {
    return running->runs == Runs::user_code;
  });
  const bool user_code_may = static_cast<std::size_t>(users) < threads_max - 1;
  return std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& job) {
    return user_code_may || job.runs == Runs::library_code;
  });
}

bool Workers::relieve()
{
  const std::lock_guard lock(mutex_);
  if (jobs_.empty()) return false;
  if (next_job() == jobs_.end()) return true;
  const std::int64_t before = os::monotonic_ns() - long_ns;
  const bool all_are_long = std::all_of(running_.begin(), running_.end(), [&](const auto& running) {
    return running->since_ns < before;
  });
  if (idle_ == 0 && all_are_long && threads_ < threads_max) static_cast<void>(start_thread());
  return true;
}

bool Workers::start_thread()
{
  if (!os::start_detached("agnocast-work", [this] { work(); })) return false;
  ++threads_;
  return true;
}

void Workers::work()
{
  const LibraryWork library_thread;
  std::unique_lock lock(mutex_);
  // It does not change once there are threads. What cannot be had any more was had when the control
  // thread asked for the same.
  static_cast<void>(os::schedule_this_thread(scheduling_));
  for (;;) {
    if (next_job() != jobs_.end()) {
      run_one(lock);
      continue;
    }
    ++idle_;
    const bool has_more =
      has_work_.wait_for(lock, idle_max, [&] { return next_job() != jobs_.end(); });
    --idle_;
    if (!has_more) break;
  }
  --threads_;
}

void Workers::run_one(std::unique_lock<std::mutex>& lock)
{
  const auto place = next_job();
  if (place == jobs_.end()) return;
  Job job = std::move(*place);
  jobs_.erase(place);
  const Running running{job.key, job.runs, os::monotonic_ns()};
  running_.push_back(&running);  // there is room
  lock.unlock();
  const void* const outer = std::exchange(own_job, &running);
  try {
    job.run();
  } catch (const std::bad_alloc&) {  // the next look asks for it again
  }
  job.run = nullptr;  // what it kept alive goes here, outside of the lock
  own_job = outer;
  lock.lock();
  std::erase(running_, &running);
  has_ended_.notify_all();
}

bool Workers::runs_user_code() const noexcept
{
  return std::any_of(running_.begin(), running_.end(), [](const auto& running) {
    return running->runs == Runs::user_code && running != own_job;
  });
}

void Workers::end_user_code() noexcept
{
  std::unique_lock lock(mutex_);
  user_code_ended_ = true;
  std::erase_if(jobs_, [](const Job& job) { return job.runs == Runs::user_code; });
  has_ended_.wait(lock, [this] { return !runs_user_code(); });
}

}  // namespace agnocast::internal

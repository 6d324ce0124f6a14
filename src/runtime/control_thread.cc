// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "runtime/control_thread.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/atomic.hpp"
#include "base/log.hpp"
#include "base/settings.hpp"
#include "heap/thread_window.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

namespace {

constexpr int shortest_look_ms = 50;
constexpr int longest_sleep_ms = 1000;   // a program that closes our descriptors cannot wake us
constexpr int unwatched_period_ms = 50;  // while a peer's death cannot be waited for
constexpr std::int64_t ms_in_ns = 1'000'000;
constexpr std::uint64_t queue_key = ~std::uint64_t{0} - 1;
// States of running_.
constexpr std::uint32_t runs = 1;
constexpr std::uint32_t is_parked = 2;

Failure cannot_schedule(const os::SchedulingFailure& failure)
{
  const char* const variable =
    failure.of_cpus ? "AGNOCAST_THREAD_AFFINITY" : "AGNOCAST_THREAD_PRIORITY";
  const char* const value = std::getenv(variable);
  return bad_setting(variable, value != nullptr ? value : "",
                     failure.of_cpus
                       ? "this process may use the CPUs " + os::usable_cpus()
                       : os::error_text(failure.error) +
                           "; give the process CAP_SYS_NICE, or raise 'ulimit -r' (fifo) or "
                           "'ulimit -e' (nice)");
}

}  // namespace

Status ControlThread::start(Runtime& runtime, Area& area, const Setup& setup)
{
  runtime_ = &runtime;
  area_ = &area;
  // An earlier attempt to join may have stopped one.
  stop_ = false;
  scheduling_failure_ = {};
  store_release(running_, 0u);  // pairs with the load below
  looked_at_ns_ = look_at_ns_ = scan_at_ns_ = 0;
  seen_peers_ = 0;
  dead_count_ = 0;
  workers_.schedule(setup.scheduling);
  queue_name_ = queue_name(area.process());
  has_queue_ = queue_.open(queue_name_, sizeof(agnocast_announcement),
                           setup.permissions.shared & 0666, setup.permissions.group);
  const int queue_error = errno;
  AGNOCAST_FAILPOINT("join.queue_opened");
  if (!thread_.start("agnocast", [this, scheduling = setup.scheduling] { run(scheduling); })) {
    const int error = errno;
    close_queue();
    return Failure{FailureKind::resource, "the control thread of this process cannot be started: " +
                                            os::error_text(error) +
                                            "; raise the limit of threads ('ulimit -u')"};
  }
  if (!has_queue_) {
    static Once said;
    if (said.first()) {
      log_warning("no message queue " + queue_name_ + ": " + os::error_text(queue_error) +
                  "; all works without it, but new publishers are mapped when their first message "
                  "is taken (see 'ulimit -q' and /proc/sys/fs/mqueue/queues_max)");
    }
  }
  while (load_acquire(running_) == 0) os::futex_wait(&running_, 0, -1);  // pairs with run()
  if (scheduling_failure_.error == 0) return Nothing{};
  thread_.join();
  close_queue();
  return cannot_schedule(scheduling_failure_);
}

void ControlThread::stop() noexcept
{
  if (thread_.started()) {
    stop_ = true;
    poke();
    thread_.join();
  }
  for (auto& [id, watch] : watches_) drop_descriptor(watch);
  watches_.clear();
  epoll_.close();
  close_queue();
}

void ControlThread::close_queue() noexcept
{
  queue_.close();
  if (std::exchange(has_queue_, false)) os::unlink_queue(queue_name_);
}

void ControlThread::park()
{
  park_ = true;
  poke();
  // It may be its own thread that ends the process.
  const std::int64_t deadline = os::monotonic_ns() + 1000 * ms_in_ns;
  // Pairs with the store in rest().
  while (load_acquire(running_) == runs && os::monotonic_ns() < deadline) {
    os::futex_wait(&running_, runs, deadline);
  }
}

void ControlThread::abandon() noexcept
{
  thread_.forget();
}

void ControlThread::poke() noexcept
{
  epoll_.wake();
}

void ControlThread::run(const os::Scheduling& scheduling)
{
  const LibraryWork library_thread;
  scheduling_failure_ = os::schedule_this_thread(scheduling);
  const bool may_run = scheduling_failure_.error == 0;
  if (may_run) {
    AGNOCAST_FAILPOINT("join.before_alive");
    // Pairs with the load in examine_area().
    if (!os::hold_robust(&area_->header().alive)) store_release(area_->header().unmarked, 1u);
    AGNOCAST_FAILPOINT("join.alive");
  }
  store_release(running_, runs);  // pairs with start()
  os::futex_wake_all(&running_);
  while (may_run && !stop_) {
    if (park_) rest();
    try {
      open_descriptors();
      const os::Epoll::Ready ready = epoll_.wait(timeout_ms());
      if (!stop_ && !park_) work(ready);
    } catch (const std::bad_alloc&) {
      os::sleep_ns(unwatched_period_ms * ms_in_ns);  // there may be memory later
      epoll_.wake();                                 // what woke us is not done
      watch_all_anew();
      if (queue_.is_open()) epoll_.rearm(queue_.descriptor(), queue_key);
    }
  }
}

// What this process holds is held until the kernel says that it ended: so the robust word is kept.
void ControlThread::rest()
{
  store_release(running_, is_parked);  // pairs with the load in park()
  os::futex_wake_all(&running_);
  for (;;) os::futex_wait(&running_, is_parked, -1);
}

void ControlThread::open_descriptors()
{
  if (!epoll_.check()) {
    // Which of them are still ours cannot be known now.
    for (auto& [id, watch] : watches_) watch.descriptor = -1;
    queue_.check();
    if (!epoll_.open()) return;
    if (queue_.is_open()) epoll_.add(queue_.descriptor(), queue_key);
    seen_peers_ = 0;
  }
  if (queue_.check() || !has_queue_ || !queue_.reopen(queue_name_)) return;
  epoll_.add(queue_.descriptor(), queue_key);
  receive_announcements();
}

int ControlThread::timeout_ms()
{
  const std::int64_t now = os::monotonic_ns();
  const bool is_told = epoll_.is_open() && !has_unwatched_peer_;
  std::int64_t until = now + (is_told ? longest_sleep_ms : unwatched_period_ms) * ms_in_ns;
  until = std::min(until, look_at_ns_);
  if (dead_count_ != 0) {
    for (const auto& [id, watch] : watches_) {
      if (watch.state == Watch::State::dead) until = std::min(until, watch.clean_up_at_ns);
    }
  }
  return static_cast<int>(std::max<std::int64_t>(until - now + ms_in_ns - 1, 0) / ms_in_ns);
}

void ControlThread::work(const os::Epoll::Ready& ready)
{
  const auto keys_end = ready.keys.begin() + static_cast<std::ptrdiff_t>(ready.count);
  if (std::find(ready.keys.begin(), keys_end, queue_key) != keys_end || !epoll_.is_open()) {
    receive_announcements();
  }
  if (ready.woken) {
    prepare();
    look_soon();
  }
  const std::int64_t now = os::monotonic_ns();
  if (seen_peers_ != runtime_->context().peers->version() || now >= scan_at_ns_) watch_peers();
  look_for_deaths(ready);
  clean_up_after_dead();
  if (now >= look_at_ns_) look();
}

// Not at once, if the last look was a moment ago: what is idle is told by two looks some time
// apart.
void ControlThread::look_soon()
{
  look_at_ns_ = std::min(look_at_ns_, looked_at_ns_ + shortest_look_ms * ms_in_ns);
  must_look_again_ = true;
}

void ControlThread::receive_announcements()
{
  agnocast_announcement announcement;
  std::size_t bytes = 0;
  bool any = false;
  // Bounded by what fits into the queue, a few times over.
  for (int i = 0; i < 64 && queue_.receive(&announcement, sizeof announcement, bytes); ++i) {
    any =
      any || (bytes == sizeof announcement && announcement.magic == AGNOCAST_ANNOUNCEMENT_MAGIC);
  }
  if (queue_.is_open()) epoll_.rearm(queue_.descriptor(), queue_key);
  if (!any) return;
  AGNOCAST_FAILPOINT("announce.received");
  // What it says is taken from the registry, not from the message: anybody may write into a queue.
  prepare();
}

// Subscriptions learn who publishes, and publishers who reads; on the message path nobody looks.
void ControlThread::prepare()
{
  for (const auto& subscription : runtime_->subscriptions()) subscription->prepare_if_changed();
  for (const auto& publisher : runtime_->publishers()) publisher->prepare_if_changed();
}

void ControlThread::look()
{
  bool has_found = std::exchange(must_look_again_, false);
  bool may_find = workers_.relieve();
  if (!queue_.is_open()) prepare();  // nobody can announce anything
  for (const auto& publisher : runtime_->publishers()) {
    using Look = PublisherCore::Look;
    const Look state = publisher->look_if_idle();
    has_found = has_found || state == Look::in_use || state == Look::has_unheld;
    may_find = may_find || state == Look::waits;
    if (state != Look::has_unheld) continue;
    workers_.add(publisher.get(), Workers::Runs::user_code,
                 [publisher] { publisher->reclaim_early(); });
  }
  runtime_->drop_finished_publishers();
  has_found = tell_figures() || has_found;
  may_find = look_at_registry() || may_find;
  complain_of_removed();
  look_period_ms_ = has_found  ? shortest_look_ms
                    : may_find ? std::min(2 * look_period_ms_, longest_sleep_ms)
                               : longest_sleep_ms;
  looked_at_ns_ = os::monotonic_ns();
  look_at_ns_ = looked_at_ns_ + look_period_ms_ * ms_in_ns;
}

// Somebody may remove our files behind our back: systemd-logind does so when a user logs out.
void ControlThread::complain_of_removed()
{
  const std::int64_t now = os::monotonic_ns();
  if (now < look_for_removed_at_ns_) return;
  look_for_removed_at_ns_ = now + longest_sleep_ms * ms_in_ns;
  runtime_->complain_of_removed();
}

// For tools: relaxed, since nothing is decided by these. True if they have changed.
bool ControlThread::tell_figures()
{
  const Heap* const heap = shared_heap.load(std::memory_order_acquire);  // pairs with the join
  if (heap == nullptr) return false;  // a moment before the end of the join
  agnocast_area_header& header = area_->header();
  const std::uint64_t used_bytes = heap->used_bytes();
  const auto loans = static_cast<std::uint64_t>(std::max(open_windows(), 0));
  const bool has_changed =
    load_relaxed(header.heap_used_bytes) != used_bytes || load_relaxed(header.loans_open) != loans;
  store_relaxed(header.heap_used_bytes, used_bytes);
  store_relaxed(header.heap_peak_bytes, std::uint64_t{heap->peak_bytes()});
  store_relaxed(header.loans_open, loans);
  return has_changed;
}

// True while there is something that could not be done yet.
bool ControlThread::look_at_registry()
{
  const auto subscriptions = runtime_->subscriptions();
  const bool has_work =
    std::any_of(subscriptions.begin(), subscriptions.end(), [](const auto& subscription) {
      return subscription->has_unreachable() || subscription->is_done();
    });
  if (!has_work && runtime_->context().registry->is_settled()) return false;
  workers_.add(&queue_, Workers::Runs::library_code, [runtime = runtime_] {
    if (runtime->context().registry->settle()) runtime->announce_late_departures();
    bool any = false;
    for (const auto& subscription : runtime->subscriptions()) {
      subscription->finish_if_done();
      any = subscription->retry_unreachable() || any;
    }
    if (any) runtime->ring_own_doorbells();
  });
  return true;
}

}  // namespace agnocast::internal

// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "runtime/control_thread.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "base/atomic.hpp"
#include "base/log.hpp"
#include "os/failpoint.hpp"
#include "os/futex.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

namespace {

constexpr int reclaim_period_ms = 50;    // while messages are published and not free
constexpr int idle_period_ms = 200;      // while there are publishers at all
constexpr int longest_sleep_ms = 1000;   // a program that closes our queue cannot wake us
constexpr int unwatched_period_ms = 50;  // while a peer's death cannot be waited for

}  // namespace

Status ControlThread::start(Runtime& runtime, Area& area, const Permissions& permissions)
{
  runtime_ = &runtime;
  area_ = &area;
  // An earlier attempt to join may have stopped one.
  stop_ = false;
  store_release(running_, 0u);  // pairs with the load below
  watches_.clear();
  has_queue_ = queue_.open(queue_name(area.process()), sizeof(agnocast_announcement),
                           permissions.shared & 0666, permissions.group);
  const int queue_error = errno;
  AGNOCAST_FAILPOINT("join.queue_opened");
  if (!thread_.start("agnocast", [this] { run(); })) {
    const int error = errno;
    queue_.close();
    os::unlink_queue(queue_name(area.process()));
    return Failure{FailureKind::resource, "the control thread of this process cannot be started: " +
                                            os::error_text(error) +
                                            "; raise the limit of threads ('ulimit -u')"};
  }
  if (!has_queue_) {
    static Once said;
    if (said.first()) {
      log_warning("no message queue " + queue_name(area.process()) + ": " +
                  os::error_text(queue_error) +
                  "; all works without it, but new publishers are mapped when their first message "
                  "is taken (see 'ulimit -q' and /proc/sys/fs/mqueue/queues_max)");
    }
  }
  while (load_acquire(running_) == 0) os::futex_wait(&running_, 0, -1);  // pairs with run()
  return Nothing{};
}

void ControlThread::stop()
{
  if (!thread_.started()) return;
  stop_ = true;
  poke();
  thread_.join();
  for (Watch& watch : watches_) drop_watch(watch);
  queue_.close();
  os::unlink_queue(queue_name(area_->process()));
}

void ControlThread::abandon() noexcept
{
  thread_.forget();
}

void ControlThread::poke()
{
  const char nothing = 0;
  if (has_queue_ && !queue_.send_to_self(&nothing, 1)) has_queue_ = false;
}

void ControlThread::run()
{
  AGNOCAST_FAILPOINT("join.before_alive");
  // Pairs with the load in examine_area().
  if (!os::hold_robust(&area_->header().alive)) store_release(area_->header().unmarked, 1u);
  AGNOCAST_FAILPOINT("join.alive");
  store_release(running_, 1u);  // pairs with start()
  os::futex_wake_all(&running_);
  while (!stop_) {
    try {
      wait_for_work();
      if (!stop_) work();
    } catch (const std::bad_alloc&) {
      os::sleep_ns(std::int64_t{unwatched_period_ms} * 1'000'000);  // there may be memory later
    }
  }
}

void ControlThread::wait_for_work()
{
  std::vector<int> descriptors;
  if (queue_.is_open()) descriptors.push_back(queue_.descriptor());
  const std::size_t first_watch = descriptors.size();
  for (const Watch& watch : watches_) descriptors.push_back(watch.descriptor);
  for (const std::size_t ready : os::wait_readable(descriptors, timeout_ms())) {
    if (ready >= first_watch) watches_[ready - first_watch].is_ready = true;
  }
}

void ControlThread::work()
{
  receive_announcements();
  prepare();
  watch_new_peers();
  look_for_deaths();
  complain_of_broken();
  complain_of_removed();
  // One that is ready and means no death is not ours any more, or its number is another's by now:
  // watched anew in the next round.
  std::erase_if(watches_, [](Watch& watch) {
    if (watch.is_ready) drop_watch(watch);
    return watch.is_ready;
  });
  reclaim();
  tell_figures();
  retry_unreachable();
  has_unsettled_ = !runtime_->context().registry->settle();
}

// For tools: relaxed, since nothing is decided by these.
void ControlThread::tell_figures()
{
  const Heap* const heap = shared_heap.load(std::memory_order_relaxed);
  if (heap == nullptr) return;  // a moment before the end of the join
  agnocast_area_header& header = area_->header();
  store_relaxed(header.heap_used_bytes, std::uint64_t{heap->used_bytes()});
  store_relaxed(header.heap_peak_bytes, std::uint64_t{heap->peak_bytes()});
  store_relaxed(header.loans_open, static_cast<std::uint64_t>(std::max(open_windows(), 0)));
}

void ControlThread::retry_unreachable()
{
  has_unreachable_ = false;
  for (const auto& subscription : runtime_->subscriptions()) {
    has_unreachable_ = subscription->retry_unreachable() || has_unreachable_;
  }
  if (has_unreachable_) runtime_->ring_own_doorbells();
}

int ControlThread::timeout_ms()
{
  int timeout = queue_.is_open() ? longest_sleep_ms : reclaim_period_ms;
  const auto at_most = [&](int period) { timeout = std::min(timeout, period); };
  if (has_unwatched_peer_ || has_unreachable_ || has_unsettled_) at_most(unwatched_period_ms);
  if (has_messages_) {
    at_most(reclaim_period_ms);
  } else if (!runtime_->publishers().empty()) {
    at_most(idle_period_ms);
  }
  return timeout;
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
  has_queue_ = queue_.is_open();
  if (!any) return;
  AGNOCAST_FAILPOINT("announce.received");
  // What it says is taken from the registry, not from the message: anybody may write into a queue.
}

// Publishers learn who reads, and subscriptions who publishes; on the message path nobody looks.
void ControlThread::prepare()
{
  for (const auto& publisher : runtime_->publishers()) publisher->prepare_if_changed();
  for (const auto& subscription : runtime_->subscriptions()) subscription->prepare_if_changed();
}

void ControlThread::watch_new_peers()
{
  const auto peers = runtime_->context().peers->mapped();
  std::erase_if(watches_, [&](Watch& watch) {
    const bool mapped = std::any_of(peers.begin(), peers.end(), [&](const auto& peer) {
      return peer->identity().process_id == watch.process_id;
    });
    if (!mapped) drop_watch(watch);
    return !mapped;
  });
  has_unwatched_peer_ = false;
  for (const auto& peer : peers) {
    const PeerIdentity& identity = peer->identity();
    const bool watched = std::any_of(watches_.begin(), watches_.end(), [&](const Watch& watch) {
      return watch.process_id == identity.process_id;
    });
    if (watched || peer->is_dead()) continue;
    os::Descriptor descriptor;
    if (identity.pid_namespace == runtime_->pid_namespace() && identity.pid_namespace != 0) {
      descriptor = os::watch_process(identity.pid);
    }
    const auto status = descriptor ? os::status_of(descriptor.get()) : std::nullopt;
    if (!status) {
      has_unwatched_peer_ = true;
      continue;
    }
    watches_.reserve(watches_.size() + 1);  // before the descriptor is let go
    watches_.push_back({identity.process_id, descriptor.release(), status->device, status->inode});
  }
}

void ControlThread::drop_watch(Watch& watch) noexcept
{
  const auto status = os::status_of(watch.descriptor);
  if (status && status->device == watch.device && status->inode == watch.inode) {
    const os::Descriptor closed(watch.descriptor);
  }
}

// For kernels, or stand-ins for one, that do not set the robust word of the dead.
bool ControlThread::has_ended(const PeerArea& peer)
{
  const PeerIdentity& identity = peer.identity();
  const auto watch = std::find_if(watches_.begin(), watches_.end(), [&](const Watch& w) {
    return w.process_id == identity.process_id;
  });
  if (watch != watches_.end() && !watch->is_ready) return false;
  return identity.pid_namespace == runtime_->pid_namespace() && identity.pid_namespace != 0 &&
         os::has_ended(identity.pid);
}

void ControlThread::look_for_deaths()
{
  bool any = false;
  for (const auto& peer : runtime_->context().peers->mapped()) {
    if (!peer->is_dead() && !has_ended(*peer)) continue;
    peer->mark_dead();
    const std::uint64_t id = peer->identity().process_id;
    std::erase_if(watches_, [&](Watch& watch) {
      if (watch.process_id != id) return false;
      drop_watch(watch);
      return true;
    });
    if (!any) {
      // What it published last stays readable to who is connected: so connect before the records of
      // its publishers go.
      for (const auto& subscription : runtime_->subscriptions()) {
        subscription->prepare_if_changed();
      }
    }
    any = true;
    AGNOCAST_FAILPOINT("death.noticed");
    static_cast<void>(runtime_->context().registry->recover(peer->identity()));
  }
  if (!any) return;
  AGNOCAST_FAILPOINT("death.cleaned");
  for (const auto& subscription : runtime_->subscriptions()) subscription->prepare_if_changed();
  runtime_->ring_own_doorbells();
}

// What somebody has shortened, said once; the message path keeps off it by itself.
void ControlThread::complain_of_broken()
{
  if (area_->is_broken() && area_said_.first()) {
    log_warning("the area /dev/shm" + area_name(area_->process()) +
                " of this process was shortened or overwritten by another one of this user: its "
                "messages are lost; restart this process");
  }
  if (area_->has_broken_doorbell() && bell_said_.first()) {
    log_warning("the doorbell /dev/shm" + doorbell_name(area_->process()) +
                " of this process was shortened by another one: it looks for messages every few "
                "milliseconds instead of being woken; restart this process");
  }
  bool any = false;
  for (const auto& peer : runtime_->context().peers->mapped()) {
    if (!peer->is_broken()) continue;
    any = true;
    if (!peer->is_dead() && peer->first_complaint()) {
      log_warning("/dev/shm" + area_name(peer->identity().process) + " of process " +
                  std::to_string(peer->identity().pid) +
                  " was shortened or overwritten; nothing of that process counts any more: end it");
    }
  }
  if (!any) return;
  for (const auto& subscription : runtime_->subscriptions()) subscription->drop_broken();
}

void ControlThread::complain_of_removed()
{
  const std::int64_t now = os::monotonic_ns();
  if (now < look_for_removed_at_ns_) return;
  look_for_removed_at_ns_ = now + 1'000'000'000;
  runtime_->complain_of_removed();
}

void ControlThread::reclaim()
{
  has_messages_ = false;
  for (const auto& publisher : runtime_->publishers()) {
    if (publisher->reclaim_if_idle()) has_messages_ = true;
  }
  runtime_->drop_finished_publishers();
}

}  // namespace agnocast::internal

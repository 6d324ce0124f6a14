// The control thread's part that watches peers: who has ended, and who cleans up.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "os/failpoint.hpp"
#include "os/futex.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

namespace {

// A process that runs another program by exec has ended, but its pidfd does not say so; and an area
// that was shortened says nothing at all. So the words of all are looked at now and then.
// That is a cache line or two of each, so the more there are the more seldom.
constexpr std::int64_t scan_period_ns = 1'000'000'000;
constexpr std::int64_t crowd_scan_period_ns = 4'000'000'000;
constexpr std::size_t crowd = 64;
constexpr std::int64_t clean_up_again_ns = 200'000'000;  // if it failed: the registry's lock is had

// Different for each process and each death.
std::uint64_t scrambled(std::uint64_t value)
{
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

void ControlThread::watch_peers()
{
  PeerTable& peers = *runtime_->context().peers;
  seen_peers_ = peers.version();  // before the look: what comes after it is seen at the next
  ++watch_look_;
  for (const auto& peer : peers.mapped()) {
    const auto [place, is_new] = watches_.try_emplace(peer->identity().process_id);
    place->second.seen = watch_look_;
    if (!is_new) continue;
    place->second.identity = peer->identity();
    if (peer->is_dead()) scan_at_ns_ = 0;
  }
  has_unwatched_peer_ = false;
  for (auto place = watches_.begin(); place != watches_.end();) {
    Watch& watch = place->second;
    if (watch.seen != watch_look_) {
      drop_descriptor(watch);
      if (watch.state == Watch::State::dead) --dead_count_;
      place = watches_.erase(place);
      continue;
    }
    if (watch.state == Watch::State::lives && watch.descriptor < 0 && !watch_end_of(watch)) {
      has_unwatched_peer_ = true;
    }
    ++place;
  }
}

bool ControlThread::watch_end_of(Watch& watch)
{
  if (!is_of_own_namespace(watch)) return false;
  os::Descriptor descriptor = os::watch_process(watch.identity.pid);
  if (!descriptor || !epoll_.add(descriptor.get(), watch.identity.process_id)) return false;
  watch.descriptor = descriptor.release();
  return true;
}

void ControlThread::drop_descriptor(Watch& watch) noexcept
{
  if (watch.descriptor >= 0 && epoll_.remove(watch.descriptor)) {
    const os::Descriptor closed(watch.descriptor);
  }
  watch.descriptor = -1;
}

// What was reported and not seen to, for want of memory: everybody is watched anew, and whoever has
// ended meanwhile is reported again.
void ControlThread::watch_all_anew() noexcept
{
  for (auto& [id, watch] : watches_) {
    if (watch.state == Watch::State::lives) drop_descriptor(watch);
  }
  seen_peers_ = 0;
  scan_at_ns_ = 0;
}

bool ControlThread::is_of_own_namespace(const Watch& watch) const
{
  return watch.identity.pid_namespace == runtime_->pid_namespace() &&
         watch.identity.pid_namespace != 0;
}

// For kernels, or stand-ins for one, that do not set the robust word of the dead.
bool ControlThread::has_ended(const Watch& watch) const
{
  return is_of_own_namespace(watch) && os::has_ended(watch.identity.pid);
}

void ControlThread::look_for_deaths(const os::Epoll::Ready& ready)
{
  std::vector<std::uint64_t> dead;
  for (std::size_t i = 0; i < ready.count; ++i) {
    const auto place = watches_.find(ready.keys[i]);
    if (place == watches_.end() || place->second.state != Watch::State::lives) continue;
    if (has_ended(place->second)) {
      dead.push_back(place->first);
    } else {
      // Not the one that we opened, or its number has come to another: watched anew at the next
      // look.
      drop_descriptor(place->second);
      seen_peers_ = 0;
    }
  }
  const std::int64_t now = os::monotonic_ns();
  const bool is_scan = now >= scan_at_ns_;
  if (is_scan || has_unwatched_peer_) {
    const auto peers = runtime_->context().peers->mapped();
    for (const auto& peer : peers) {
      const auto place = watches_.find(peer->identity().process_id);
      if (place == watches_.end()) continue;
      const Watch& watch = place->second;
      if (watch.state != Watch::State::lives) {
        peer->mark_dead();  // mapped a second time meanwhile
      } else if ((is_scan || watch.descriptor < 0) &&
                 (peer->is_dead() || (watch.descriptor < 0 && has_ended(watch)))) {
        dead.push_back(place->first);
      }
    }
    if (is_scan) {
      // A little less, so that it comes together with the thread's own look.
      scan_at_ns_ =
        now + (watches_.size() <= crowd ? scan_period_ns : crowd_scan_period_ns) * 7 / 8;
      complain_of_broken(peers);
    }
  }
  if (!dead.empty()) note_deaths(dead);
}

void ControlThread::note_deaths(const std::vector<std::uint64_t>& dead)
{
  const auto peers = runtime_->context().peers->mapped();
  for (const std::uint64_t id : dead) {
    Watch& watch = watches_.at(id);
    if (watch.state != Watch::State::lives) continue;  // found in two ways, and in the list twice
    drop_descriptor(watch);
    watch.state = Watch::State::dead;
    ++dead_count_;
    watch.clean_up_at_ns = os::monotonic_ns() + own_delay_ns(id);
    for (const auto& peer : peers) {
      if (peer->identity().process_id == id) peer->mark_dead();
    }
  }
  AGNOCAST_FAILPOINT("death.noticed");
  // What it published last stays readable to who is connected: so connect before the records of its
  // publishers go.
  prepare();
  runtime_->look_at_all();
  look_soon();
}

// Each process at a time of its own, so that one does it and the others find it done: the more of
// them there may be, the further apart.
std::int64_t ControlThread::own_delay_ns(std::uint64_t dead) const
{
  constexpr std::int64_t apart_ns = 1'000'000;
  const std::int64_t spread =
    apart_ns * static_cast<std::int64_t>(std::min<std::size_t>(watches_.size(), 200));
  const std::uint64_t own = runtime_->context().ticket.id;
  return static_cast<std::int64_t>(scrambled(own ^ scrambled(dead)) %
                                   static_cast<std::uint64_t>(spread + 1));
}

void ControlThread::clean_up_after_dead()
{
  if (dead_count_ == 0) return;
  bool any = false;
  const auto is_cleaned = [&](Watch& watch) {
    if (watch.state == Watch::State::dead) --dead_count_;
    watch.state = Watch::State::cleaned;
    any = true;
  };
  {
    const std::lock_guard lock(recovered_mutex_);
    for (const std::uint64_t id : recovered_) {
      if (const auto place = watches_.find(id); place != watches_.end()) is_cleaned(place->second);
    }
    recovered_.clear();
  }
  std::vector<PeerIdentity> due;
  const std::int64_t now = os::monotonic_ns();
  for (auto& [id, watch] : watches_) {
    if (watch.state != Watch::State::dead || watch.clean_up_at_ns > now) continue;
    if (runtime_->context().registry->may_be_there(watch.identity)) {
      watch.clean_up_at_ns = now + clean_up_again_ns;
      due.push_back(watch.identity);
    } else {
      is_cleaned(watch);
    }
  }
  if (!due.empty()) {
    workers_.add(&watches_, Workers::Runs::library_code, [this, due] { recover(due); });
  }
  if (!any) return;
  prepare();
  runtime_->look_at_all();
  look_soon();
}

void ControlThread::recover(const std::vector<PeerIdentity>& dead)
{
  for (const PeerIdentity& process : dead) {
    Registry& registry = *runtime_->context().registry;
    if (registry.may_be_there(process) && !registry.recover(process)) continue;
    AGNOCAST_FAILPOINT("death.cleaned");
    const std::lock_guard lock(recovered_mutex_);
    recovered_.push_back(process.process_id);
  }
  poke();
}

// What somebody has shortened, said once; the message path keeps off it by itself.
void ControlThread::complain_of_broken(const std::vector<std::shared_ptr<PeerArea>>& peers)
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
  for (const auto& peer : peers) {
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

}  // namespace agnocast::internal

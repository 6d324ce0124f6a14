// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "runtime/runtime.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/atomic.hpp"
#include "base/epoch.hpp"
#include "base/log.hpp"
#include "base/sanitizer.hpp"
#include "memory/doorbell.hpp"
#include "os/bus_guard.hpp"
#include "os/failpoint.hpp"
#include "os/map.hpp"
#include "os/queue.hpp"

namespace agnocast::internal {

std::atomic<Heap*> shared_heap{nullptr};

namespace {

std::atomic<Runtime*> the_runtime{nullptr};
HookView own_view;  // what the libraries with the hook are shown
std::array<std::atomic<HookView*>, 2> hook_views{};

void set_reserved_window(const WindowSetting& window) noexcept
{
  own_view.set_window(window.base, window.bytes);
  for (const auto& place : hook_views) {
    if (HookView* view = place.load()) view->set_window(window.base, window.bytes);
  }
}

// Memory of the heap from `begin` on has come into use.
void tell_sanitizer(const Area& area, std::size_t begin, std::size_t end)
{
  forbid_access(area.heap_base() + begin, end - begin);
  search_for_references(area.heap_base() + begin, end - begin);
}

bool secure_heap(void* context, std::size_t end)
{
  Area& area = *static_cast<Area*>(context);
  const std::size_t before = area.heap_secured();
  if (area.secure_heap(end)) {
    if (access_is_checked) tell_sanitizer(area, before, end);
    return true;
  }
  return false;
}

}  // namespace

void say_heap_is_full() noexcept
{
  static Once said;
  const Heap* const heap = shared_heap.load(std::memory_order_relaxed);
  if (heap == nullptr || !said.first()) return;
  const auto space = os::shared_space();
  const HeapStatistics statistics = heap->statistics();
  char text[320];
  std::snprintf(
    text, sizeof text,
    "agnocast: the shared heap cannot grow beyond %zu MB, of which %zu MB are in use: /dev/shm has "
    "%llu MB free, or the slot is full; enlarge it with 'mount -o remount,size=<size> /dev/shm', "
    "or "
    "keep fewer messages (smaller depths, fewer held)\n",
    statistics.secured_bytes / 1'000'000, statistics.used_bytes / 1'000'000,
    space ? static_cast<unsigned long long>(space->free / 1'000'000) : 0);
  std::fputs(text, stderr);
}

void watch_hook_view(HookView* view) noexcept
{
  view->set_window(own_view.window_base.load(), own_view.window_bytes.load());
  // One that comes late takes over what the first has counted. Without any, nobody asks.
  if (const HookView* first = hook_views[0].load()) {
    view->open_windows.store(first->open_windows.load());
  }
  for (auto& place : hook_views) {
    HookView* expected = nullptr;
    if (place.compare_exchange_strong(expected, view)) return;
  }
}

void count_open_windows(std::int32_t change) noexcept
{
  for (const auto& place : hook_views) {
    if (HookView* view = place.load(std::memory_order_relaxed)) {
      view->open_windows.fetch_add(change, std::memory_order_relaxed);
    }
  }
}

std::int32_t open_windows() noexcept
{
  for (const auto& place : hook_views) {
    if (const HookView* view = place.load(std::memory_order_relaxed)) {
      return view->open_windows.load(std::memory_order_relaxed);
    }
  }
  return 0;
}

bool is_in_reserved_window(const void* address) noexcept
{
  return own_view.contains(address);
}

void forget_open_windows() noexcept
{
  for (const auto& place : hook_views) {
    if (HookView* view = place.load()) view->open_windows.store(0);
  }
}

Runtime& Runtime::instance()
{
  Runtime* runtime = the_runtime.load(std::memory_order_acquire);
  if (runtime != nullptr) return *runtime;
  auto* fresh = new Runtime();
  if (the_runtime.compare_exchange_strong(runtime, fresh, std::memory_order_acq_rel)) return *fresh;
  delete fresh;
  return *runtime;
}

void Runtime::replace_instance(Runtime* fresh) noexcept
{
  the_runtime.store(fresh, std::memory_order_release);
}

Status Runtime::join()
{
  if (joined_.load(std::memory_order_acquire)) return Nothing{};
  const std::lock_guard lock(join_mutex_);
  if (joined_.load(std::memory_order_relaxed)) return Nothing{};
  if (left_) {
    return Failure{FailureKind::usage,
                   "this process is ending and has left its domain; create publishers, "
                   "subscriptions and loans before main() returns"};
  }
  return join_locked();
}

// Before the destructors of the static objects that exist now, which message destructors may use.
// Later ones come first: so it is asked for again when a publisher of a new type comes.
void Runtime::install_exit_handler()
{
  static_cast<void>(std::atexit([] { instance().control_thread_.end_user_code(); }));
}

Status Runtime::join_locked()
{
  try {
    return try_to_join();
  } catch (...) {
    undo_join();
    throw;
  }
}

Status Runtime::try_to_join()
{
  install_fork_handlers();
  os::install_bus_guard();
  auto settings = read_settings();
  if (!settings) return std::move(settings.failure());
  settings_ = std::move(*settings);
  pid_namespace_ = os::pid_namespace();
  // The registry may lose its last process, and so its file, between our opening and our joining
  // it.
  for (int attempt = 0;; ++attempt) {
    Status status = enter_registry();
    if (status) break;
    const bool is_gone = registry_ != nullptr && registry_->is_gone();
    undo_join();
    if (!is_gone || attempt == 100) return status;
  }
  Heap* heap =
    Heap::create(area_->heap_base(), area_->heap_bytes(), area_->heap_secured(),
                 {[](std::size_t bytes) { return os::map_private(bytes); },
                  [](void* memory, std::size_t bytes) { os::unmap(memory, bytes); }, secure_heap,
                  area_.get(), [](std::size_t bytes) { return os::map_private(bytes, false); },
                  [](void* memory, std::size_t bytes) {
                    if (!os::allow_access(memory, bytes, true)) return false;
                    os::prefault(memory, bytes);
                    return true;
                  }});
  if (heap == nullptr) {
    undo_join();
    return Failure{FailureKind::resource,
                   "no memory for the control data of the shared heap: raise 'ulimit -v'"};
  }
  if (access_is_checked) tell_sanitizer(*area_, 0, area_->heap_secured());
  context_.heap = heap;
  shared_heap.store(heap, std::memory_order_release);
  install_exit_handler();
  joined_.store(true, std::memory_order_release);
  return Nothing{};
}

Status Runtime::reserve_window(const WindowSetting& wanted)
{
  // A forked child has its parent's window already; a failed attempt may have left another.
  if (window_ && window_->setting() == wanted) return Nothing{};
  auto window = Window::reserve(wanted);
  if (!window) return std::move(window.failure());
  window_ = *window;
  set_reserved_window(wanted);
  return Nothing{};
}

Status Runtime::enter_registry()
{
  auto opened = Registry::open(settings_);
  if (!opened) return std::move(opened.failure());
  registry_ = std::move(*opened);
  permissions_ = registry_->permissions();
  if (Status status = reserve_window(registry_->window()); !status) return status;
  const std::vector<std::uint32_t> occupied = occupied_slots();
  registry_->sweep();
  auto claim = AreaClaim::take(permissions_);
  if (!claim) return std::move(claim.failure());
  auto ticket = registry_->begin_join(
    [&](std::uint32_t slot) {
      return slot < window_->slots() &&
             std::find(occupied.begin(), occupied.end(), slot) == occupied.end();
    },
    claim->process());
  if (!ticket) return std::move(ticket.failure());
  context_.ticket = *ticket;
  is_registered_ = true;
  if (Status made = make_process(std::move(*claim), *ticket); !made) return made;
  peers_.start(*window_, *area_, ticket->id, occupied, [this] { control_thread_.poke(); });
  context_.area = area_.get();
  context_.clock_offset_ns = os::monotonic_offset_ns();
  context_.poke = []() noexcept { instance().control_thread_.poke(); };
  context_.announce_departure = [](const EndpointTicket& endpoint,
                                   agnocast_endpoint_kind to) noexcept {
    instance().announce_departure(endpoint, to);
  };
  context_.reclaim_all = []() noexcept { instance().reclaim_all(); };
  AGNOCAST_FAILPOINT("join.made");
  return registry_->finish_join(*ticket);
}

/// A join that fails leaves nothing.
void Runtime::undo_join() noexcept
{
  control_thread_.stop();
  area_.reset();
  if (registry_ == nullptr) return;
  try {
    if (is_registered_) {
      registry_->remove_process(context_.ticket);
    } else {
      registry_->remove_if_empty();
    }
  } catch (const std::bad_alloc&) {
    // A record without an area, of which nobody believes that its process lives: the next join
    // removes it, this process's own too.
  }
  is_registered_ = false;
  registry_.reset();
}

std::vector<std::uint32_t> Runtime::occupied_slots() const
{
  std::vector<std::uint32_t> slots;
  for (const std::byte* area : inherited_areas_) {
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(area) - window_->setting().base;
    if (offset >= window_->setting().bytes) continue;  // of another window
    slots.push_back(static_cast<std::uint32_t>(offset / window_->slot_bytes()));
  }
  return slots;
}

// What may take a while: nobody waits for us meanwhile, and our record says that we are joining.
Status Runtime::make_process(AreaClaim claim, const ProcessTicket& ticket)
{
  const std::string name = claim.process();
  auto area = Area::create({&*window_, ticket.slot, name, settings_.domain, settings_.mempool_bytes,
                            settings_.mempool_source, permissions_, claim.release()});
  if (!area) return std::move(area.failure());
  area_ = std::move(*area);
  // Pairs with the load in PeerArea::map: no endpoint of ours is registered before.
  store_release(area_->header().process_id, ticket.id);
  AGNOCAST_FAILPOINT("join.identified");
  context_.peers = &peers_;
  context_.registry = registry_.get();
  const os::Scheduling scheduling{settings_.thread_fifo_priority, settings_.thread_nice,
                                  settings_.thread_cpus};
  if (Status status = control_thread_.start(*this, *area_, {permissions_, scheduling}); !status) {
    return status;
  }
  area_->finish();
  return Nothing{};
}

void Runtime::leave()
{
  const std::lock_guard lock(join_mutex_);
  left_ = true;
  if (!joined_.load(std::memory_order_relaxed)) return;
  for (const auto& publisher : publishers()) publisher->wait_for_last_readers();
  leaving_ = true;
  std::set<std::string> others;
  try {
    others = processes_at_other_ends();
  } catch (const std::bad_alloc&) {
    // They find out.
  }
  AGNOCAST_FAILPOINT("leave.begin");
  os::unlink_queue(queue_name(area_->process()));
  AGNOCAST_FAILPOINT("leave.queue_unlinked");
  area_->unlink();
  registry_->remove_process(context_.ticket);
  AGNOCAST_FAILPOINT("leave.unregistered");
  try {
    send_announcements(others, {});
  } catch (const std::bad_alloc&) {
    // As above.
  }
  control_thread_.park();
}

// Destructors may run as long as the process does: for what others hold, and in between.
void Runtime::keep_destructor(void (*destroy)(void*, const void*))
{
  {
    const std::lock_guard lock(mutex_);
    if (!kept_destructors_.insert(destroy).second) return;
  }
  if (!os::pin_module_of(reinterpret_cast<const void*>(destroy))) {
    log_warning("the module that a message type comes from cannot be kept: do not unload it");
  }
  install_exit_handler();
}

Result<std::shared_ptr<PublisherCore>> Runtime::create_publisher(PublisherSetup setup)
{
  if (Status status = join(); !status) return std::move(status.failure());
  keep_destructor(setup.destroy);
  auto core = register_publisher(std::move(setup));
  if (!core) return core;
  try {
    introduce(**core);
  } catch (...) {
    retire_publisher(std::move(*core));  // subscriptions may be connected to it by now
    throw;
  }
  return core;
}

Result<std::shared_ptr<PublisherCore>> Runtime::register_publisher(PublisherSetup setup)
{
  const std::lock_guard one(register_mutex_);
  {
    // First, so that neither list can fail to take a publisher that others may have seen.
    const std::lock_guard lock(mutex_);
    std::erase_if(publishers_, [](const auto& weak) { return weak.expired(); });
    publishers_.reserve(publishers_.size() + 1);
    retired_publishers_.reserve(publishers_.size() + 1);
  }
  auto core = PublisherCore::create(context_, std::move(setup));
  if (!core) return core;
  const std::lock_guard lock(mutex_);
  publishers_.push_back(*core);
  return core;
}

void Runtime::introduce(PublisherCore& publisher)
{
  publisher.prepare_if_changed();
  // Those of this process need no announcement.
  for (const auto& subscription : subscriptions()) {
    if (subscription->ticket().topic == publisher.ticket().topic)
      subscription->prepare_if_changed();
  }
  announce(publisher.ticket(), AGNOCAST_SUBSCRIPTION);
  control_thread_.poke();
  publisher.wait_for_readers();
}

Result<std::shared_ptr<SubscriptionCore>> Runtime::create_subscription(EndpointRequest endpoint,
                                                                       std::uint32_t hold_limit)
{
  if (Status status = join(); !status) return std::move(status.failure());
  auto core = SubscriptionCore::create(context_, std::move(endpoint), hold_limit);
  if (!core) return core;
  try {
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
      subscriptions_.push_back(*core);
    }
    for (const auto& publisher : publishers()) {
      if (publisher->ticket().topic == (*core)->ticket().topic) publisher->prepare_if_changed();
    }
    announce((*core)->ticket(), AGNOCAST_PUBLISHER);
  } catch (...) {
    (*core)->close();
    throw;
  }
  control_thread_.poke();
  return core;
}

Result<std::shared_ptr<WaitSetCore>> Runtime::create_wait_set()
{
  if (Status status = join(); !status) return std::move(status.failure());
  auto core = WaitSetCore::create(context_);
  if (!core) return core;
  const std::lock_guard lock(mutex_);
  std::erase_if(wait_sets_, [](const auto& weak) { return weak.expired(); });
  wait_sets_.push_back(*core);
  return core;
}

void Runtime::retire_publisher(std::shared_ptr<PublisherCore> publisher) noexcept
{
  publisher->close();
  try {
    if (publisher->is_finished()) return;
  } catch (const std::bad_alloc&) {
    // The control thread looks again.
  }
  {
    const std::lock_guard lock(mutex_);
    retired_publishers_.push_back(std::move(publisher));  // there is room
  }
  control_thread_.poke();
}

void Runtime::drop_finished_publishers()
{
  std::vector<std::shared_ptr<PublisherCore>> finished;  // looked at and destroyed without the lock
  {
    const std::lock_guard lock(mutex_);
    finished = retired_publishers_;
  }
  std::erase_if(finished, [](const auto& publisher) { return !publisher->is_finished(); });
  const std::lock_guard lock(mutex_);
  std::erase_if(retired_publishers_, [&](const auto& publisher) {
    return std::find(finished.begin(), finished.end(), publisher) != finished.end();
  });
}

std::vector<std::shared_ptr<PublisherCore>> Runtime::publishers()
{
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<PublisherCore>> live;
  for (const auto& weak : publishers_) {
    if (auto core = weak.lock()) live.push_back(std::move(core));
  }
  return live;
}

std::vector<std::shared_ptr<SubscriptionCore>> Runtime::subscriptions()
{
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<SubscriptionCore>> live;
  for (const auto& weak : subscriptions_) {
    if (auto core = weak.lock()) live.push_back(std::move(core));
  }
  return live;
}

void Runtime::ring_own_doorbells() noexcept
{
  if (!joined_.load(std::memory_order_acquire)) return;
  for (std::uint32_t i = 1; i < AGNOCAST_WAITERS; ++i) {
    // Pairs with the stores in WaitSetCore::wait and PublisherCore::wait_for_room.
    if (load_seq_cst(area_->waiter(i).sleeping) == 0) continue;
    ring_bell(area_->doorbell(), i);
  }
}

void Runtime::look_at_all() noexcept
{
  if (!joined_.load(std::memory_order_acquire)) return;
  leave_all_hints(area_->doorbell());
  AGNOCAST_FAILPOINT("death.hinted");
  ring_own_doorbells();
}

void Runtime::wake_all_wait_sets() noexcept
{
  ring_own_doorbells();
}

void Runtime::reclaim_all() noexcept
{
  try {
    std::size_t freed = 0;
    const auto all = publishers();
    for (const auto& publisher : all) freed += publisher->reclaim_early();
    for (const auto& publisher : all) {
      if (freed == 0) publisher->give_up_surplus();
    }
  } catch (const std::bad_alloc&) {
    // No private memory either: then there is nothing that can be done here.
  }
}

void Runtime::complain_of_removed()
{
  if (leaving_) return;
  const bool is_there =
    !context_.registry->is_removed() && os::shared_exists(area_name(area_->process()));
  if (is_there || leaving_) return;  // the second look: perhaps we have removed them meanwhile
  static Once said;
  if (!said.first()) return;
  log_warning(
    "the files of this process or of its domain in /dev/shm were removed while it runs: what is "
    "connected goes on, but nothing new can be connected, and processes that start now do not see "
    "this one. systemd-logind does so at the end of a user's last session (RemoveIPC=yes): set "
    "RemoveIPC=no in /etc/systemd/logind.conf, or run 'loginctl enable-linger <user>', or as a "
    "system user; then restart this process");
}

std::string Runtime::holders()
{
  std::string text;
  for (const auto& publisher : publishers()) {
    if (!text.empty()) text += "; ";
    text += publisher->holders();
  }
  return text;
}

}  // namespace agnocast::internal

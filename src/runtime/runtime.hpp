// Life of a process in its domain: join, leave, fork, and what the control thread watches over.
//
// If we die here: while we join, the next to join removes our record and the area we made; after
// it, peers see the robust futex word and clean up.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "agnocast/export.hpp"
#include "agnocast/type_description.hpp"
#include "heap/heap.hpp"
#include "memory/area_claim.hpp"
#include "runtime/control_thread.hpp"
#include "topic/context.hpp"
#include "topic/publisher_core.hpp"
#include "topic/subscription_core.hpp"
#include "topic/wait_set_core.hpp"

namespace agnocast::internal {

/// What malloc and free must know in every call, in the own data of each library that the hook is
/// compiled into: addresses in the window are never the C library's, and while no thread has a
/// window open, all of malloc is.
struct alignas(64) HookView
{
  /// Other threads allocate and free while one joins: set() stores the size last, contains() loads
  /// it first.
  std::atomic<std::uintptr_t> window_base{0};
  std::atomic<std::size_t> window_bytes{0};  ///< 0 until the window is reserved
  std::atomic<std::int32_t> open_windows{0};

  void set_window(std::uintptr_t base, std::size_t bytes) noexcept
  {
    window_bytes.store(0, std::memory_order_relaxed);
    window_base.store(base, std::memory_order_release);
    // Pairs with the load in contains(): who sees the size sees the base.
    window_bytes.store(bytes, std::memory_order_release);
  }
  [[nodiscard]] bool contains(const void* address) const noexcept
  {
    // Pairs with the last store in set_window().
    const std::size_t bytes = window_bytes.load(std::memory_order_acquire);
    return reinterpret_cast<std::uintptr_t>(address) - window_base.load(std::memory_order_relaxed) <
           bytes;
  }
};
/// Keeps \p view up to date from now on. At most two.
void watch_hook_view(HookView* view) noexcept;
/// Counts a window that a thread has opened (1) or closed (-1). A thread sees its own at once.
void count_open_windows(std::int32_t change) noexcept;
/// Loans and SharedHeapScopes of the process.
std::int32_t open_windows() noexcept;
/// True if the address lies in the window, whoever's it is.
AGNOCAST_PUBLIC bool is_in_reserved_window(const void* address) noexcept;
/// In a forked child: no window is open.
void forget_open_windows() noexcept;
/// Says once that the shared heap has no room, why, and what can be done. Allocates nothing.
void say_heap_is_full() noexcept;
/// The heap of this process; nullptr before it has joined, and in a forked child.
extern AGNOCAST_PUBLIC std::atomic<Heap*> shared_heap;

/// One for each process; a forked child gets a fresh one. Thread-safe. Never destroyed: objects of
/// the user may outlive main().
class Runtime
{
 public:
  static Runtime& instance();

  /// Joins the domain of the environment's settings if that has not been done.
  Status join();
  /// Leaves the domain at the end of the process. What others hold stays readable to them.
  void leave();

  /// Only after join().
  Context& context() noexcept { return context_; }

  /// Puts the description into the own area, where tools find it; once for each. Joins the domain.
  /// The offset, or 0 if there is no room for it.
  Result<std::uint64_t> store_description(const TypeDescription& description);
  /// What messages of the topic look like, by one of its endpoints.
  std::optional<TypeDescription> find_description(std::string_view topic);
  /// A type mismatch is explained by both layouts, if they go by the same name.
  Failure with_layouts(Failure failure, std::string_view topic, const TypeDescription& asked_for);
  Result<std::shared_ptr<PublisherCore>> create_publisher(PublisherSetup setup);
  Result<std::shared_ptr<SubscriptionCore>> create_subscription(EndpointRequest endpoint,
                                                                std::uint32_t hold_limit);
  Result<std::shared_ptr<WaitSetCore>> create_wait_set();
  /// Keeps the closed publisher until its last message is free.
  void retire_publisher(std::shared_ptr<PublisherCore> publisher) noexcept;
  /// Every wait set of the process; safe in a signal handler.
  void wake_all_wait_sets() noexcept;

  /// For the control thread.
  [[nodiscard]] std::vector<std::shared_ptr<PublisherCore>> publishers();
  [[nodiscard]] std::vector<std::shared_ptr<SubscriptionCore>> subscriptions();
  void drop_finished_publishers();
  [[nodiscard]] std::uint64_t pid_namespace() const noexcept { return pid_namespace_; }
  /// Makes every wait set and waiting publisher look again.
  void ring_own_doorbells() noexcept;
  void announce_late_departures();
  /// The same, and all look at everything: somebody may have died who had not left its hint yet.
  void look_at_all() noexcept;
  /// Frees what the publishers of this process keep without need, and then what only others' depth
  /// keeps: the heap cannot grow.
  void reclaim_all() noexcept;
  /// Says once if somebody has removed the files by which others find this process.
  void complain_of_removed();
  /// For the message of a full heap: who holds what.
  std::string holders();

 private:
  Runtime() = default;
  Status join_locked();
  Status enter_registry();
  Status reserve_window(const WindowSetting& wanted);
  Status make_process(AreaClaim claim, const ProcessTicket& ticket);
  Status try_to_join();
  void undo_join() noexcept;
  Result<std::shared_ptr<PublisherCore>> register_publisher(PublisherSetup setup);
  void introduce(PublisherCore& publisher);
  void announce(const EndpointTicket& endpoint, agnocast_endpoint_kind to);
  void announce_departure(const EndpointTicket& endpoint, agnocast_endpoint_kind to) noexcept;
  void add_processes_of(std::uint32_t topic, agnocast_endpoint_kind kind,
                        std::set<std::string>& processes) const;
  std::set<std::string> processes_at_other_ends();
  void send_announcements(const std::set<std::string>& processes,
                          const EndpointTicket& endpoint) const;
  void keep_destructor(void (*destroy)(void*, const void*));

  static void install_exit_handler();
  static void install_fork_handlers();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();
  void snapshot(std::size_t heap_extent);
  void drop_snapshot();
  void become_child();
  [[nodiscard]] std::vector<std::uint32_t> occupied_slots() const;
  static void replace_instance(Runtime* fresh) noexcept;

  std::mutex join_mutex_;
  std::atomic<bool> joined_{false};
  std::atomic<bool> leaving_{false};  ///< from before its files go
  bool left_ = false;
  bool is_registered_ = false;  ///< has a record, context_.ticket, joining or live
  Settings settings_;
  Permissions permissions_;
  std::unique_ptr<Registry> registry_;
  std::optional<Window> window_;
  std::unique_ptr<Area> area_;
  std::vector<std::byte*> inherited_areas_;  ///< where copies of forebears' areas lie
  PeerTable peers_;
  ControlThread control_thread_;
  Context context_;
  std::uint64_t pid_namespace_ = 0;

  std::mutex register_mutex_;  ///< one publisher comes at a time; taken before mutex_
  std::mutex mutex_;           ///< guards the lists
  std::vector<std::pair<EndpointTicket, agnocast_endpoint_kind>>
    late_departures_;  ///< before the registry knows of them; guarded by mutex_
  std::vector<std::weak_ptr<PublisherCore>> publishers_;
  std::map<std::uint64_t, std::uint64_t> descriptions_;  ///< offsets by hash; guarded by mutex_
  std::vector<std::weak_ptr<SubscriptionCore>> subscriptions_;
  std::vector<std::weak_ptr<WaitSetCore>> wait_sets_;
  std::vector<std::shared_ptr<PublisherCore>> retired_publishers_;
  std::set<void (*)(void*, const void*)> kept_destructors_;

  /// Private copies of what the area held when fork() was called, for the child.
  struct Copy
  {
    void* copy;
    std::size_t bytes;
    std::byte* original;
  };
  std::array<Copy, 2> copies_{};  ///< no allocation while the heap is locked
};

/// A heap that this process inherited from its parent: its blocks stay readable and may be freed
/// (to no effect) and reallocated.
Heap* inherited_heap_of(const void* block) noexcept;

}  // namespace agnocast::internal

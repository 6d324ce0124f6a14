// What a process tells the processes at the other ends of its topics: docs/layout/announcement.md.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "os/failpoint.hpp"
#include "os/queue.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

// A process without a queue, or with a full one, learns from the generation.
void Runtime::send_announcements(const std::set<std::string>& processes,
                                 const EndpointTicket& endpoint) const
{
  agnocast_announcement announcement = {};
  announcement.magic = AGNOCAST_ANNOUNCEMENT_MAGIC;
  announcement.endpoint_id = endpoint.id;
  announcement.process_id = context_.ticket.id;
  announcement.area_address = reinterpret_cast<std::uintptr_t>(area_->base());
  announcement.area_bytes = area_->header().slot_bytes;
  announcement.slot = area_->slot();
  announcement.topic = endpoint.topic;
  for (const std::string& process : processes) {
    AGNOCAST_FAILPOINT("announce.before");
    os::send_to_queue(queue_name(process), &announcement, sizeof announcement);
    AGNOCAST_FAILPOINT("announce.sent");
  }
}

// Other processes with ends of that kind.
void Runtime::add_processes_of(std::uint32_t topic, agnocast_endpoint_kind kind,
                               std::set<std::string>& processes) const
{
  for (const EndpointView& view : registry_->endpoints(topic, kind)) {
    if (view.process.process_id != context_.ticket.id) processes.insert(view.process.process);
  }
}

// To the other ends of its topic: so that they know of it before the first message.
void Runtime::announce(const EndpointTicket& endpoint, agnocast_endpoint_kind to)
{
  std::set<std::string> processes;
  add_processes_of(endpoint.topic, to, processes);
  send_announcements(processes, endpoint);
}

// So that nobody has to find out on the message path.
void Runtime::announce_departure(const EndpointTicket& endpoint, agnocast_endpoint_kind to) noexcept
{
  if (leaving_) return;
  try {
    if (registry_->is_settled()) {
      announce(endpoint, to);
    } else {
      const std::lock_guard lock(mutex_);
      late_departures_.emplace_back(endpoint, to);
    }
  } catch (const std::bad_alloc&) {
    // They find out.
  }
  control_thread_.poke();  // ends of our own
}

// The registry could not be told at once, and has been now.
void Runtime::announce_late_departures()
{
  std::vector<std::pair<EndpointTicket, agnocast_endpoint_kind>> departures;
  {
    const std::lock_guard lock(mutex_);
    departures.swap(late_departures_);
  }
  for (const auto& [endpoint, to] : departures) announce_departure(endpoint, to);
}

std::set<std::string> Runtime::processes_at_other_ends()
{
  std::set<std::string> processes;
  for (const auto& publisher : publishers()) {
    add_processes_of(publisher->ticket().topic, AGNOCAST_SUBSCRIPTION, processes);
  }
  for (const auto& subscription : subscriptions()) {
    add_processes_of(subscription->ticket().topic, AGNOCAST_PUBLISHER, processes);
  }
  return processes;
}

}  // namespace agnocast::internal

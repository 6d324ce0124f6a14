// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "fake_peer.hpp"

#include <fcntl.h>

#include "os/map.hpp"
#include "os/process.hpp"

namespace agnocast::fuzz {

namespace {

constexpr WindowSetting window_setting{0x550000000000, 4 * AGNOCAST_SLOT_BYTES_MIN,
                                       AGNOCAST_SLOT_BYTES_MIN};
constexpr std::size_t used_control = 0x8000;

}  // namespace

WindowSetting FakeRegistry::window() const
{
  return window_setting;
}

Result<ProcessTicket> FakeRegistry::begin_join(const IsUsableSlot&, const std::string&)
{
  return Failure{FailureKind::usage, "not here"};
}

FakePeer& FakePeer::instance()
{
  static auto* peer = new FakePeer();
  return *peer;
}

FakePeer::FakePeer()
{
  auto window = Window::reserve(window_setting);
  must(static_cast<bool>(window), "the window is free");
  window_ = std::make_unique<Window>(*window);
  const std::string pid = std::to_string(os::process_id());
  auto area = Area::create({window_.get(), 0, pid + ".1", 0, 0x400000, "", {}});
  must(static_cast<bool>(area), "an area can be made");
  area_ = std::move(*area);
  area_->header().process_id = 1;
  // The peer's files are those of a real process, made by the same code in another slot.
  auto made = Area::create({window_.get(), 2, pid + ".2", 0, 0x100000, "", {}});
  must(static_cast<bool>(made), "the peer's area can be made");
  os::set_mode(os::open_shared(area_name(pid + ".2"), O_RDONLY).get(), 0600);
  const os::Descriptor file = os::open_shared(area_name(pid + ".2"), O_RDWR);
  writable =
    static_cast<std::byte*>(os::map_file(nullptr, AGNOCAST_SLOT_BYTES_MIN, file.get(), true));
  must(writable != nullptr, "the peer's area can be mapped");
  identity_ = {1, 2, pid + ".2", 0, 0};
  peers_.start(*window_, *area_, 1, {}, {});
  reset();
  auto mapped = peers_.get(identity_, PeerUse::messages);
  must(static_cast<bool>(mapped), "the peer can be mapped");
  mapped_ = std::move(*mapped);
  base = reinterpret_cast<std::uintptr_t>(window_->slot_address(1));
  area_->unlink();
  made->reset();  // its names; the memory stays for those who have it mapped
  context.area = area_.get();
  context.peers = &peers_;
  context.registry = &registry;
  context.ticket = {0, 1};
  context.heap = Heap::create(
    area_->heap_base(), area_->heap_bytes(), area_->heap_secured(),
    {[](std::size_t bytes) { return os::map_private(bytes); },
     [](void* memory, std::size_t bytes) { os::unmap(memory, bytes); },
     [](void* own, std::size_t end) { return static_cast<Area*>(own)->secure_heap(end); },
     area_.get()});
  must(context.heap != nullptr, "a heap");
}

void FakePeer::reset()
{
  auto& header = *at<agnocast_area_header>(0);
  header.magic = AGNOCAST_AREA_MAGIC;
  header.abi_version = AGNOCAST_ABI_VERSION;
  header.slot = 1;
  header.process_id = 2;
  header.slot_bytes = AGNOCAST_SLOT_BYTES_MIN;
  header.alive = 1;
  header.secured_end = secured;
  std::memset(at<void>(AGNOCAST_WAITERS_OFFSET), 0, 16 * sizeof(agnocast_waiter));
  std::memset(at<void>(AGNOCAST_CONTROL), 0, used_control);
}

void FakePeer::write_word(Input& input)
{
  const auto where = input.get<std::uint16_t>();
  std::uint64_t offset = AGNOCAST_CONTROL + where % used_control / 8 * 8;
  if (where >= 0xff00) offset = where % 192 / 8 * 8;
  if (where >= 0xf000 && where < 0xff00) {
    offset = AGNOCAST_WAITERS_OFFSET + where % (16 * sizeof(agnocast_waiter)) / 8 * 8;
  }
  auto value = input.get<std::uint64_t>();
  // Half of the values as addresses in the peer's heap, which are the most credible.
  if (value >> 63 != 0) value = heap_address() + value % 0x20000;
  *at<std::uint64_t>(offset) = value;
}

EndpointView FakePeer::endpoint(std::uint64_t id, std::uint64_t offset) const
{
  return {id, identity_, offset, 4, AGNOCAST_KEEP_ALL, AGNOCAST_RELIABLE, AGNOCAST_TRANSIENT_LOCAL};
}

}  // namespace agnocast::fuzz

// A process that exists only as an area: mapped by the real PeerTable, so that publishers and
// subscriptions read it as they read any peer, and writable here, so that the fuzzer says what is
// in it. The registry beside it lists what the harness wants.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "input.hpp"
#include "topic/context.hpp"

namespace agnocast::fuzz {

using namespace agnocast::internal;

class FakeRegistry final : public Registry
{
 public:
  std::vector<EndpointView> views;
  std::uint64_t generation = 1;

  [[nodiscard]] bool is_gone() const override { return false; }
  [[nodiscard]] bool is_broken() const override { return false; }
  [[nodiscard]] bool is_removed() const override { return false; }
  [[nodiscard]] WindowSetting window() const override;
  [[nodiscard]] Permissions permissions() const override { return {}; }
  void sweep() override {}
  Result<ProcessTicket> begin_join(const IsUsableSlot&, const std::string&) override;
  Status finish_join(const ProcessTicket&) override { return Nothing{}; }
  void remove_if_empty() override {}
  void remove_process(const ProcessTicket&) override {}
  [[nodiscard]] bool may_be_there(const PeerIdentity&) const override { return true; }
  bool recover(const PeerIdentity&) override { return false; }
  Result<EndpointTicket> add_endpoint(const ProcessTicket&, const EndpointRequest&) override
  {
    return EndpointTicket{0, 0, own_endpoint_id};
  }
  void close_endpoint(const EndpointTicket&) noexcept override {}
  void remove_endpoint(const EndpointTicket&) noexcept override {}
  [[nodiscard]] bool is_settled() const noexcept override { return true; }
  bool settle() noexcept override { return true; }
  [[nodiscard]] std::optional<std::uint32_t> find_topic(std::string_view) const override
  {
    return 0;
  }
  [[nodiscard]] const std::uint64_t* topic_generation(std::uint32_t,
                                                      agnocast_endpoint_kind) const override
  {
    return &generation;
  }
  [[nodiscard]] std::vector<EndpointView> endpoints(std::uint32_t,
                                                    agnocast_endpoint_kind) const override
  {
    return views;
  }

  static constexpr std::uint64_t own_endpoint_id = 50;
};

/// Made once; the own process's part is real but for the registry.
class FakePeer
{
 public:
  static FakePeer& instance();

  Context context;
  FakeRegistry registry;

  /// Zeroes what a harness uses of the peer's control part and makes the header right.
  void reset();
  /// What a hostile process may do to its area: one word anywhere in the header, the waiters or the
  /// first 32 KiB of the control part.
  void write_word(Input& input);
  [[nodiscard]] std::uint64_t heap_address() const { return base + AGNOCAST_HEAP; }
  template <class T>
  T* at(std::uint64_t offset)
  {
    return reinterpret_cast<T*>(writable + offset);
  }
  /// An endpoint of the peer whose control structure lies at that offset.
  [[nodiscard]] EndpointView endpoint(std::uint64_t id, std::uint64_t offset) const;

  static constexpr std::uint64_t secured = AGNOCAST_HEAP + 0x10000;

 private:
  FakePeer();
  std::byte* writable = nullptr;
  std::uint64_t base = 0;  ///< where the peer's area lies for those who read it
  PeerIdentity identity_;
  std::unique_ptr<Window> window_;
  std::unique_ptr<Area> area_;
  std::shared_ptr<PeerArea> mapped_;
  PeerTable peers_;
};

}  // namespace agnocast::fuzz

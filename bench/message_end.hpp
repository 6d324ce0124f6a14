// One side of a ping-pong with messages of agnocast.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "exchange.hpp"
#include "peer.hpp"
#include "rendezvous.hpp"

namespace bench {

/// The message: an ordinary container whose size is known only at run time.
struct Payload
{
  std::uint64_t number = 0;
  std::vector<std::uint8_t> bytes;
};

/// A loan of `publisher` whose whole payload has been written.
agnocast::ipc_shared_ptr<Payload> written_loan(agnocast::Publisher<Payload>& publisher,
                                               std::uint64_t number, std::size_t size_bytes);

/// An end in the sense of exchange.hpp.
///
/// Payloads are written several rounds ahead. Writing 64 MiB drives everything else out of the
/// caches; with one write for each round the clock would see that, and not the publish. What it
/// does see of it stands in the first round of each batch, and so in p90 and above.
class MessageEnd
{
 public:
  static constexpr bool announces_ready = true;
  static constexpr std::size_t batch = 8;

  explicit MessageEnd(Side side);

  /// Waits until both topics have their two ends.
  void connect(Peer& peer);

  /// Takes over size, mode and spinning of the task.
  void begin(const Task& task);
  void prepare(std::uint64_t number);
  void send(std::uint64_t number);
  void receive(std::uint64_t number, Peer& peer);
  /// Looks at what was received, first and last byte included, and gives it back.
  void finish();

  [[nodiscard]] std::uint64_t lost_count() const noexcept { return subscription_->lost_count(); }

 private:
  void take_polling(Peer& peer);
  void take_blocking(Peer& peer);

  agnocast::Node node_;
  agnocast::Publisher<Payload>::SharedPtr publisher_;
  agnocast::Subscription<Payload>::SharedPtr subscription_;
  agnocast::WaitSet wait_set_;
  Mode mode_ = Mode::poll;
  std::size_t size_bytes_ = 0;
  std::chrono::nanoseconds spin_for_{0};
  std::uint64_t rounds_end_ = 0;
  std::uint64_t expected_ = 0;
  std::vector<agnocast::ipc_shared_ptr<Payload>> loans_;
  std::size_t next_loan_ = 0;
  agnocast::ipc_shared_ptr<const Payload> received_;
};

}  // namespace bench

// Borrow, publish, take: what is measured.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "message_end.hpp"

#include <unistd.h>

#include <string>
#include <utility>

namespace bench {
namespace {

const char* topic_to(Side side)
{
  return side == Side::pong ? "/bench/ping" : "/bench/pong";
}

}  // namespace

agnocast::ipc_shared_ptr<Payload> written_loan(agnocast::Publisher<Payload>& publisher,
                                               std::uint64_t number, std::size_t size_bytes)
{
  agnocast::ipc_shared_ptr<Payload> loan = publisher.borrow_loaned_message();
  loan->number = number;
  loan->bytes.assign(size_bytes, static_cast<std::uint8_t>(number));
  return loan;
}

MessageEnd::MessageEnd(Side side)
  : node_(side == Side::ping ? "ping" : "pong"),
    publisher_(node_.create_publisher<Payload>(
      topic_to(side == Side::ping ? Side::pong : Side::ping), agnocast::QoS(1))),
    subscription_(node_.create_subscription<Payload>(topic_to(side), agnocast::QoS(1)))
{
}

void MessageEnd::connect(Peer& peer)
{
  Patience patience(peer, "the topics to connect");
  while (publisher_->subscription_count() != 1 || subscription_->publisher_count() != 1) {
    patience.check();
    usleep(1'000);
  }
}

void MessageEnd::begin(const Task& task)
{
  mode_ = task.mode;
  size_bytes_ = task.size_bytes;
  rounds_end_ = task.first_number + task.rounds;
  loans_.clear();
  next_loan_ = 0;
  spin_for_ = std::chrono::nanoseconds(task.spin_ns);
  if (mode_ == Mode::block) {
    wait_set_.add(*subscription_);
  } else {
    wait_set_.remove(*subscription_);
  }
}

void MessageEnd::prepare(std::uint64_t number)
{
  if (next_loan_ < loans_.size()) return;
  loans_.clear();
  loans_.reserve(batch);  // before a loan is open, so in private memory
  next_loan_ = 0;
  for (std::uint64_t ahead = 0; ahead < batch && number + ahead < rounds_end_; ++ahead) {
    loans_.push_back(written_loan(*publisher_, number + ahead, size_bytes_));
  }
  // As a program that has just filled a message would, look at each once more.
  for (std::size_t i = 0; i < loans_.size(); ++i) {
    if (loans_[i]->number != number + i) throw Failure("a loan was changed");
  }
}

void MessageEnd::send(std::uint64_t)
{
  if (publisher_->publish(std::move(loans_[next_loan_++])) != agnocast::PublishStatus::published) {
    throw Failure("a message was not published");
  }
}

void MessageEnd::receive(std::uint64_t number, Peer& peer)
{
  if (mode_ == Mode::poll) {
    take_polling(peer);
  } else {
    take_blocking(peer);
  }
  expected_ = number;
}

void MessageEnd::finish()
{
  // Pong answers before it looks, and ping looks after it stopped the clock: what is measured ends
  // when the message is in the receiver's hands.
  const Payload& payload = *received_;
  const auto fill = static_cast<std::uint8_t>(expected_);
  if (payload.number != expected_ || payload.bytes.size() != size_bytes_ ||
      payload.bytes.front() != fill || payload.bytes.back() != fill) {
    throw Failure("message " + std::to_string(expected_) + " was not received as it was sent");
  }
  received_.reset();
}

void MessageEnd::take_polling(Peer& peer)
{
  Patience patience(peer, "a message");
  while (!(received_ = subscription_->take())) patience.spin();
}

void MessageEnd::take_blocking(Peer& peer)
{
  Patience patience(peer, "a message");
  do {
    if (!wait_set_.wait(std::chrono::seconds(1), spin_for_)) patience.check();
    received_ = subscription_->take();
  } while (!received_);
}

}  // namespace bench

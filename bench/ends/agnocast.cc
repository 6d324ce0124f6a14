// Borrow, publish, take: what is measured.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "ends/agnocast.hpp"

#include <unistd.h>

#include <agnocast/agnocast.hpp>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "harness/content.hpp"
#include "harness/serve.hpp"

namespace bench {
namespace {

/// An ordinary container whose size is known only at run time.
using Bytes = std::vector<std::uint8_t>;

struct FlatMessage
{
  Bytes bytes;
};
void write(FlatMessage& message, std::size_t bytes, std::uint64_t number)
{
  message.bytes.assign(bytes, static_cast<std::uint8_t>(number));
  std::memcpy(message.bytes.data(), &number, sizeof number);
}
bool is(const FlatMessage& message, std::size_t bytes, std::uint64_t number, bool all)
{
  if (message.bytes.size() != bytes) return false;
  return all ? flat_sums_to(message.bytes.data(), bytes, number)
             : flat_is(message.bytes.data(), bytes, number);
}

void write(Cloud& cloud, std::size_t bytes, std::uint64_t number)
{
  write_cloud(cloud, bytes, number);
}
bool is(const Cloud& cloud, std::size_t bytes, std::uint64_t number, bool all)
{
  return cloud_is(cloud, bytes, number, all);
}

/// Both directions for one type of message.
template <class Message>
class Channel
{
 public:
  Channel(agnocast::Node& node, const std::string& name, Side side)
    : publisher_(node.create_publisher<Message>(
        name + (side == Side::ping ? "/to_pong" : "/to_ping"), agnocast::QoS(1))),
      subscription_(node.create_subscription<Message>(
        name + (side == Side::ping ? "/to_ping" : "/to_pong"), agnocast::QoS(1)))
  {
  }

  void connect()
  {
    Patience patience("the topics to connect");
    while (publisher_->subscription_count() != 1 || subscription_->publisher_count() != 1) {
      patience.check();
      usleep(1'000);
    }
  }

  void begin(const Task& task, agnocast::WaitSet& wait_set)
  {
    task_ = task;
    loans_.clear();
    next_loan_ = 0;
    if (task.mode == Mode::poll) {
      wait_set.remove(*subscription_);
    } else {
      wait_set.add(*subscription_);
    }
  }

  void prepare(std::uint64_t number)
  {
    if (task_.touched != 0 || next_loan_ < loans_.size()) return;
    loans_.clear();
    loans_.reserve(batch);  // before a loan is open, so in private memory
    next_loan_ = 0;
    for (std::uint64_t ahead = 0; ahead < batch; ++ahead) {
      loans_.push_back(written_loan(number + ahead));
    }
    // As a program that has just filled a message would, look at each once more.
    for (std::uint64_t ahead = 0; ahead < batch; ++ahead) {
      if (!is(*loans_[ahead], task_.size_bytes, number + ahead, false)) {
        throw Failure("a loan was changed");
      }
    }
  }

  void send(std::uint64_t number)
  {
    const agnocast::PublishStatus status = task_.touched != 0
                                             ? publisher_->publish(written_loan(number))
                                             : publisher_->publish(std::move(loans_[next_loan_++]));
    if (status != agnocast::PublishStatus::published) throw Failure("a message was not published");
  }

  void receive(std::uint64_t number, agnocast::WaitSet& wait_set)
  {
    if (task_.mode == Mode::poll) {
      Patience patience("a message");
      while (!(received_ = subscription_->take())) patience.spin();
    } else {
      Patience patience("a message");
      const std::chrono::nanoseconds spin_for(task_.mode == Mode::spin ? task_.spin_ns : 0);
      do {
        if (!wait_set.wait(std::chrono::seconds(1), spin_for)) patience.check();
        received_ = subscription_->take();
      } while (!received_);
    }
    if (task_.touched != 0) right_ = is(*received_, task_.size_bytes, number, true);
  }

  void finish(std::uint64_t number)
  {
    if (task_.touched == 0) right_ = is(*received_, task_.size_bytes, number, false);
    if (!right_) {
      throw Failure("message " + std::to_string(number) + " was not received as it was sent");
    }
    received_.reset();
  }

 private:
  agnocast::ipc_shared_ptr<Message> written_loan(std::uint64_t number)
  {
    agnocast::ipc_shared_ptr<Message> loan = publisher_->borrow_loaned_message();
    write(*loan, task_.size_bytes, number);
    return loan;
  }

  typename agnocast::Publisher<Message>::SharedPtr publisher_;
  typename agnocast::Subscription<Message>::SharedPtr subscription_;
  Task task_;
  std::vector<agnocast::ipc_shared_ptr<Message>> loans_;
  std::size_t next_loan_ = 0;
  agnocast::ipc_shared_ptr<const Message> received_;
  bool right_ = false;
};

class AgnocastEnd
{
 public:
  static constexpr std::uint32_t supports = supports_poll | supports_block | supports_spin |
                                            supports_flat | supports_unsized |
                                            supports_written_and_read;

  explicit AgnocastEnd(const EndArguments& arguments)
    : node_(arguments.side == Side::ping ? "ping" : "pong"),
      flat_(node_, "/bench/flat", arguments.side),
      cloud_(node_, "/bench/cloud", arguments.side)
  {
  }

  void connect()
  {
    flat_.connect();
    cloud_.connect();
  }
  void begin(const Task& task)
  {
    content_ = task.content;
    flat_.begin(task, wait_set_);
    cloud_.begin(task, wait_set_);
  }
  void prepare(std::uint64_t number)
  {
    content_ == Content::flat ? flat_.prepare(number) : cloud_.prepare(number);
  }
  void send(std::uint64_t number)
  {
    content_ == Content::flat ? flat_.send(number) : cloud_.send(number);
  }
  void receive(std::uint64_t number)
  {
    content_ == Content::flat ? flat_.receive(number, wait_set_)
                              : cloud_.receive(number, wait_set_);
  }
  void finish(std::uint64_t number)
  {
    content_ == Content::flat ? flat_.finish(number) : cloud_.finish(number);
  }

 private:
  agnocast::Node node_;
  Channel<FlatMessage> flat_;
  Channel<Cloud> cloud_;
  agnocast::WaitSet wait_set_;
  Content content_ = Content::flat;
};

}  // namespace

int run_agnocast_end(const EndArguments& arguments)
{
  return serve<AgnocastEnd>(arguments);
}

}  // namespace bench

// iceoryx 2.0: agnocast-bench-iceoryx.
//
// How it is used
// - Untyped publishers and subscribers: chunks of just the size of each message. RouDi has a memory
//   pool for each of the usual sizes, see systems.cc.
// - No history, a queue of one chunk, the oldest is dropped (the default): nothing waits.
// - Polling asks the subscriber alone. Blocking attaches the subscriber's event to a WaitSet, once
//   for a task, so that publishing pays for the semaphore only there.
// - A flat message is written into a loaned chunk. A cloud cannot lie in a chunk: the application
//   has its containers, keeps them from message to message so that they allocate nothing, and
//   copies them into the chunk. The receiver reads the chunk in place.
// - The cloud to be copied is written right before it is sent, and not batches ahead: the copy
//   then finds it in the cache.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "ends/iceoryx.hpp"
#include "harness/content.hpp"
#include "harness/flat_cloud.hpp"
#include "harness/serve.hpp"
#include "iceoryx_hoofs/log/logmanager.hpp"
#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"

namespace bench {
namespace {

iox::capro::ServiceDescription service(const EndArguments& arguments, const char* direction)
{
  const std::string session = arguments.session();
  return {"agnocast-bench", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, session),
          iox::capro::IdString_t(iox::cxx::TruncateToCapacity, direction)};
}

iox::popo::SubscriberOptions queue_of_one()
{
  iox::popo::SubscriberOptions options;
  options.queueCapacity = 1;
  return options;
}

class IceoryxEnd
{
 public:
  static constexpr std::uint32_t supports =
    supports_poll | supports_block | supports_flat | supports_unsized | supports_written_and_read;

  explicit IceoryxEnd(const EndArguments& arguments)
    : publisher_(service(arguments, arguments.side == Side::ping ? "to_pong" : "to_ping")),
      subscriber_(service(arguments, arguments.side == Side::ping ? "to_ping" : "to_pong"),
                  queue_of_one())
  {
  }
  ~IceoryxEnd() { release_loans(); }
  IceoryxEnd(const IceoryxEnd&) = delete;
  IceoryxEnd& operator=(const IceoryxEnd&) = delete;

  void connect()
  {
    Patience patience("the topics to connect");
    while (!publisher_.hasSubscribers() ||
           subscriber_.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) {
      patience.check();
      usleep(1'000);
    }
  }

  void begin(const Task& task)
  {
    release_loans();
    task_ = task;
    if (attached_) wait_set_.detachEvent(subscriber_, iox::popo::SubscriberEvent::DATA_RECEIVED);
    attached_ = task.mode == Mode::block;
    if (!attached_) return;
    wait_set_.attachEvent(subscriber_, iox::popo::SubscriberEvent::DATA_RECEIVED)
      .or_else([](auto&) { throw Failure("cannot attach the subscriber to the wait set"); });
  }

  void prepare(std::uint64_t number)
  {
    if (task_.touched != 0) return;
    if (task_.content == Content::unsized) {
      write_cloud(cloud_, task_.size_bytes, number);
    } else if (next_loan_ == loan_count_) {
      next_loan_ = loan_count_ = 0;
      while (loan_count_ < batch) {
        void* const chunk = loan(task_.size_bytes);
        write_flat(chunk, task_.size_bytes, number + loan_count_);
        loans_[loan_count_++] = chunk;
      }
    }
  }

  void send(std::uint64_t number)
  {
    void* chunk = nullptr;
    if (task_.content == Content::unsized) {
      if (task_.touched != 0) write_cloud(cloud_, task_.size_bytes, number);
      chunk = loan(flat_cloud_bytes(cloud_));
      write_flat_cloud(chunk, cloud_);
    } else if (task_.touched != 0) {
      chunk = loan(task_.size_bytes);
      write_flat(chunk, task_.size_bytes, number);
    } else {
      chunk = loans_[next_loan_++];
    }
    publisher_.publish(chunk);
  }

  void receive(std::uint64_t number)
  {
    Patience patience("a message");
    if (task_.mode == Mode::poll) {
      while (!take()) patience.spin();
    } else {
      do {
        if (wait_set_.timedWait(iox::units::Duration::fromSeconds(1)).empty()) patience.check();
      } while (!take());
    }
    if (task_.touched != 0) right_ = received_is(number, true);
  }

  void finish(std::uint64_t number)
  {
    if (task_.touched == 0) right_ = received_is(number, false);
    if (!right_) {
      throw Failure("message " + std::to_string(number) + " was not received as it was sent");
    }
    subscriber_.release(received_);
  }

 private:
  void* loan(std::size_t bytes)
  {
    auto loaned = publisher_.loan(static_cast<std::uint32_t>(bytes));
    if (loaned.has_error()) throw Failure("there is no chunk to be loaned");
    return loaned.value();
  }
  void release_loans()
  {
    while (next_loan_ < loan_count_) publisher_.release(loans_[next_loan_++]);
    next_loan_ = loan_count_ = 0;
  }
  bool take()
  {
    auto taken = subscriber_.take();
    if (taken.has_error()) return false;
    received_ = taken.value();
    return true;
  }
  [[nodiscard]] bool received_is(std::uint64_t number, bool all) const
  {
    if (task_.content == Content::unsized) {
      return flat_cloud_is(received_, task_.size_bytes, number, all);
    }
    return all ? flat_sums_to(received_, task_.size_bytes, number)
               : flat_is(received_, task_.size_bytes, number);
  }

  iox::popo::UntypedPublisher publisher_;
  iox::popo::UntypedSubscriber subscriber_;
  iox::popo::WaitSet<1> wait_set_;
  bool attached_ = false;
  Task task_;
  Cloud cloud_;
  std::array<void*, batch> loans_{};
  std::size_t loan_count_ = 0;
  std::size_t next_loan_ = 0;
  const void* received_ = nullptr;
  bool right_ = false;
};

void init_runtime(const std::string& name)
{
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kError,
                                                           iox::log::LogLevelOutput::kHideLogLevel);
  iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
}

int run(int argc, char** argv)
{
  if (is_scale_end(argc, argv)) {
    const ScaleArguments arguments = parse_scale_arguments(argc, argv);
    init_runtime("agnocast-bench-" + arguments.session() + "-" + std::to_string(arguments.index));
    return run_iceoryx_scale_end(arguments);
  }
  const EndArguments arguments = parse_end_arguments(argc, argv);
  init_runtime("agnocast-bench-" + arguments.session() +
               (arguments.side == Side::ping ? "-ping" : "-pong"));
  return serve<IceoryxEnd>(arguments);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv)
{
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

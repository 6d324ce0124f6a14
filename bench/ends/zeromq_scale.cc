// Publishers and subscribers of a scale sweep with ZeroMQ: one socket in each process. A message
// begins with the number of its topic, which is what subscriptions ask for.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "ends/zeromq.hpp"

namespace bench {
namespace {

using Topic = std::uint64_t;

std::string address(const ScaleArguments& arguments, std::size_t publisher)
{
  return "ipc://@agnocast-bench-zeromq-" + arguments.session() + "-" + std::to_string(publisher);
}

/// The thread for input and output may run on both cores, whatever its maker is pinned to.
void free_threads(const Context& context)
{
  for (const int core : {0, 1}) {
    check(zmq_ctx_set(context.get(), ZMQ_THREAD_AFFINITY_CPU_ADD, core) == 0, "cannot set a core");
  }
}

class Publisher : public ScalePublisher
{
 public:
  explicit Publisher(const ScaleArguments& arguments)
    : arguments_(arguments), socket_((free_threads(context_), context_), ZMQ_XPUB)
  {
    socket_.set(ZMQ_XPUB_VERBOSE, 1);  // tells of every subscriber, not only of the first
    socket_.bind(address(arguments, arguments.index));
    zmq_msg_init(&message_);
  }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  ~Publisher() override { zmq_msg_close(&message_); }

  bool is_connected() override
  {
    std::array<char, 16> subscription{};
    while (zmq_recv(socket_.get(), subscription.data(), subscription.size(), ZMQ_DONTWAIT) >= 0) {
      ++subscriptions_;
    }
    check(zmq_errno() == EAGAIN, "cannot receive a subscription");
    return subscriptions_ == arguments_.subscribers * arguments_.topics;
  }
  void prepare(std::size_t topic, std::uint64_t number) override
  {
    check(zmq_msg_init_size(&message_, sizeof(Topic) + arguments_.size_bytes) == 0,
          "cannot make a message");
    auto* const data = static_cast<unsigned char*>(zmq_msg_data(&message_));
    const Topic prefix = topic;
    std::memcpy(data, &prefix, sizeof prefix);
    std::memset(data + sizeof prefix + sizeof(Stamp), static_cast<int>(number & 0xff),
                arguments_.size_bytes - sizeof(Stamp));
  }
  void publish(std::size_t, const Stamp& stamp) override
  {
    std::memcpy(static_cast<unsigned char*>(zmq_msg_data(&message_)) + sizeof(Topic), &stamp,
                sizeof stamp);
    check(zmq_msg_send(&message_, socket_.get(), 0) >= 0, "cannot send");
  }

 private:
  const ScaleArguments arguments_;
  Context context_;
  Socket socket_;
  zmq_msg_t message_;
  std::size_t subscriptions_ = 0;
};

class Subscriber : public ScaleSubscriber
{
 public:
  explicit Subscriber(const ScaleArguments& arguments)
    : arguments_(arguments), socket_((free_threads(context_), context_), ZMQ_SUB)
  {
    socket_.set(ZMQ_RCVTIMEO, 100);
    for (Topic topic = 0; topic < arguments.topics; ++topic)
      socket_.subscribe(&topic, sizeof topic);
    for (std::size_t i = 0; i < arguments.publishers; ++i) socket_.connect(address(arguments, i));
    zmq_msg_init(&message_);
  }
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;
  ~Subscriber() override { zmq_msg_close(&message_); }

  /// The publishers know.
  bool is_connected() override { return true; }

  void receive(const std::function<void(const Stamp&)>& got) override
  {
    int flags = arguments_.awake ? ZMQ_DONTWAIT : 0;
    while (zmq_msg_recv(&message_, socket_.get(), flags) >= 0) {
      Stamp stamp;
      std::memcpy(&stamp,
                  static_cast<const unsigned char*>(zmq_msg_data(&message_)) + sizeof(Topic),
                  sizeof stamp);
      got(stamp);
      flags = ZMQ_DONTWAIT;
    }
    check(zmq_errno() == EAGAIN || zmq_errno() == EINTR, "cannot receive");
  }

 private:
  const ScaleArguments arguments_;
  Context context_;
  Socket socket_;
  zmq_msg_t message_;
};

}  // namespace

int run_zeromq_scale_end(int argc, char** argv) noexcept
{
  try {
    return serve_scale(
      parse_scale_arguments(argc, argv),
      [](const ScaleArguments& a) { return std::make_unique<Publisher>(a); },
      [](const ScaleArguments& a) { return std::make_unique<Subscriber>(a); });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace bench

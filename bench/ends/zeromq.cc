// ZeroMQ over its ipc transport (a Unix socket with an abstract name, so no file is left behind).
//
// Chosen in its favour: an XPUB and a SUB socket, which are its publish and subscribe; messages are
// sent from buffers of the application without a copy (zmq_msg_init_data) and read where they
// arrived. The unsized message is copied once into a flat one by the sender, and its parts are read
// in place. Its own thread for input and output is not pinned; while polling, the receiver yields
// its core after each try, since that thread needs one (without, p50 is 1.5 times as long here).
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "ends/zeromq.hpp"
#include "harness/content.hpp"
#include "harness/flat_cloud.hpp"
#include "harness/reused_heap.hpp"
#include "harness/serve.hpp"

namespace bench {
namespace {

/// A buffer of the application that ZeroMQ borrows until it has sent it.
struct Buffer
{
  std::vector<unsigned char> bytes;
  std::size_t size_bytes = 0;
  std::atomic<bool> lent{false};
};

class ZeromqEnd
{
 public:
  static constexpr std::uint32_t supports =
    supports_poll | supports_block | supports_flat | supports_unsized | supports_written_and_read;

  explicit ZeromqEnd(const EndArguments& arguments)
    : out_(context_, ZMQ_XPUB), in_(context_, ZMQ_SUB)
  {
    const std::string session = "ipc://@agnocast-bench-zeromq-" + arguments.session();
    const bool is_ping = arguments.side == Side::ping;
    out_.bind(session + (is_ping ? "-to-pong" : "-to-ping"));
    in_.subscribe("", 0);
    in_.connect(session + (is_ping ? "-to-ping" : "-to-pong"));
    zmq_msg_init(&received_);
  }
  ~ZeromqEnd() { zmq_msg_close(&received_); }
  ZeromqEnd(const ZeromqEnd&) = delete;
  ZeromqEnd& operator=(const ZeromqEnd&) = delete;

  /// A publisher is told of its subscriber by a message.
  void connect()
  {
    Patience patience("the subscriber");
    std::array<char, 16> subscription{};
    while (zmq_recv(out_.get(), subscription.data(), subscription.size(), 0) < 0) {
      check(zmq_errno() == EAGAIN, "cannot receive a subscription");
      patience.check();
    }
  }

  void begin(const Task& task)
  {
    task_ = task;
    written_ = 0;
    next_ = 0;
  }

  void prepare(std::uint64_t number)
  {
    if (task_.touched != 0 || next_ < written_) return;
    for (std::size_t i = 0; i < batch; ++i) write(i, number + i);
    written_ = batch;
    next_ = 0;
  }

  void send(std::uint64_t number)
  {
    const std::size_t index = task_.touched != 0 ? number % batch : next_++;
    if (task_.touched != 0) write(index, number);
    Buffer& buffer = buffers_[index];
    if (task_.content == Content::unsized) {
      make_room(buffer, flat_cloud_bytes(clouds_[index]));
      write_flat_cloud(buffer.bytes.data(), clouds_[index]);
    }
    buffer.lent.store(true, std::memory_order_relaxed);
    zmq_msg_t message;
    check(
      zmq_msg_init_data(&message, buffer.bytes.data(), buffer.size_bytes, give_back, &buffer) == 0,
      "cannot make a message");
    check(zmq_msg_send(&message, out_.get(), 0) >= 0, "cannot send");
  }

  void receive(std::uint64_t number)
  {
    Patience patience("a message");
    const bool polls = task_.mode == Mode::poll;
    while (zmq_msg_recv(&received_, in_.get(), polls ? ZMQ_DONTWAIT : 0) < 0) {
      check(zmq_errno() == EAGAIN, "cannot receive");
      polls ? patience.rest(true) : patience.check();
    }
    if (task_.touched != 0) right_ = is_right(number, true);
  }

  void finish(std::uint64_t number)
  {
    if (task_.touched == 0) right_ = is_right(number, false);
    if (!right_) throw Failure("a message was not received as it was sent");
    zmq_msg_close(&received_);
    zmq_msg_init(&received_);
  }

 private:
  static void give_back(void*, void* buffer)
  {
    static_cast<Buffer*>(buffer)->lent.store(false, std::memory_order_release);
  }

  void write(std::size_t index, std::uint64_t number)
  {
    Buffer& buffer = buffers_[index];
    Patience patience("a buffer to be sent");
    while (buffer.lent.load(std::memory_order_acquire)) patience.rest(true);
    if (task_.content == Content::unsized) {
      write_cloud(clouds_[index], task_.size_bytes, number);
    } else {
      make_room(buffer, task_.size_bytes);
      write_flat(buffer.bytes.data(), buffer.size_bytes, number);
    }
  }

  static void make_room(Buffer& buffer, std::size_t bytes)
  {
    if (buffer.bytes.size() < bytes) buffer.bytes.resize(bytes);
    buffer.size_bytes = bytes;
  }

  bool is_right(std::uint64_t number, bool all)
  {
    const void* data = zmq_msg_data(&received_);
    if (task_.content == Content::unsized) {
      return flat_cloud_is(data, task_.size_bytes, number, all);
    }
    if (zmq_msg_size(&received_) != task_.size_bytes) return false;
    return all ? flat_sums_to(data, task_.size_bytes, number)
               : flat_is(data, task_.size_bytes, number);
  }

  // ZeroMQ gives back what it borrowed when its context ends, so the buffers live longer.
  std::array<Buffer, batch> buffers_;
  std::array<Cloud, batch> clouds_;
  Context context_;
  Socket out_;
  Socket in_;
  zmq_msg_t received_;
  Task task_;
  std::size_t written_ = 0;
  std::size_t next_ = 0;
  bool right_ = false;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv)
{
  bench::keep_freed_memory();
  if (bench::is_scale_end(argc, argv)) return bench::run_zeromq_scale_end(argc, argv);
  return bench::serve_main<bench::ZeromqEnd>(argc, argv);
}

// What the machine itself can do: the limits that every system is held against.
//
//   cacheline  one word in shared memory, both ends awake and asking
//   memcpy     the message copied into shared memory and announced by such a word: what a system
//              that copies once can do at best
//   inplace    the message written where the receiver reads it, announced in the same way: what any
//              system can do at best with a message that is written and read
//   futex      a sleeping receiver is woken by a futex
//   eventfd    a sleeping receiver is woken by reading an eventfd
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "ends/bare.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "harness/content.hpp"
#include "harness/flat_cloud.hpp"
#include "harness/serve.hpp"

namespace bench {
namespace {

/// What the ends of real systems write between the rounds, so that the limits are measured with
/// the caches in the same state.
class Ballast
{
 public:
  void begin(const Task& task)
  {
    payloads_.assign(batch, std::vector<unsigned char>(task.size_bytes));
    next_ = batch;
  }
  void prepare(std::uint64_t number)
  {
    if (next_++ < batch) return;
    next_ = 1;
    for (std::vector<unsigned char>& payload : payloads_) {
      write_flat(payload.data(), payload.size(), number++);
    }
  }

 private:
  std::vector<std::vector<unsigned char>> payloads_;
  std::size_t next_ = batch;
};

/// What two processes can do at best when both are awake: hand over one cache line.
class LineEnd
{
 public:
  static constexpr std::uint32_t supports = supports_poll | supports_flat;

  explicit LineEnd(const EndArguments& arguments)
    : exchange_(Exchange::open(dup(arguments.fd))),
      out_(arguments.side == Side::ping ? exchange_->line_to_pong : exchange_->line_to_ping),
      in_(arguments.side == Side::ping ? exchange_->line_to_ping : exchange_->line_to_pong)
  {
  }
  void connect() noexcept {}
  void begin(const Task& task) { ballast_.begin(task); }
  void prepare(std::uint64_t number) { ballast_.prepare(number); }
  void send(std::uint64_t number) noexcept { out_.store(number, std::memory_order_release); }
  void receive(std::uint64_t number)
  {
    Patience patience("a cache line");
    while (in_.load(std::memory_order_acquire) != number) patience.spin();
  }
  void finish(std::uint64_t) noexcept {}

 private:
  Ballast ballast_;
  Exchange exchange_;
  std::atomic<std::uint64_t>& out_;
  std::atomic<std::uint64_t>& in_;
};

/// Two buffers in memory that both ends share, one for each direction.
class Buffers
{
 public:
  explicit Buffers(const EndArguments& arguments)
    : side_(arguments.side), biggest_(buffer_bytes(arguments.biggest_bytes))
  {
    const char* const text = std::getenv("BENCH_BUFFER_FD");
    if (text == nullptr) throw Failure("this end needs BENCH_BUFFER_FD in the environment");
    void* const address = mmap(nullptr, 2 * biggest_, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_POPULATE, std::atoi(text), 0);
    if (address == MAP_FAILED) throw Failure(std::string("cannot map: ") + std::strerror(errno));
    shared_ = static_cast<unsigned char*>(address);
  }
  ~Buffers() { munmap(shared_, 2 * biggest_); }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  [[nodiscard]] unsigned char* out() const { return of(side_ == Side::ping); }
  [[nodiscard]] unsigned char* in() const { return of(side_ == Side::pong); }

 private:
  [[nodiscard]] unsigned char* of(bool ping) const { return shared_ + (ping ? 0 : biggest_); }

  const Side side_;
  const std::size_t biggest_;
  unsigned char* shared_ = nullptr;
};

class MemcpyEnd
{
 public:
  static constexpr std::uint32_t supports =
    supports_poll | supports_flat | supports_written_and_read;

  explicit MemcpyEnd(const EndArguments& arguments)
    : line_(arguments), buffers_(arguments), source_(arguments.biggest_bytes)
  {
  }

  void connect() noexcept {}
  void begin(const Task& task)
  {
    size_bytes_ = task.size_bytes;
    touched_ = task.touched != 0;
  }
  void prepare(std::uint64_t number)
  {
    if (!touched_) write_flat(source_.data(), size_bytes_, number);
  }
  void send(std::uint64_t number)
  {
    if (touched_) write_flat(source_.data(), size_bytes_, number);
    std::memcpy(buffers_.out(), source_.data(), size_bytes_);
    line_.send(number);
  }
  void receive(std::uint64_t number)
  {
    line_.receive(number);
    if (touched_) right_ = flat_sums_to(buffers_.in(), size_bytes_, number);
  }
  void finish(std::uint64_t number)
  {
    if (!touched_) right_ = flat_is(buffers_.in(), size_bytes_, number);
    if (!right_) throw Failure("a message was not received as it was sent");
  }

 private:
  LineEnd line_;
  Buffers buffers_;
  std::vector<unsigned char> source_;
  std::size_t size_bytes_ = 0;
  bool touched_ = false;
  bool right_ = false;
};

/// Written where the other side will read it. One buffer for each direction is enough, since the
/// other side has read it before it answers.
class InPlaceEnd
{
 public:
  static constexpr std::uint32_t supports = supports_poll | supports_flat | supports_unsized |
                                            supports_written_and_read |
                                            supports_only_written_and_read;

  explicit InPlaceEnd(const EndArguments& arguments) : line_(arguments), buffers_(arguments) {}

  void connect() noexcept {}
  void begin(const Task& task) { task_ = task; }
  void prepare(std::uint64_t) noexcept {}
  void send(std::uint64_t number)
  {
    if (task_.content == Content::flat) {
      write_flat(buffers_.out(), task_.size_bytes, number);
    } else {
      write_cloud_in_place(buffers_.out(), task_.size_bytes, number);
    }
    line_.send(number);
  }
  void receive(std::uint64_t number)
  {
    line_.receive(number);
    right_ = task_.content == Content::flat
               ? flat_sums_to(buffers_.in(), task_.size_bytes, number)
               : flat_cloud_is(buffers_.in(), task_.size_bytes, number, true);
  }
  void finish(std::uint64_t)
  {
    if (!right_) throw Failure("a message was not received as it was sent");
  }

 private:
  LineEnd line_;
  Buffers buffers_;
  Task task_;
  bool right_ = false;
};

/// What two processes can do at best when the receiver sleeps: wake it with a futex.
class FutexEnd
{
 public:
  static constexpr std::uint32_t supports = supports_block | supports_flat;

  explicit FutexEnd(const EndArguments& arguments)
    : exchange_(Exchange::open(dup(arguments.fd))),
      out_(arguments.side == Side::ping ? exchange_->word_to_pong : exchange_->word_to_ping),
      in_(arguments.side == Side::ping ? exchange_->word_to_ping : exchange_->word_to_pong)
  {
  }
  void connect() noexcept {}
  void begin(const Task& task) { ballast_.begin(task); }
  void prepare(std::uint64_t number) { ballast_.prepare(number); }
  void send(std::uint64_t number) noexcept
  {
    out_.store(static_cast<std::uint32_t>(number), std::memory_order_release);
    futex_wake(out_, 1);
  }
  void receive(std::uint64_t number)
  {
    Patience patience("a futex");
    const auto expected = static_cast<std::uint32_t>(number);
    for (;;) {
      const std::uint32_t seen = in_.load(std::memory_order_acquire);
      if (seen == expected) return;
      futex_wait(in_, seen);
      if (in_.load(std::memory_order_acquire) == seen) patience.check();
    }
  }
  void finish(std::uint64_t) noexcept {}

 private:
  Ballast ballast_;
  Exchange exchange_;
  std::atomic<std::uint32_t>& out_;
  std::atomic<std::uint32_t>& in_;
};

/// What a sleeper in poll() or read() costs to wake.
class EventfdEnd
{
 public:
  static constexpr std::uint32_t supports = supports_block | supports_flat;

  explicit EventfdEnd(const EndArguments& arguments)
  {
    const char* text = std::getenv("BENCH_EVENT_FDS");
    int fds[2] = {-1, -1};
    if (text == nullptr || std::sscanf(text, "%d,%d", &fds[0], &fds[1]) != 2) {
      throw Failure("the eventfd end needs BENCH_EVENT_FDS in the environment");
    }
    out_ = fds[arguments.side == Side::ping ? 0 : 1];
    in_ = fds[arguments.side == Side::ping ? 1 : 0];
  }
  void connect() noexcept {}
  void begin(const Task& task) { ballast_.begin(task); }
  void prepare(std::uint64_t number) { ballast_.prepare(number); }
  void send(std::uint64_t)
  {
    const std::uint64_t one = 1;
    if (write(out_, &one, sizeof one) != sizeof one) throw Failure("cannot write to an eventfd");
  }
  void receive(std::uint64_t)
  {
    std::uint64_t count = 0;
    if (read(in_, &count, sizeof count) != sizeof count) throw Failure("cannot read an eventfd");
  }
  void finish(std::uint64_t) noexcept {}

 private:
  Ballast ballast_;
  int out_ = -1;
  int in_ = -1;
};

}  // namespace

int run_bare_end(const std::string& system, const EndArguments& arguments)
{
  if (system == "cacheline") return serve<LineEnd>(arguments);
  if (system == "memcpy") return serve<MemcpyEnd>(arguments);
  if (system == "inplace") return serve<InPlaceEnd>(arguments);
  if (system == "futex") return serve<FutexEnd>(arguments);
  if (system == "eventfd") return serve<EventfdEnd>(arguments);
  throw Failure("no such system: " + system);
}

}  // namespace bench

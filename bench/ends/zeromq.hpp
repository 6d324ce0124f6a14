// ZeroMQ's context and sockets, and its end of a scale sweep.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zmq.h>

#include <cstddef>
#include <string>

#include "harness/process.hpp"
#include "harness/scale_serve.hpp"

namespace bench {

// The kernel gives what it allows. Without it, a big message goes in pieces of 200 KiB.
inline constexpr int socket_buffer_bytes = 4 << 20;

inline void check(bool right, const char* what)
{
  if (!right) throw Failure(std::string(what) + ": " + zmq_strerror(zmq_errno()));
}

/// Its threads end with it.
class Context
{
 public:
  Context() : context_(zmq_ctx_new()) { check(context_ != nullptr, "cannot make a context"); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { zmq_ctx_term(context_); }
  [[nodiscard]] void* get() const noexcept { return context_; }

 private:
  void* context_;
};

class Socket
{
 public:
  Socket(const Context& context, int type) : socket_(zmq_socket(context.get(), type))
  {
    check(socket_ != nullptr, "cannot make a socket");
    set(ZMQ_LINGER, 0);
    set(ZMQ_RCVTIMEO, 1'000);
    set(ZMQ_SNDBUF, socket_buffer_bytes);
    set(ZMQ_RCVBUF, socket_buffer_bytes);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { zmq_close(socket_); }
  [[nodiscard]] void* get() const noexcept { return socket_; }
  void set(int option, int value)
  {
    check(zmq_setsockopt(socket_, option, &value, sizeof value) == 0, "cannot set an option");
  }
  void subscribe(const void* prefix, std::size_t bytes)
  {
    check(zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, prefix, bytes) == 0, "cannot subscribe");
  }
  void bind(const std::string& address)
  {
    check(zmq_bind(socket_, address.c_str()) == 0, "cannot bind");
  }
  void connect(const std::string& address)
  {
    check(zmq_connect(socket_, address.c_str()) == 0, "cannot connect");
  }

 private:
  void* socket_;
};

/// What main() of a scale end consists of.
int run_zeromq_scale_end(int argc, char** argv) noexcept;

}  // namespace bench

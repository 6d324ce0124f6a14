// Cyclone DDS as its package sets it up: over UDP on the loopback interface. (Its shared memory
// needs iceoryx's daemon and carries only types of fixed size.)
//
// Chosen in its favour: packets as big as UDP takes, socket buffers as big as the kernel allows, no
// limit on what is under way, and what the kernel dropped is asked for again after 1 ms instead of
// 100. The sender's sequences refer to the application's own memory, so the
// only copy is the serialization in dds_write(). The receiver's sample keeps its buffers from one
// message to the next. Polling, it yields its core after each try, since Cyclone's receiving thread
// needs one.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <dds/dds.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "cyclonedds.h"  // made by idlc
#include "harness/content.hpp"
#include "harness/reused_heap.hpp"
#include "harness/serve.hpp"

namespace bench {
namespace {

// No multicast: both ends are on this machine, and not every machine has it.
constexpr const char* configuration = R"(
  <General>
    <Interfaces><NetworkInterface address="127.0.0.1" multicast="false"/></Interfaces>
    <AllowMulticast>false</AllowMulticast>
    <MaxMessageSize>65500B</MaxMessageSize>
    <FragmentSize>65000B</FragmentSize>
  </General>
  <Discovery>
    <ParticipantIndex>auto</ParticipantIndex>
    <Peers><Peer address="127.0.0.1"/></Peers>
  </Discovery>
  <Internal>
    <SocketReceiveBufferSize max="64MiB"/>
    <SocketSendBufferSize max="64MiB"/>
    <NackDelay>1ms</NackDelay>
    <Watermarks><WhcHigh>256MiB</WhcHigh></Watermarks>
  </Internal>
)";

dds_return_t checked(dds_return_t result, const char* what)
{
  if (result < 0) throw Failure(std::string(what) + ": " + dds_strretcode(result));
  return result;
}

/// A sequence that refers to memory of somebody else.
template <class Sequence, class Element>
void refer(Sequence& sequence, Element* elements, std::size_t count)
{
  sequence._buffer = elements;
  sequence._length = sequence._maximum = static_cast<std::uint32_t>(count);
  sequence._release = false;
}

/// What the application has of a flat message.
class FlatSource
{
 public:
  static const dds_topic_descriptor_t& descriptor() { return bench_Flat_desc; }

  void write(std::size_t bytes, std::uint64_t number)
  {
    bytes_.resize(bytes);
    write_flat(bytes_.data(), bytes, number);
  }
  [[nodiscard]] bench_Flat sample()
  {
    bench_Flat sample;
    refer(sample.bytes, bytes_.data(), bytes_.size());
    return sample;
  }
  static bool is(const bench_Flat& sample, std::size_t bytes, std::uint64_t number, bool all)
  {
    if (sample.bytes._length != bytes) return false;
    return all ? flat_sums_to(sample.bytes._buffer, bytes, number)
               : flat_is(sample.bytes._buffer, bytes, number);
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

/// What it has of an unsized one.
class CloudSource
{
 public:
  static const dds_topic_descriptor_t& descriptor() { return bench_Cloud_desc; }

  void write(std::size_t bytes, std::uint64_t number) { write_cloud(cloud_, bytes, number); }
  [[nodiscard]] bench_Cloud sample()
  {
    bench_Cloud sample;
    sample.frame_id = cloud_.frame_id.data();
    refer(sample.points, &cloud_.points.data()->x, cloud_.points.size() * 4);
    std::size_t count = 0;
    for (auto& [name, floats] : cloud_.channels) {
      bench_Channel& channel = channels_.at(count++);
      channel.name = const_cast<char*>(name.c_str());
      refer(channel.values, floats.data(), floats.size());
    }
    refer(sample.channels, channels_.data(), count);
    return sample;
  }
  static bool is(const bench_Cloud& sample, std::size_t bytes, std::uint64_t number, bool all)
  {
    if (sample.frame_id != cloud_frame(number) || sample.channels._length != channel_names.size()) {
      return false;
    }
    bool right = floats_are(sample.points._buffer, sample.points._length * sizeof(float),
                            point_count(bytes) * sizeof(Point), number, all);
    for (std::size_t i = 0; i < sample.channels._length; ++i) {
      const bench_Channel& channel = sample.channels._buffer[i];
      right = right && is_name(channel.name) &&
              floats_are(channel.values._buffer, channel.values._length * sizeof(float),
                         channel_length(bytes) * sizeof(float), number, all);
    }
    return right;
  }

 private:
  static bool is_name(const char* name)
  {
    for (const char* known : channel_names) {
      if (std::strcmp(name, known) == 0) return true;
    }
    return false;
  }
  Cloud cloud_;
  std::array<bench_Channel, channel_names.size()> channels_{};
};

/// Both directions for one type of message.
template <class Source>
class Channel
{
 public:
  Channel(dds_entity_t participant, const std::string& name, Side side)
  {
    dds_qos_t* qos = dds_create_qos();
    dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(20));
    dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 1);
    const bool is_ping = side == Side::ping;
    writer_ =
      checked(dds_create_writer(participant, topic(participant, name, is_ping ? "pong" : "ping"),
                                qos, nullptr),
              "cannot make a writer");
    reader_ =
      checked(dds_create_reader(participant, topic(participant, name, is_ping ? "ping" : "pong"),
                                qos, nullptr),
              "cannot make a reader");
    dds_delete_qos(qos);
    wait_set_ = checked(dds_create_waitset(participant), "cannot make a wait set");
    const dds_entity_t condition =
      checked(dds_create_readcondition(reader_, DDS_ANY_STATE), "cannot make a condition");
    checked(dds_waitset_attach(wait_set_, condition, 0), "cannot attach to a wait set");
  }
  ~Channel() { dds_sample_free(&received_, &Source::descriptor(), DDS_FREE_CONTENTS); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void connect()
  {
    Patience patience("the other participant");
    dds_publication_matched_status_t readers{};
    dds_subscription_matched_status_t writers{};
    while (readers.current_count != 1 || writers.current_count != 1) {
      patience.check();
      usleep(1'000);
      dds_get_publication_matched_status(writer_, &readers);
      dds_get_subscription_matched_status(reader_, &writers);
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
    for (std::size_t i = 0; i < batch; ++i) sources_[i].write(task_.size_bytes, number + i);
    written_ = batch;
    next_ = 0;
  }

  void send(std::uint64_t number)
  {
    Source& source = sources_[task_.touched != 0 ? 0 : next_++];
    if (task_.touched != 0) source.write(task_.size_bytes, number);
    auto sample = source.sample();
    checked(dds_write(writer_, &sample), "cannot write");
  }

  void receive(std::uint64_t number)
  {
    Patience patience("a message");
    const bool polls = task_.mode == Mode::poll;
    void* samples[1] = {&received_};
    dds_sample_info_t info;
    while (checked(dds_take(reader_, samples, &info, 1, 1), "cannot take") == 0 ||
           !info.valid_data) {
      if (polls) {
        patience.rest(true);
      } else if (checked(dds_waitset_wait(wait_set_, nullptr, 0, DDS_SECS(1)), "cannot wait") ==
                 0) {
        patience.check();
      }
    }
    if (task_.touched != 0) right_ = Source::is(received_, task_.size_bytes, number, true);
  }

  void finish(std::uint64_t number)
  {
    if (task_.touched == 0) right_ = Source::is(received_, task_.size_bytes, number, false);
    if (!right_) throw Failure("a message was not received as it was sent");
  }

 private:
  using Sample = decltype(std::declval<Source&>().sample());

  static dds_entity_t topic(dds_entity_t participant, const std::string& name, const char* receiver)
  {
    return checked(dds_create_topic(participant, &Source::descriptor(),
                                    (name + "_to_" + receiver).c_str(), nullptr, nullptr),
                   "cannot make a topic");
  }

  dds_entity_t writer_ = 0;
  dds_entity_t reader_ = 0;
  dds_entity_t wait_set_ = 0;
  std::array<Source, batch> sources_;
  Sample received_{};
  Task task_;
  std::size_t written_ = 0;
  std::size_t next_ = 0;
  bool right_ = false;
};

/// A domain of this session alone.
class Participant
{
 public:
  explicit Participant(pid_t session)
  {
    // Domain n uses ports from 7400 + 250 n on.
    const auto domain = static_cast<dds_domainid_t>(1 + session % 200);
    checked(dds_create_domain(domain, configuration), "cannot make a domain");
    participant_ =
      checked(dds_create_participant(domain, nullptr, nullptr), "cannot make a participant");
  }
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;
  ~Participant() { dds_delete(DDS_CYCLONEDDS_HANDLE); }
  [[nodiscard]] dds_entity_t get() const noexcept { return participant_; }

 private:
  dds_entity_t participant_ = 0;
};

class CycloneEnd
{
 public:
  static constexpr std::uint32_t supports =
    supports_poll | supports_block | supports_flat | supports_unsized | supports_written_and_read;

  explicit CycloneEnd(const EndArguments& arguments)
    : participant_(arguments.parent),
      flat_(participant_.get(), "flat", arguments.side),
      cloud_(participant_.get(), "cloud", arguments.side)
  {
  }

  void connect()
  {
    flat_.connect();
    cloud_.connect();
  }
  void begin(const Task& task)
  {
    is_flat_ = task.content == Content::flat;
    is_flat_ ? flat_.begin(task) : cloud_.begin(task);
  }
  void prepare(std::uint64_t number) { is_flat_ ? flat_.prepare(number) : cloud_.prepare(number); }
  void send(std::uint64_t number) { is_flat_ ? flat_.send(number) : cloud_.send(number); }
  void receive(std::uint64_t number) { is_flat_ ? flat_.receive(number) : cloud_.receive(number); }
  void finish(std::uint64_t number) { is_flat_ ? flat_.finish(number) : cloud_.finish(number); }

 private:
  Participant participant_;
  Channel<FlatSource> flat_;
  Channel<CloudSource> cloud_;
  bool is_flat_ = true;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv)
{
  bench::keep_freed_memory();
  return bench::serve_main<bench::CycloneEnd>(argc, argv);
}

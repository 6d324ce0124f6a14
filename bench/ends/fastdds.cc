// Fast DDS: flat messages by data sharing, a loan at the writer and a loan at the reader; unsized
// ones through its shared-memory transport.
//
// Chosen in its favour: each flat size is a plain type of that size, as data sharing needs it.
// Clouds are serialized with Fast CDR as its generator's code would do it, but whole vectors at
// once, and into a Cloud that keeps its memory from one message to the next. The transport's
// segment and queue hold the biggest message, so nothing is lost without acknowledgements, which
// take as long again as the message (best effort; the receiver checks each message). Polling, the
// receiver yields its core after each try, since the threads of Fast DDS need one. Only the
// shared-memory transport is used, also for discovery, which then needs no network.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <fastcdr/Cdr.h>
#include <fastcdr/FastBuffer.h>
#include <unistd.h>

#include <fastdds/rtps/transport/shared_mem/SharedMemTransportDescriptor.h>
#include <array>
#include <fastdds/dds/core/LoanableSequence.hpp>
#include <fastdds/dds/core/condition/WaitSet.hpp>
#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ends/fastdds_types.hpp"
#include "harness/content.hpp"
#include "harness/reused_heap.hpp"
#include "harness/serve.hpp"

namespace bench {
namespace {

namespace dds = eprosima::fastdds::dds;
using Return = eprosima::fastrtps::types::ReturnCode_t;

template <class T>
T* made(T* entity, const char* what)
{
  if (entity == nullptr) throw Failure(std::string("cannot make ") + what);
  return entity;
}

void check(const Return& result, const char* what)
{
  if (result != Return::RETCODE_OK) {
    throw Failure(std::string(what) + ": Fast DDS returns " + std::to_string(result()));
  }
}

/// A domain of this session alone.
class Participant
{
 public:
  explicit Participant(const EndArguments& arguments) : domain_(1 + arguments.parent % 200)
  {
    auto transport = std::make_shared<eprosima::fastdds::rtps::SharedMemTransportDescriptor>();
    transport->segment_size(static_cast<std::uint32_t>(2 * arguments.biggest_bytes + (16U << 20)));
    transport->port_queue_capacity(8192);
    dds::DomainParticipantQos qos = dds::PARTICIPANT_QOS_DEFAULT;
    qos.transport().use_builtin_transports = false;
    qos.transport().user_transports.push_back(transport);
    auto* factory = dds::DomainParticipantFactory::get_instance();
    participant_ = made(factory->create_participant(static_cast<dds::DomainId_t>(domain_), qos),
                        "a participant");
    publisher_ = made(participant_->create_publisher(dds::PUBLISHER_QOS_DEFAULT), "a publisher");
    subscriber_ =
      made(participant_->create_subscriber(dds::SUBSCRIBER_QOS_DEFAULT), "a subscriber");
  }
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;
  ~Participant()
  {
    participant_->delete_contained_entities();
    dds::DomainParticipantFactory::get_instance()->delete_participant(participant_);
    remove_ports_of_domain(domain_);
  }

  dds::DataWriter* writer(const std::string& topic, const dds::TypeSupport& type,
                          const dds::DataWriterQos& qos)
  {
    return made(publisher_->create_datawriter(make_topic(topic, type), qos), "a writer");
  }
  dds::DataReader* reader(const std::string& topic, const dds::TypeSupport& type,
                          const dds::DataReaderQos& qos)
  {
    return made(subscriber_->create_datareader(make_topic(topic, type), qos), "a reader");
  }

 private:
  dds::Topic* make_topic(const std::string& name, const dds::TypeSupport& type)
  {
    check(type.register_type(participant_), "cannot register a type");
    return made(participant_->create_topic(name, type.get_type_name(), dds::TOPIC_QOS_DEFAULT),
                "a topic");
  }

  const int domain_;
  dds::DomainParticipant* participant_ = nullptr;
  dds::Publisher* publisher_ = nullptr;
  dds::Subscriber* subscriber_ = nullptr;
};

/// Both directions for one type.
class Channel
{
 public:
  Channel(Participant& participant, Side side, const dds::TypeSupport& type, bool is_plain)
  {
    dds::DataWriterQos writer_qos = dds::DATAWRITER_QOS_DEFAULT;
    dds::DataReaderQos reader_qos = dds::DATAREADER_QOS_DEFAULT;
    set(writer_qos, is_plain);
    set(reader_qos, is_plain);
    // The messages that are written ahead.
    writer_qos.resource_limits().extra_samples = batch + 1;
    const std::string to_pong = type.get_type_name() + "_to_pong";
    const std::string to_ping = type.get_type_name() + "_to_ping";
    const bool is_ping = side == Side::ping;
    writer_ = participant.writer(is_ping ? to_pong : to_ping, type, writer_qos);
    reader_ = participant.reader(is_ping ? to_ping : to_pong, type, reader_qos);
    dds::StatusCondition& condition = reader_->get_statuscondition();
    condition.set_enabled_statuses(dds::StatusMask::data_available());
    check(wait_set_.attach_condition(condition), "cannot attach to a wait set");
  }

  void connect()
  {
    Patience patience("the other participant");
    dds::PublicationMatchedStatus readers;
    dds::SubscriptionMatchedStatus writers;
    while (readers.current_count != 1 || writers.current_count != 1) {
      patience.check();
      usleep(1'000);
      writer_->get_publication_matched_status(readers);
      reader_->get_subscription_matched_status(writers);
    }
  }

  [[nodiscard]] dds::DataWriter& writer() { return *writer_; }
  [[nodiscard]] dds::DataReader& reader() { return *reader_; }

  /// `take` returns whether there was a message.
  template <class Take>
  void receive(Mode mode, Take&& take)
  {
    Patience patience("a message");
    while (!take(*reader_)) {
      if (mode == Mode::poll) {
        patience.rest(true);
      } else if (wait_set_.wait(active_, {1, 0}) != Return::RETCODE_OK) {
        patience.check();
      }
    }
  }

 private:
  template <class Qos>
  static void set(Qos& qos, bool is_plain)
  {
    qos.reliability().kind = dds::BEST_EFFORT_RELIABILITY_QOS;
    qos.durability().kind = dds::VOLATILE_DURABILITY_QOS;
    qos.history().kind = dds::KEEP_LAST_HISTORY_QOS;
    qos.history().depth = 1;
    if (is_plain) {
      qos.data_sharing().on("");
    } else {
      qos.data_sharing().off();
      qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::DYNAMIC_REUSABLE_MEMORY_MODE;
    }
  }

  dds::DataWriter* writer_ = nullptr;
  dds::DataReader* reader_ = nullptr;
  dds::WaitSet wait_set_;
  dds::ConditionSeq active_;
};

/// Flat messages of one size.
class FlatChannel
{
 public:
  FlatChannel(Participant& participant, Side side, std::size_t bytes)
    : channel_(participant, side, dds::TypeSupport(new FlatType(bytes)), true), bytes_(bytes)
  {
    channel_.connect();
  }

  void begin(const Task& task)
  {
    task_ = task;
    for (; next_ < loans_.size(); ++next_) channel_.writer().discard_loan(loans_[next_]);
    loans_.clear();
    loans_.reserve(batch);
    next_ = 0;
  }

  void prepare(std::uint64_t number)
  {
    if (task_.touched != 0 || next_ < loans_.size()) return;
    loans_.clear();
    for (std::size_t i = 0; i < batch; ++i) loans_.push_back(written_loan(number + i));
    next_ = 0;
  }

  void send(std::uint64_t number)
  {
    void* loan = task_.touched != 0 ? written_loan(number) : loans_[next_++];
    if (!channel_.writer().write(loan)) throw Failure("cannot write");
  }

  void receive(std::uint64_t number)
  {
    channel_.receive(task_.mode, [&](dds::DataReader& reader) {
      if (reader.take(samples_, infos_, 1) != Return::RETCODE_OK) return false;
      if (infos_[0].valid_data) return true;
      reader.return_loan(samples_, infos_);
      return false;
    });
    if (task_.touched != 0) right_ = flat_sums_to(&samples_[0], bytes_, number);
  }

  void finish(std::uint64_t number)
  {
    if (task_.touched == 0) right_ = flat_is(&samples_[0], bytes_, number);
    if (!right_) throw Failure("a message was not received as it was sent");
    check(channel_.reader().return_loan(samples_, infos_), "cannot return a loan");
  }

 private:
  void* written_loan(std::uint64_t number)
  {
    void* loan = nullptr;
    check(channel_.writer().loan_sample(
            loan, dds::DataWriter::LoanInitializationKind::NO_LOAN_INITIALIZATION),
          "cannot get a loan");
    write_flat(loan, bytes_, number);
    return loan;
  }

  Channel channel_;
  const std::size_t bytes_;
  dds::LoanableSequence<std::uint8_t> samples_;  // of which only the address matters
  dds::SampleInfoSeq infos_;
  std::vector<void*> loans_;
  std::size_t next_ = 0;
  Task task_;
  bool right_ = false;
};

class CloudChannel
{
 public:
  CloudChannel(Participant& participant, Side side)
    : channel_(participant, side, dds::TypeSupport(new CloudType), false)
  {
  }

  void connect() { channel_.connect(); }

  void begin(const Task& task)
  {
    task_ = task;
    written_ = 0;
    next_ = 0;
  }

  void prepare(std::uint64_t number)
  {
    if (task_.touched != 0 || next_ < written_) return;
    for (std::size_t i = 0; i < batch; ++i) write_cloud(clouds_[i], task_.size_bytes, number + i);
    written_ = batch;
    next_ = 0;
  }

  void send(std::uint64_t number)
  {
    Cloud& cloud = clouds_[task_.touched != 0 ? 0 : next_++];
    if (task_.touched != 0) write_cloud(cloud, task_.size_bytes, number);
    if (!channel_.writer().write(&cloud)) throw Failure("cannot write");
  }

  void receive(std::uint64_t number)
  {
    channel_.receive(task_.mode, [&](dds::DataReader& reader) {
      return reader.take_next_sample(&received_, &info_) == Return::RETCODE_OK && info_.valid_data;
    });
    if (task_.touched != 0) right_ = cloud_is(received_, task_.size_bytes, number, true);
  }

  void finish(std::uint64_t number)
  {
    if (task_.touched == 0) right_ = cloud_is(received_, task_.size_bytes, number, false);
    if (!right_) throw Failure("a message was not received as it was sent");
  }

 private:
  Channel channel_;
  std::array<Cloud, batch> clouds_;
  Cloud received_;
  dds::SampleInfo info_;
  Task task_;
  std::size_t written_ = 0;
  std::size_t next_ = 0;
  bool right_ = false;
};

class FastEnd
{
 public:
  static constexpr std::uint32_t supports =
    supports_poll | supports_block | supports_flat | supports_unsized | supports_written_and_read;

  explicit FastEnd(const EndArguments& arguments)
    : side_(arguments.side), participant_(arguments), cloud_(participant_, side_)
  {
  }

  void connect() { cloud_.connect(); }

  void begin(const Task& task)
  {
    flat_ = nullptr;
    if (task.content == Content::unsized) {
      cloud_.begin(task);
      return;
    }
    // A size is a type, and a type has its own writer and reader.
    std::unique_ptr<FlatChannel>& flat = flats_[task.size_bytes];
    if (!flat) flat = std::make_unique<FlatChannel>(participant_, side_, task.size_bytes);
    flat_ = flat.get();
    flat_->begin(task);
  }

  void prepare(std::uint64_t number) { flat_ ? flat_->prepare(number) : cloud_.prepare(number); }
  void send(std::uint64_t number) { flat_ ? flat_->send(number) : cloud_.send(number); }
  void receive(std::uint64_t number) { flat_ ? flat_->receive(number) : cloud_.receive(number); }
  void finish(std::uint64_t number) { flat_ ? flat_->finish(number) : cloud_.finish(number); }

 private:
  const Side side_;
  Participant participant_;
  CloudChannel cloud_;
  std::map<std::size_t, std::unique_ptr<FlatChannel>> flats_;
  FlatChannel* flat_ = nullptr;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv)
{
  bench::keep_freed_memory();
  return bench::serve_main<bench::FastEnd>(argc, argv);
}

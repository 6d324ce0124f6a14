// What Fast DDS is told of the two kinds of messages, and the files it leaves behind.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fastcdr/Cdr.h>
#include <fastcdr/FastBuffer.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <utility>

#include "harness/content.hpp"

namespace bench {

using Payload = eprosima::fastrtps::rtps::SerializedPayload_t;

/// In front of every payload: how it is encoded.
inline constexpr std::uint32_t encapsulation_bytes = 4;

/// A message without a key.
class KeylessType : public eprosima::fastdds::dds::TopicDataType
{
 public:
  bool getKey(void*, eprosima::fastrtps::rtps::InstanceHandle_t*, bool) override { return false; }
};

/// A plain type: in memory it is what is sent.
class FlatType final : public KeylessType
{
 public:
  explicit FlatType(std::size_t bytes) : bytes_(static_cast<std::uint32_t>(bytes))
  {
    m_typeSize = bytes_ + encapsulation_bytes;
    setName(("flat_" + std::to_string(bytes)).c_str());
  }
  bool serialize(void* data, Payload* payload) override
  {
    const std::uint8_t little_endian[encapsulation_bytes] = {0, 1, 0, 0};
    std::memcpy(payload->data, little_endian, encapsulation_bytes);
    std::memcpy(payload->data + encapsulation_bytes, data, bytes_);
    payload->encapsulation = CDR_LE;
    payload->length = bytes_ + encapsulation_bytes;
    return true;
  }
  bool deserialize(Payload* payload, void* data) override
  {
    if (payload->length != bytes_ + encapsulation_bytes) return false;
    std::memcpy(data, payload->data + encapsulation_bytes, bytes_);
    return true;
  }
  std::function<std::uint32_t()> getSerializedSizeProvider(void*) override
  {
    return [size = bytes_ + encapsulation_bytes] { return size; };
  }
  void* createData() override { return new unsigned char[bytes_]; }
  void deleteData(void* data) override { delete[] static_cast<unsigned char*>(data); }
  bool is_bounded() const override { return true; }
  bool is_plain() const override { return true; }
  bool construct_sample(void*) const override { return true; }

 private:
  const std::uint32_t bytes_;
};

class CloudType final : public KeylessType
{
 public:
  CloudType()
  {
    m_typeSize = 1024;  // the buffer to begin with
    setName("cloud");
  }
  bool serialize(void* data, Payload* payload) override
  {
    using namespace eprosima::fastcdr;
    FastBuffer buffer(reinterpret_cast<char*>(payload->data), payload->max_size);
    Cdr cdr(buffer, Cdr::DEFAULT_ENDIAN, Cdr::DDS_CDR);
    payload->encapsulation = cdr.endianness() == Cdr::BIG_ENDIANNESS ? CDR_BE : CDR_LE;
    try {
      const Cloud& cloud = *static_cast<const Cloud*>(data);
      cdr.serialize_encapsulation();
      cdr << cloud.frame_id << static_cast<std::uint32_t>(cloud.points.size());
      cdr.serializeArray(&cloud.points.data()->x, cloud.points.size() * 4);
      cdr << static_cast<std::uint32_t>(cloud.channels.size());
      for (const auto& [name, floats] : cloud.channels) cdr << name << floats;
    } catch (const exception::Exception&) {
      return false;
    }
    payload->length = static_cast<std::uint32_t>(cdr.getSerializedDataLength());
    return true;
  }
  bool deserialize(Payload* payload, void* data) override
  {
    using namespace eprosima::fastcdr;
    FastBuffer buffer(reinterpret_cast<char*>(payload->data), payload->length);
    Cdr cdr(buffer, Cdr::DEFAULT_ENDIAN, Cdr::DDS_CDR);
    try {
      Cloud& cloud = *static_cast<Cloud*>(data);
      cdr.read_encapsulation();
      std::uint32_t count = 0;
      cdr >> cloud.frame_id >> count;
      cloud.points.resize(count);
      cdr.deserializeArray(&cloud.points.data()->x, cloud.points.size() * 4);
      cdr >> count;
      for (std::string name; count > 0; --count) {
        cdr >> name;
        cdr >> cloud.channels[name];
      }
    } catch (const exception::Exception&) {
      return false;
    }
    return true;
  }
  std::function<std::uint32_t()> getSerializedSizeProvider(void* data) override
  {
    const Cloud& cloud = *static_cast<const Cloud*>(data);
    // Lengths, terminators and gaps for alignment are less than 16 bytes for each part.
    std::size_t bytes = 64 + cloud.frame_id.size() + cloud.points.size() * sizeof(Point);
    for (const auto& [name, floats] : cloud.channels) {
      bytes += 32 + name.size() + floats.size() * sizeof(float);
    }
    return [size = static_cast<std::uint32_t>(bytes)] { return size; };
  }
  void* createData() override { return new Cloud; }
  void deleteData(void* data) override { delete static_cast<Cloud*>(data); }
};

/// Removes the files of the shared-memory transport's ports, which stay when their users are gone.
inline void remove_ports_of_domain(int domain)
{
  // Domain n uses ports from 7400 + 250 n on.
  const int first = 7400 + 250 * domain;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", ignored)) {
    const std::string name = entry.path().filename();
    const std::size_t at = name.find("fastrtps_port");
    if (at == std::string::npos) continue;
    const int port = std::atoi(name.c_str() + at + std::strlen("fastrtps_port"));
    if (port >= first && port < first + 250) std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace bench

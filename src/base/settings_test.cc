// Every setting, every way to get it wrong.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "base/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

using namespace agnocast::internal;

namespace {

struct Variable
{
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  const char* name_;
};

void expect_refused(const char* name, const char* value)
{
  const Variable variable(name, value);
  Result<Settings> settings = read_settings();
  ASSERT_FALSE(settings) << name << "=" << value;
  EXPECT_EQ(settings.failure().kind, FailureKind::setting);
  EXPECT_NE(settings.failure().text.find(std::string(name) + "='" + value + "'"), std::string::npos)
    << settings.failure().text;
}

}  // namespace

TEST(Settings, AreAllOptional)
{
  const Variable domain("AGNOCAST_DOMAIN_ID", "");
  const Variable window("AGNOCAST_WINDOW", "");
  Result<Settings> settings = read_settings();
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->domain, 0u);
  EXPECT_EQ(settings->mempool_bytes, Settings::mempool_default);
  EXPECT_FALSE(settings->heap_all);
  EXPECT_FALSE(settings->window);
  EXPECT_EQ(settings->access, Settings::Access::owner);
}

TEST(Settings, TheMempoolSizeIsRoundedUpToWholeHundredsOfKilobytes)
{
  for (const auto& [text, bytes] : {std::pair{"1", 102'400u},
                                    {"102400", 102'400u},
                                    {"102401", 204'800u},
                                    {"0x20000", 204'800u}}) {
    const Variable variable("AGNOCAST_MEMPOOL_SIZE", text);
    EXPECT_EQ(read_settings()->mempool_bytes, bytes) << text;
  }
}

TEST(Settings, TheNewerNameOfTheMempoolSizeWins)
{
  const Variable older("MEMPOOL_SIZE", "102400");
  EXPECT_EQ(read_settings()->mempool_source, "MEMPOOL_SIZE");
  const Variable newer("AGNOCAST_MEMPOOL_SIZE", "204800");
  EXPECT_EQ(read_settings()->mempool_bytes, 204'800u);
  EXPECT_EQ(read_settings()->mempool_source, "AGNOCAST_MEMPOOL_SIZE");
}

TEST(Settings, ThatAreNoNumbersAreRefusedWithNameAndValue)
{
  for (const char* value : {"abc", "0", "-5", "1e9", "", " 5", "5 ", "0x",
                            "99999999999999999999999", "9223372036854775807"}) {
    expect_refused("AGNOCAST_MEMPOOL_SIZE", value);
    expect_refused("MEMPOOL_SIZE", value);
  }
  for (const char* value : {"abc", "-1", "4294967296", "1.5"}) {
    expect_refused("AGNOCAST_DOMAIN_ID", value);
  }
}

TEST(Settings, OfChoiceTakeOnlyWhatTheyOffer)
{
  expect_refused("AGNOCAST_HEAP", "some");
  expect_refused("AGNOCAST_REGISTRY", "file");
  expect_refused("AGNOCAST_ACCESS", "everybody");
  expect_refused("AGNOCAST_ACCESS", "group:");
  const Variable heap("AGNOCAST_HEAP", "all");
  const Variable registry("AGNOCAST_REGISTRY", "kernel");
  const Variable access("AGNOCAST_ACCESS", "group:users");
  EXPECT_TRUE(read_settings()->heap_all);
  EXPECT_EQ(read_settings()->registry, Settings::Host::kernel);
  EXPECT_EQ(read_settings()->access, Settings::Access::group);
  EXPECT_EQ(read_settings()->access_group, "users");
}

TEST(Settings, OfTheThreadsAreAPriorityAndCpus)
{
  for (const char* value : {"high", "fifo", "fifo:", "fifo:0", "fifo:100", "fifo:x", "nice:20",
                            "nice:-21", "nice:", "nice:-", "nice:1.5", "normal:1"}) {
    expect_refused("AGNOCAST_THREAD_PRIORITY", value);
  }
  for (const char* value : {"none", "-1", "1-", "3-1", "0,", ",0", "0,,1", "0-8192", "0 1", "0x"}) {
    expect_refused("AGNOCAST_THREAD_AFFINITY", value);
  }
  EXPECT_EQ(read_settings()->thread_fifo_priority, 0);
  EXPECT_FALSE(read_settings()->thread_nice);
  EXPECT_TRUE(read_settings()->thread_cpus.empty());
  const Variable cpus("AGNOCAST_THREAD_AFFINITY", "7,0,2-4");
  EXPECT_EQ(read_settings()->thread_cpus, (std::vector<int>{7, 0, 2, 3, 4}));
  const Variable niceness("AGNOCAST_THREAD_PRIORITY", "nice:-20");
  EXPECT_EQ(read_settings()->thread_nice, -20);
  const Variable fifo("AGNOCAST_THREAD_PRIORITY", "fifo:99");
  EXPECT_EQ(read_settings()->thread_fifo_priority, 99);
}

TEST(Settings, AWindowHasABaseASizeAndSlotsThatFit)
{
  for (const char* value :
       {"0x200000000000", "x:y", "0x200000000000:", "0:0x4000000000", "0x200000000001:0x4000000000",
        "0x200000000000:0x1000", "0x200000000000:0x4000000000:0x1000",
        "0x7fff00000000:0x4000000000", "0x200000000000:0x4000000000:0x8000000000", "1:2:3:4",
        "0x200000000000:0xfffffffffff00000"}) {
    expect_refused("AGNOCAST_WINDOW", value);
  }
  {
    const Variable window("AGNOCAST_WINDOW", "0x550000000000:0x4000000000");
    EXPECT_EQ(read_settings()->window->slot_bytes, 256u << 20) << "1024 slots of 256 MiB";
  }
  {
    const Variable window("AGNOCAST_WINDOW", "0x550000000000:0x10000000:0x4000000");
    EXPECT_EQ(read_settings()->window->bytes, 256u << 20);
    EXPECT_EQ(read_settings()->window->slot_bytes, 64u << 20);
  }
}

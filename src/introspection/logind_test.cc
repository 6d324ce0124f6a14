// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "introspection/logind.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace agnocast::internal {
namespace {

class Logind : public testing::Test
{
 protected:
  void SetUp() override
  {
    char folder[] = "/tmp/agnocast_logind.XXXXXX";
    root_ = ::mkdtemp(folder);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const
  {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string root_;
};

TEST_F(Logind, RemovesIpcUnlessItIsToldNotTo)
{
  EXPECT_TRUE(logind_removes_ipc(root_));
  write("/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n");
  EXPECT_TRUE(logind_removes_ipc(root_));
  write("/etc/systemd/logind.conf", "[Login]\nRemoveIPC = no \n");
  EXPECT_FALSE(logind_removes_ipc(root_));
}

TEST_F(Logind, TheLastOfTheDropInsCountsAndHidesThoseOfItsName)
{
  write("/etc/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
  write("/usr/lib/systemd/logind.conf.d/50-a.conf", "[Login]\nRemoveIPC=yes\n");
  EXPECT_TRUE(logind_removes_ipc(root_));
  write("/etc/systemd/logind.conf.d/50-a.conf", "[Login]\n");
  EXPECT_FALSE(logind_removes_ipc(root_));
  write("/run/systemd/logind.conf.d/60-b.conf", "[Login]\nRemoveIPC=\n");
  EXPECT_TRUE(logind_removes_ipc(root_));
  write("/run/systemd/logind.conf.d/70-c.note", "[Login]\nRemoveIPC=no\n");
  EXPECT_TRUE(logind_removes_ipc(root_));
}

}  // namespace
}  // namespace agnocast::internal

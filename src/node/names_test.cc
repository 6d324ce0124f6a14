// Names of nodes, namespaces and topics: what ROS 2 takes, and the reason where it does not.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/names.hpp"

#include <gtest/gtest.h>

#include "agnocast/error.hpp"

using namespace agnocast::internal;

TEST(Names, OfTopicsAreMadeAbsolute)
{
  EXPECT_EQ(full_topic("points", "driver", "/"), "/points");
  EXPECT_EQ(full_topic("points", "driver", "/robot"), "/robot/points");
  EXPECT_EQ(full_topic("/points", "driver", "/robot"), "/points");
  EXPECT_EQ(full_topic("~/points", "driver", "/robot"), "/robot/driver/points");
  EXPECT_EQ(full_topic("a/b_1/c", "driver", "/"), "/a/b_1/c");
  EXPECT_EQ(full_namespace(""), "/");
  EXPECT_EQ(full_namespace("a/b"), "/a/b");
}

TEST(Names, ThatAreMalformedAreRefusedWithTheReason)
{
  const std::pair<const char*, const char*> wrong[] = {{"", "empty"},
                                                       {"/", "no name"},
                                                       {"a//b", "empty part"},
                                                       {"a/", "empty part"},
                                                       {"1a", "digit"},
                                                       {"a/2b", "digit"},
                                                       {"a b", "character"},
                                                       {"a-b", "character"},
                                                       {"~", "'~'"},
                                                       {"~a", "'~'"},
                                                       {"a/~b", "character"},
                                                       {"a__b", "underscores"},
                                                       {"\xc3\xa4", "character"},
                                                       {"~/", "'~'"}};
  for (const auto& [name, reason] : wrong) {
    try {
      full_topic(name, "node", "/");
      ADD_FAILURE() << name << " was taken";
    } catch (const agnocast::NameError& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  }
}

TEST(Names, OfNodesArePlainWords)
{
  EXPECT_NO_THROW(check_node_name("a_1"));
  for (const char* name : {"", "a/b", "1a", "a b", "~a"}) {
    EXPECT_THROW(check_node_name(name), agnocast::NameError) << name;
  }
}

TEST(Names, AreLimitedInLength)
{
  EXPECT_NO_THROW(full_topic("/" + std::string(254, 'a'), "node", "/"));
  EXPECT_THROW(full_topic("/" + std::string(255, 'a'), "node", "/"), agnocast::NameError);
  EXPECT_THROW(full_topic(std::string(200, 'a'), "node", "/" + std::string(100, 'b')),
               agnocast::NameError);
  EXPECT_THROW(check_node_name(std::string(256, 'a')), agnocast::NameError);
}

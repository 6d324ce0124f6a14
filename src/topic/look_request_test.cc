// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "topic/look_request.hpp"

#include <gtest/gtest.h>

namespace agnocast::internal {
namespace {

constexpr std::int64_t start = 1'000;
constexpr std::int64_t patience = LookRequest::patience_ns;
constexpr std::int64_t period = LookRequest::period_ns;

TEST(LookRequest, WaitsForTheAnnouncementFirst)
{
  LookRequest request;
  EXPECT_FALSE(request.is_due(start, false));
  EXPECT_FALSE(request.is_due(start + patience - 1, false));
  EXPECT_TRUE(request.is_due(start + patience, false));
}

TEST(LookRequest, IsRepeatedAsLongAsNothingCameOfIt)
{
  LookRequest request;
  EXPECT_FALSE(request.is_due(start, false));
  EXPECT_TRUE(request.is_due(start + patience, false));
  EXPECT_FALSE(request.is_due(start + patience + period - 1, false));
  EXPECT_TRUE(request.is_due(start + patience + period, false));
}

TEST(LookRequest, IsMadeAtOnceAndOnceIfItIsUrgent)
{
  LookRequest request;
  EXPECT_FALSE(request.is_due(start, false));
  EXPECT_TRUE(request.is_due(start + 1, true));
  EXPECT_FALSE(request.is_due(start + 2, true));
  EXPECT_FALSE(request.is_due(start + 1 + patience, true));
  EXPECT_TRUE(request.is_due(start + 1 + period, true));
}

TEST(LookRequest, BeginsAnewOnceTheListWasMade)
{
  LookRequest request;
  EXPECT_TRUE(request.is_due(start, true));
  request.done();
  EXPECT_FALSE(request.is_due(start + 1, false));
  EXPECT_TRUE(request.is_due(start + 2, true));
}

}  // namespace
}  // namespace agnocast::internal

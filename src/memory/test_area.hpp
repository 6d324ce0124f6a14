// An area of this process for tests of the parts of the data path.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "memory/area.hpp"
#include "os/process.hpp"

namespace agnocast::internal {

class TestArea
{
 public:
  TestArea()
  {
    auto window =
      Window::reserve({0x550000000000, 2 * AGNOCAST_SLOT_BYTES_MIN, AGNOCAST_SLOT_BYTES_MIN});
    EXPECT_TRUE(static_cast<bool>(window));
    window_ = std::make_unique<Window>(*window);
    auto area = Area::create(
      {window_.get(), 0, std::to_string(os::process_id()) + ".unit", 0, 0x100000, "", {}});
    EXPECT_TRUE(static_cast<bool>(area));
    area_ = std::move(*area);
    area_->unlink();
  }

  Area& operator*() const { return *area_; }
  Area* operator->() const { return area_.get(); }

 private:
  std::unique_ptr<Window> window_;
  std::unique_ptr<Area> area_;
};

}  // namespace agnocast::internal

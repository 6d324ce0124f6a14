// Second program of the pipeline: thins each scan out and publishes the result.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <iomanip>
#include <string>

#include "point_cloud.hpp"
#include "program.hpp"
#include "voxel_grid.hpp"

namespace {

struct Options
{
  std::string input = "/points";
  std::string output = "/points_filtered";
  float leaf_size = 0.1F;
};

struct Totals
{
  std::uint64_t scans = 0;
  std::uint64_t points_in = 0;
  std::uint64_t points_out = 0;
  std::uint64_t busy_ns = 0;
};

void print(const Totals& totals)
{
  if (totals.scans == 0) return;
  const auto scans = static_cast<double>(totals.scans);
  std::cerr << std::fixed << "lidar_filter: " << totals.scans << " scans, on average "
            << totals.points_in / totals.scans << " points in, " << totals.points_out / totals.scans
            << " out, " << std::setprecision(2) << static_cast<double>(totals.busy_ns) / scans / 1e6
            << " ms\n";
}

int filter(const Options& options)
{
  auto node = std::make_shared<agnocast::Node>("lidar_filter");
  auto publisher = node->create_publisher<lidar::PointCloud>(options.output, agnocast::QoS(5));
  lidar::VoxelGrid grid(options.leaf_size);
  Totals totals;

  auto subscription = node->create_subscription<lidar::PointCloud>(
    options.input, agnocast::QoS(5),
    [&](const agnocast::ipc_shared_ptr<const lidar::PointCloud>& scan,
        const agnocast::MessageInfo& info) {
      const std::uint64_t begin_ns = lidar::now_ns();
      grid.insert(*scan);  // before the loan is open, so the tables stay in private memory

      agnocast::ipc_shared_ptr<lidar::PointCloud> result = publisher->borrow_loaned_message();
      grid.write_centroids(*result);
      result->frame_id = scan->frame_id;
      result->stamp_ns = scan->stamp_ns;
      result->sequence = scan->sequence;
      result->source_publisher_id = info.publisher_id;
      result->source_sequence = info.sequence;
      result->source_address = reinterpret_cast<std::uintptr_t>(scan.get());
      result->source_reader_pid = getpid();
      result->publisher_pid = getpid();
      result->written_at = lidar::addresses_of(*result);
      publisher->publish(std::move(result));

      ++totals.scans;
      totals.points_in += scan->x.size();
      totals.points_out += grid.size();
      totals.busy_ns += lidar::now_ns() - begin_ns;
    });
  agnocast::spin(node);
  print(totals);
  return 0;
}

}  // namespace

int main(int argc, char** argv)
{
  Options options;
  CLI::App app("Thins point clouds out: one point for each occupied cell of a grid.",
               "lidar_filter");
  app.add_option("--input", options.input, "topic to read")->capture_default_str();
  app.add_option("--output", options.output, "topic to publish on")->capture_default_str();
  app.add_option("--leaf", options.leaf_size, "edge of a cell, in the unit of the scans")
    ->check(CLI::Range(1e-6F, 1e6F))
    ->capture_default_str();
  return lidar::run_program(app, argc, argv, [&] { return filter(options); });
}

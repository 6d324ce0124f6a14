// First program of the pipeline: publishes scans from PCD files, or simulated ones, at a set rate.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "pcd_reader.hpp"
#include "point_cloud.hpp"
#include "program.hpp"
#include "scan.hpp"
#include "simulated_lidar.hpp"

namespace {

struct Options
{
  std::vector<std::filesystem::path> inputs;
  std::string topic = "/points";
  double rate_hz = 10;
  std::uint64_t count = 0;
};

/// The files that were named, and the PCD files of the folders that were named, sorted.
std::vector<std::filesystem::path> files_of(const std::vector<std::filesystem::path>& inputs)
{
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path& input : inputs) {
    if (!std::filesystem::is_directory(input)) {
      files.push_back(input);
      continue;
    }
    const std::size_t before = files.size();
    for (const auto& entry : std::filesystem::directory_iterator(input)) {
      if (entry.path().extension() == ".pcd") files.push_back(entry.path());
    }
    if (files.size() == before) throw lidar::PcdError(input.string() + ": no .pcd file in it");
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  return files;
}

std::vector<lidar::Scan> read_scans(const std::vector<std::filesystem::path>& inputs)
{
  std::vector<lidar::Scan> scans;
  for (const std::filesystem::path& file : files_of(inputs)) {
    scans.push_back(lidar::read_pcd(file));
    if (scans.back().size() == 0) throw lidar::PcdError(file.string() + ": has no finite point");
    std::cerr << "lidar_driver: " << file.string() << ": " << scans.back().size() << " points\n";
  }
  return scans;
}

/// Fills the loan. The containers take their memory from the shared heap, so what is written here
/// is what all subscribers read. The sensor sways a little, so that no two frames are the same.
void fill(lidar::PointCloud& cloud, const lidar::Scan& scan, double seconds)
{
  const auto yaw = static_cast<float>(0.02 * std::sin(0.7 * seconds));
  const auto shift = static_cast<float>(0.05 * std::sin(1.1 * seconds));
  const float sine = std::sin(yaw);
  const float cosine = std::cos(yaw);
  const std::size_t points = scan.size();
  cloud.frame_id = "lidar";
  cloud.stamp_ns = lidar::now_ns();
  cloud.x.resize(points);
  cloud.y.resize(points);
  for (std::size_t i = 0; i < points; ++i) {
    cloud.x[i] = cosine * scan.x[i] - sine * scan.y[i] + shift;
    cloud.y[i] = sine * scan.x[i] + cosine * scan.y[i];
  }
  cloud.z = scan.z;
  cloud.intensity = scan.intensity;
  cloud.rgb = scan.rgb;
}

timespec as_timespec(std::uint64_t time_ns)
{
  return {static_cast<time_t>(time_ns / 1'000'000'000), static_cast<long>(time_ns % 1'000'000'000)};
}

/// Sleeps until the deadline, or until a signal makes ok() false.
void sleep_until(std::uint64_t deadline_ns)
{
  constexpr std::uint64_t look_up_ns = 100'000'000;
  for (std::uint64_t now = lidar::now_ns(); agnocast::ok() && now < deadline_ns;
       now = lidar::now_ns()) {
    const timespec until = as_timespec(std::min(deadline_ns, now + look_up_ns));
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }
}

int drive(const Options& options)
{
  const std::vector<lidar::Scan> scans = read_scans(options.inputs);
  if (scans.empty()) std::cerr << "lidar_driver: no files given, the scans are simulated\n";

  auto node = std::make_shared<agnocast::Node>("lidar_driver");
  auto publisher = node->create_publisher<lidar::PointCloud>(options.topic, agnocast::QoS(5));
  const auto period_ns = static_cast<std::uint64_t>(1e9 / options.rate_hz);
  std::uint64_t deadline_ns = lidar::now_ns();
  for (std::uint64_t frame = 0; options.count == 0 || frame < options.count; ++frame) {
    sleep_until(deadline_ns);
    if (!agnocast::ok()) break;
    // Computed after the sleep, not before it: else it would take the processor from those who are
    // woken by the publish.
    const double seconds = static_cast<double>(frame) / options.rate_hz;
    const lidar::Scan simulated = scans.empty() ? lidar::simulate_scan(seconds) : lidar::Scan{};
    const lidar::Scan& scan = scans.empty() ? simulated : scans[frame % scans.size()];

    agnocast::ipc_shared_ptr<lidar::PointCloud> cloud = publisher->borrow_loaned_message();
    fill(*cloud, scan, seconds);
    cloud->sequence = frame;
    cloud->publisher_pid = getpid();
    cloud->written_at = lidar::addresses_of(*cloud);
    publisher->publish(std::move(cloud));

    deadline_ns = std::max(deadline_ns + period_ns, lidar::now_ns());  // late: no burst afterwards
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv)
{
  Options options;
  CLI::App app("Publishes LiDAR scans at a set rate.", "lidar_driver");
  app.add_option("inputs", options.inputs, "PCD files, or folders of them; none: simulated scans");
  app.add_option("--topic", options.topic, "where to publish")->capture_default_str();
  app.add_option("--rate", options.rate_hz, "frames a second")
    ->check(CLI::Range(0.001, 100'000.0))
    ->capture_default_str();
  app.add_option("--count", options.count, "frames; 0: until a signal")->capture_default_str();
  return lidar::run_program(app, argc, argv, [&] { return drive(options); });
}

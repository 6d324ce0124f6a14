// Last program of the pipeline: reads the raw and the filtered scans, and reports how they came
// here: latency, losses, and whether a byte of them was copied. Draws the last scan.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <string>

#include "birdseye.hpp"
#include "point_cloud.hpp"
#include "program.hpp"
#include "scan_trace.hpp"
#include "transport_statistics.hpp"

namespace {

struct Options
{
  std::string raw = "/points";
  std::string filtered = "/points_filtered";
  std::uint64_t frames = 0;
  double idle_timeout_seconds = 5;
  std::string png;
};

/// The state of a running viewer.
class Viewer
{
 public:
  explicit Viewer(const Options& options)
    : options_(options), raw_(options.raw), filtered_(options.filtered)
  {
  }

  void run()
  {
    auto node = std::make_shared<agnocast::Node>("lidar_viewer");
    auto raw = node->create_subscription<lidar::PointCloud>(
      options_.raw, agnocast::QoS(10),
      [this](const lidar::CloudPtr& cloud, const agnocast::MessageInfo& info) {
        newest_ns_ = lidar::now_ns();
        raw_.count(*cloud, info, newest_ns_);
        trace_.add_raw(cloud);
      });
    auto filtered = node->create_subscription<lidar::PointCloud>(
      options_.filtered, agnocast::QoS(10),
      [this](const lidar::CloudPtr& cloud, const agnocast::MessageInfo& info) {
        newest_ns_ = lidar::now_ns();
        filtered_.count(*cloud, info, newest_ns_);
        trace_.add_filtered(cloud);
      });
    while (agnocast::ok() && !done() && !idle()) {
      agnocast::spin_once(node, std::chrono::milliseconds(100));
      show_progress();
    }
    if (on_terminal_ && progress_ns_ != 0) std::cerr << '\n';
  }

  /// Prints the tables and writes the picture. The messages are still in shared memory, although
  /// the subscriptions are gone, and perhaps their publishers too.
  void report() const
  {
    lidar::TransportStatistics::print_heading(std::cout);
    raw_.print_row(std::cout);
    filtered_.print_row(std::cout);
    std::cout << '\n';
    trace_.print(std::cout);
    if (options_.png.empty()) return;
    lidar::draw_birdseye(trace_.raw().get(), trace_.filtered().get(), options_.png);
    std::cout << "Bird's-eye view: " << options_.png << '\n';
  }

  [[nodiscard]] bool saw_frames() const { return raw_.frames() + filtered_.frames() > 0; }

 private:
  [[nodiscard]] bool done() const
  {
    return options_.frames != 0 && filtered_.frames() >= options_.frames;
  }

  /// Only after a first message: before it, the others may not have been started yet.
  [[nodiscard]] bool idle() const
  {
    const auto silence_ns = static_cast<double>(lidar::now_ns() - newest_ns_);
    return newest_ns_ != 0 && silence_ns > options_.idle_timeout_seconds * 1e9;
  }

  void show_progress()
  {
    const std::uint64_t now = lidar::now_ns();
    const std::uint64_t interval_ns = on_terminal_ ? 100'000'000 : 1'000'000'000;
    if (now - progress_ns_ < interval_ns) return;
    progress_ns_ = now;
    std::cerr << (on_terminal_ ? "\r" : "") << "lidar_viewer: " << raw_.frames() << " raw, "
              << filtered_.frames() << " filtered, " << raw_.lost() + filtered_.lost() << " lost, "
              << raw_.copied() + filtered_.copied() << " bytes copied"
              << (on_terminal_ ? "   " : "\n") << std::flush;
  }

  Options options_;
  lidar::TransportStatistics raw_;
  lidar::TransportStatistics filtered_;
  lidar::ScanTrace trace_;
  std::uint64_t newest_ns_ = 0;
  std::uint64_t progress_ns_ = 0;
  bool on_terminal_ = isatty(STDERR_FILENO) == 1;
};

int view(const Options& options)
{
  Viewer viewer(options);
  viewer.run();
  if (!viewer.saw_frames()) {
    std::cerr << "lidar_viewer: no frame came on " << options.raw << " or " << options.filtered
              << '\n';
    return 1;
  }
  viewer.report();
  return 0;
}

}  // namespace

int main(int argc, char** argv)
{
  Options options;
  CLI::App app("Shows what comes through the pipeline, and how.", "lidar_viewer");
  app.add_option("--raw", options.raw, "topic of the driver")->capture_default_str();
  app.add_option("--filtered", options.filtered, "topic of the filter")->capture_default_str();
  app.add_option("--frames", options.frames, "filtered frames to see; 0: until a signal")
    ->capture_default_str();
  app
    .add_option("--idle-timeout", options.idle_timeout_seconds,
                "seconds without a message after which it ends")
    ->check(CLI::Range(0.1, 1e6))
    ->capture_default_str();
  app.add_option("--png", options.png, "file for a bird's-eye view of the last scan");
  return lidar::run_program(app, argc, argv, [&] { return view(options); });
}

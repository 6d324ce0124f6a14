// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "output.hpp"

namespace cli {
namespace {

constexpr const char* enter_screen = "\x1b[?1049h\x1b[?25l";
constexpr const char* leave_screen = "\x1b[?25h\x1b[?1049l";
constexpr const char* to_top = "\x1b[H";
constexpr const char* clear_to_end_of_line = "\x1b[K";
constexpr const char* clear_to_end = "\x1b[J";

}  // namespace

Terminal::Terminal()
{
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 ||
      tcgetattr(STDIN_FILENO, &before_) != 0) {
    throw Failure("this needs a terminal; with --batch it prints to anything");
  }
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  print(enter_screen);
}

Terminal::~Terminal()
{
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  print(leave_screen);
}

Terminal::Size Terminal::size()
{
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {24, 80};
  return {size.ws_row, size.ws_col};
}

bool Terminal::draw(const std::vector<std::string>& lines)
{
  const Size screen = size();
  std::string text = to_top;
  for (std::size_t i = 0; i < std::min(lines.size(), screen.rows); ++i) {
    text += (i == 0 ? "" : "\r\n") + lines[i].substr(0, screen.columns) + clear_to_end_of_line;
  }
  return print(text + clear_to_end);
}

std::optional<char> Terminal::key(int timeout_ms)
{
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (poll(&input, 1, timeout_ms) <= 0) return std::nullopt;
  char key = '\0';
  return read(STDIN_FILENO, &key, 1) == 1 ? key : '\0';
}

}  // namespace cli

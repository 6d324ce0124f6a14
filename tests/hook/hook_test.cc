// The hook in whole programs: preloaded, loaded too late, and serving every allocation.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace {

/// What a shell command says on standard output, and its exit status.
std::pair<std::string, int> run(const std::string& command)
{
  std::string said;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {"popen failed", -1};
  char text[4096];
  while (const std::size_t n = std::fread(text, 1, sizeof text, pipe)) said.append(text, n);
  const int status = ::pclose(pipe);
  return {said, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)};
}

bool has_program(const std::string& name)
{
  return run("command -v " + name + " >/dev/null 2>&1 && echo yes").first == "yes\n";
}

const std::string preload = "LD_PRELOAD=" AGNOCAST_HEAPHOOK " ";

/// Programs that end by _exit() leave their areas to the next process that joins and leaves in
/// order.
void clean_up()
{
  EXPECT_EQ(run("AGNOCAST_HEAP=all " AGNOCAST_HEAP_OF_ALL).second, 0);
}

/// The program does the same without the hook, with it, and with every allocation through it.
void does_the_same(const std::string& program, const std::string& command)
{
  if (!has_program(program)) GTEST_SKIP() << "there is no " << program << " here";
  const auto plain = run(command);
  ASSERT_EQ(plain.second, 0) << plain.first;
  EXPECT_EQ(run(preload + command), plain);
  EXPECT_EQ(run("AGNOCAST_HEAP=all " + preload + command), plain);
  clean_up();
}

}  // namespace

TEST(PreloadedHook, IsNotNoticedByTheShell)
{
  does_the_same(
    "sh", "sh -c 'for i in 1 2 3 4 5; do (echo $i | sort | cat); done; ls / >/dev/null; echo end'");
}

TEST(PreloadedHook, IsNotNoticedByFindAndSort)
{
  does_the_same("find", "find /usr/include/linux -name '*.h' 2>/dev/null | sort ");
}

TEST(PreloadedHook, IsNotNoticedByGit)
{
  does_the_same("git", "git --version");
}

TEST(PreloadedHook, IsNotNoticedByPythonWithThreadsAndProcesses)
{
  does_the_same("python3",
                "python3 -c \"import threading, subprocess, json, os\n"
                "out = []\n"
                "def work(n): out.append(sum(len(json.dumps(list(range(i)))) for i in range(n)))\n"
                "threads = [threading.Thread(target=work, args=(200 + n,)) for n in range(8)]\n"
                "[t.start() for t in threads]; [t.join() for t in threads]\n"
                "pid = os.fork()\n"
                "if pid == 0: os._exit(len([bytearray(1000) for _ in range(1000)]) % 7)\n"
                "print(sorted(out), os.waitpid(pid, 0)[1],"
                " subprocess.run(['echo', 'child'], capture_output=True).stdout)\"");
}

TEST(PreloadedHook, AdmitsAProgramThatWasNotLinkedWithTheLibrary)
{
  // The plugin's first step asks whether the hook is in force: now it is.
  EXPECT_EQ(run(preload + AGNOCAST_LATE_LOADER " " AGNOCAST_LATE_PLUGIN).second, 1);
}

TEST(LateHook, RefusesContainersWithTheRemedyAndServesTheRest)
{
  const auto [said, status] = run(AGNOCAST_LATE_LOADER " " AGNOCAST_LATE_PLUGIN);
  EXPECT_EQ(status, 0) << "step " << status;
  EXPECT_NE(said.find("/containers"), std::string::npos) << said;
  EXPECT_NE(said.find("LD_PRELOAD=libagnocast_heaphook.so"), std::string::npos) << said;
}

TEST(LateHook, SurvivesThatThePluginIsUnloadedAndLoadedAgain)
{
  const auto [said, status] = run(AGNOCAST_LATE_LOADER " " AGNOCAST_LATE_PLUGIN " unload");
  EXPECT_EQ(status, 0) << "step " << status;
}

TEST(HeapOfAll, TakesEveryAllocationFromTheFirstStaticOneOn)
{
  EXPECT_EQ(run("AGNOCAST_HEAP=all " AGNOCAST_HEAP_OF_ALL).second, 0);
}

TEST(HeapOfAll, SaysWhyItHasNoEffectWhereItCannotJoin)
{
  const auto [said, status] =
    run("AGNOCAST_HEAP=all AGNOCAST_MEMPOOL_SIZE=none " AGNOCAST_HEAP_OF_ALL " 2>&1");
  EXPECT_EQ(status, 1) << "its first step finds nothing in the shared heap";
  EXPECT_NE(said.find("AGNOCAST_HEAP=all has no effect: AGNOCAST_MEMPOOL_SIZE='none'"),
            std::string::npos)
    << said;
}

// Model servers that a run starts itself: a script in place of vLLM.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// usage: server.py PORT FOLDER. It leaves its pid in FOLDER/pid. FOLDER/unready: it is never
/// ready; FOLDER/dies: it dies at the fourth question; FOLDER/slow: an answer takes .1 s.
constexpr const char* kServer = R"(import http.server, json, os, sys, time
port, folder = int(sys.argv[1]), sys.argv[2]
there = lambda name: os.path.exists(os.path.join(folder, name))
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def say(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        self.say(503 if there("unready") else 200, {"data": [{"id": "tiny"}]})
    def do_POST(self):
        global asked
        asked += 1
        if there("dies") and asked > 3:
            print("CUDA error: out of memory", os.environ.get("THETA_TEST_SECRET", ""), flush=True)
            os._exit(3)
        if there("slow"): time.sleep(.1)
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
        i = int(text.split("sentence number ")[1].split()[0])
        mood = ["good", "bad"][i % 2 if i % 3 else 0]
        self.say(200, {"choices": [{"message": {"content": "[[ ## mood ## ]]\n" + mood},
                                    "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
    def log_message(self, form, *values): print(form % values, flush=True)
open(os.path.join(folder, "pid"), "w").write(str(os.getpid()))
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
)";

class RunWithAServer : public testing::Test {
 protected:
  void SetUp() override {
    if (run_to_end({"/usr/bin/env", "python3", "--version"}).code != 0)
      GTEST_SKIP() << "there is no python3 here";
    std::string rows = "sentence,mood\n";
    for (int i = 0; i < 24; ++i)
      rows += fmt::format("sentence number {} here,{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
    folder_.write("server.py", kServer);
  }

  std::string command(const std::string& port = "{port}") const {
    return fmt::format("[python3, {0}/server.py, '{1}', {0}]", folder_.path().string(), port);
  }
  fs::path config(const std::string& server, const std::string& rest = "",
                  const std::string& port = "{port}") const {
    return folder_.write("config.yaml", fmt::format(R"(name: moods
models:
  task:
    {{base_url: "http://127.0.0.1:{}/v1", model: org/tiny, dialect: openai, in_flight: 2, server: {}}}
data: {{file: rows.csv, split: {{train: 8, validation: 6, test: 10}}}}
program: {{signature: "sentence -> mood: Literal['good', 'bad']"}}
baselines: []
{})",
                                                    port, server, rest));
  }
  fs::path out() const { return folder_.path() / "out"; }
  std::vector<std::string> run(const fs::path& config, const char* how = "run",
                               const char* out = "out") const {
    return {theta_binary(), how, config, "--out", folder_.path() / out};
  }
  /// The one file whose name begins so.
  static fs::path log_in(const fs::path& folder, const std::string& begin) {
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().filename().string().starts_with(begin)) return entry.path();
    return "";
  }
  bool is_alive() const {
    const int pid = std::atoi(content(folder_.path() / "pid").c_str());
    return pid > 0 && ::kill(pid, 0) == 0;
  }
  /// Starts a run whose server is slow, and waits until it is asked.
  std::unique_ptr<Process> start() const {
    folder_.write("slow", "");
    auto process = std::make_unique<Process>(run(config("{command: " + command() + "}")));
    const auto is_asked = [&] {
      return fs::exists(out()) &&
             content(log_in(out(), "server-")).find("POST") != std::string::npos;
    };
    while (process->running() && !is_asked()) std::this_thread::sleep_for(5ms);
    return process;
  }

  const TemporaryFolder folder_;
};

TEST_F(RunWithAServer, StartsItWaitsForItAsksItAndEndsIt) {
  const Finished finished = run_to_end(run(config("{command: " + command() + "}")));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const fs::path log = log_in(out(), "server-org_tiny-");
  EXPECT_THAT(content(log), StartsWith("serving\n"));
  EXPECT_THAT(content(log), HasSubstr("GET /v1/models"));
  EXPECT_THAT(content(log), HasSubstr("POST /v1/chat/completions"));
  EXPECT_FALSE(is_alive());
  EXPECT_THAT(content(out() / "config.resolved.yaml"), HasSubstr("127.0.0.1:{port}/v1"));
}

TEST_F(RunWithAServer, SaysTheLastLineOfOneThatDiesAndGoesOnWithTheNext) {
  ::setenv("THETA_TEST_SECRET", "hunter2222", 1);
  std::string words = command();
  words.insert(words.size() - 1, ", '${THETA_TEST_SECRET}'");
  const fs::path file = config("{command: " + words + "}");
  folder_.write("dies", "");
  const Finished died = run_to_end(run(file));
  EXPECT_EQ(died.code, 1);
  EXPECT_THAT(died.err,
              HasSubstr("${THETA_TEST_SECRET}` ended with exit code 3: CUDA error: out of "
                        "memory [key] (" +
                        log_in(out(), "server-").string() + ")\n"));
  EXPECT_THAT(died.err, testing::Not(HasSubstr("hunter2222")));
  EXPECT_THAT(run_to_end({theta_binary(), "status", out()}).out, HasSubstr("out of memory"));
  fs::remove(folder_.path() / "dies");
  const Finished finished = run_to_end(run(file));
  EXPECT_EQ(finished.code, 0) << finished.err;
  ::unsetenv("THETA_TEST_SECRET");
  EXPECT_THAT(content(out() / "config.resolved.yaml"), testing::Not(HasSubstr("hunter2222")));
}

TEST_F(RunWithAServer, EndsItOnCtrlC) {
  const auto process = start();
  EXPECT_TRUE(is_alive());
  process->send(SIGINT);
  EXPECT_EQ(process->wait().code, 130);
  EXPECT_FALSE(is_alive());
}

TEST_F(RunWithAServer, LeavesNoneBehindWhenItIsKilled) {
  const auto process = start();
  EXPECT_TRUE(is_alive());
  process->send(SIGKILL);
  process->wait();
  for (int i = 0; i < 1000 && is_alive(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(is_alive());
}

TEST_F(RunWithAServer, SaysWhyOneDoesNotComeUp) {
  folder_.write("unready", "");
  const Finished late = run_to_end(run(config("{timeout_s: 1, command: " + command() + "}")));
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, EndsWith("the server of org/tiny is not ready after 1 s: status 503; see " +
                                 log_in(out(), "server-").string() + "\n"));
  EXPECT_FALSE(is_alive());
  const Finished none = run_to_end(run(config("{command: [./no-such-program]}"), "run", "none"));
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, EndsWith("the server `./no-such-program` cannot be started: No such file "
                                 "or directory\n"));
  const Finished ended = run_to_end(run(config("{command: ['false']}"), "run", "ended"));
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("the server `false` ended with exit code 1: it said nothing ("));
}

TEST_F(RunWithAServer, DoesNotTakeAnothersServerForItsOwn) {
  const test::LoopbackServer other([](const test::Seen&) { return test::Reply{}; });
  const std::string address = other.url();  // http://127.0.0.1:PORT/v1
  const std::string port = address.substr(17, address.rfind('/') - 17);
  const Finished refused = run_to_end(run(config("{command: " + command(port) + "}", "", port)));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err,
              HasSubstr("there is a server at " + address +
                        " already: leave 'server' "
                        "out to ask that one, or let a free port be found with {port}"));
}

TEST_F(RunWithAServer, RunsOfASweepShareOne) {
  const Finished finished =
      run_to_end(run(config("{command: " + command() + "}", "sweep: {seeds: [1, 2]}\n"), "sweep"));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const std::string log = content(log_in(out(), "cache.db.server-"));
  EXPECT_EQ(log.find("serving"), log.rfind("serving"));
  EXPECT_FALSE(is_alive());
}

TEST_F(RunWithAServer, ASavedPromptStartsNone) {
  const fs::path file = config("{command: " + command() + "}");
  ASSERT_EQ(run_to_end(run(file)).code, 0);
  const std::vector<std::string> eval = {theta_binary(), "eval", out() / "prompt.json",
                                         folder_.path() / "rows.csv"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), eval.begin(), eval.end());
    return run_to_end(more);
  };
  EXPECT_THAT(content(out() / "prompt.json"), testing::Not(HasSubstr("server.py")));
  fs::remove(folder_.path() / "pid");
  const Finished refused = with({});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("{port} is the port of a server that is started here: give "
                                     "its 'server.command'\n"));
  std::string text = content(out() / "prompt.json");
  const auto at = text.find("\"base_url\"");
  text.insert(at, "\"server\": {\"command\": [\"touch\", \"/tmp/x\"]}, ");
  const fs::path foreign = folder_.write("foreign.json", text);
  EXPECT_THAT(run_to_end({theta_binary(), "eval", foreign, folder_.path() / "rows.csv"}).err,
              HasSubstr("a saved prompt starts no server of its own: read it, and give it with "
                        "--set 'model.server.command=[..]'\n"));
  EXPECT_FALSE(fs::exists(folder_.path() / "pid"));
  const Finished own = with({"--set", "model.server.command=" + command()});
  EXPECT_EQ(own.code, 0) << own.err;
  EXPECT_FALSE(is_alive());
}

}  // namespace
}  // namespace theta

// `theta view` of runs against a chat server, read by HTTP as a browser would.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <thread>

#include "experiments/files.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
namespace net = boost::asio;
using net::ip::tcp;
using nlohmann::json;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kHostile =
    "</pre><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "\u202Etxt.exe";

/// Right where it is shown demos, wrong where not, and beside the point about one row in five. Waits
/// at a gate while it is shut.
class Judge {
 public:
  Reply operator()(const Seen& seen) {
    if (seen.method == "GET") return {200, R"({"data": [{"owned_by": "vllm"}]})", {}};
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->asked < state_->gate; });
    ++state_->asked;
    const json messages = json::parse(seen.body).at("messages");
    const auto text = messages.back().at("content").get<std::string>();
    const int number = std::stoi(text.substr(text.rfind("number ") + 7));
    if (number % 5 == 0) return test::chat("no field here");
    const bool good = (number % 2 == 0) == (messages.size() > 2);
    return test::chat(
        fmt::format("[[ ## mood ## ]]\n{}\n\n[[ ## completed ## ]]", good ? "good" : "bad"));
  }

  /// @param requests  that are answered before it shuts
  void open(int requests) {
    const std::lock_guard lock(state_->mutex);
    state_->gate = requests;
    state_->changed.notify_all();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int asked = 0, gate = 1 << 20;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

struct Answer {
  std::string head, body;
};

class ViewedRuns : public testing::Test {
 protected:
  void SetUp() override {
    json texts = json::array();
    for (int i = 0; i < 60; ++i)
      texts.push_back(
          {{"text", fmt::format("sentence {} number {}", i % 6 == 1 ? kHostile : "", i)},
           {"mood", i % 2 == 0 ? "good" : "bad"}});
    folder_.write("rows.json", texts.dump());
  }

  void TearDown() override {
    if (!viewed_) return;
    viewed_->send(SIGINT);
    EXPECT_EQ(viewed_->wait().code, 0);
  }

  fs::path config() const {
    return folder_.write("config.yaml", fmt::format(R"(name: served
seed: 7
models: {{task: {{base_url: "{}", model: mock, dialect: openai, in_flight: 1}}}}
data:
  file: rows.json
  split: {{train: 20, validation: 20, test: 20}}
  fields: {{sentence: text}}
program: {{signature: "sentence -> mood: Literal['good', 'bad']", adapter: chat}}
metric: exact_match
baselines: []
optimizers: [{{name: labeled_few_shot, k: 2}}]
)",
                                                    server_.url()));
  }

  std::vector<std::string> run_command() const {
    return {theta_binary(), "run", config(), "--out", folder_.path() / "runs" / "one"};
  }

  /// Starts the view of a folder and waits for its address.
  void view(const fs::path& folder) {
    const fs::path out = folder_.path() / "address";
    viewed_ = std::make_unique<Process>(std::vector<std::string>{
        "/bin/sh", "-c", "exec \"$0\" view \"$1\" > \"$2\"", theta_binary(), folder, out});
    std::string address;
    for (int i = 0; i < 3000 && !address.ends_with('\n'); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (fs::exists(out)) address = read_whole(out);
    }
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(address, parts,
                                 std::regex("http://127\\.0\\.0\\.1:(\\d+)(/[0-9a-f]{32}/)\n")))
        << address;
    port_ = static_cast<unsigned short>(std::stoi(parts[1]));
    token_ = parts[2];
  }

  Answer get(const std::string& target, std::string host = "", const char* method = "GET") const {
    if (host.empty()) host = fmt::format("127.0.0.1:{}", port_);
    net::io_context io;
    tcp::socket socket(io);
    socket.connect({net::ip::address_v4::loopback(), port_});
    net::write(socket,
               net::buffer(fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                                       method, target, host)));
    std::string all;
    boost::system::error_code end;
    net::read(socket, net::dynamic_buffer(all), end);
    const auto head = all.find("\r\n\r\n");
    return {all.substr(0, head), all.substr(head + 4)};
  }
  std::string page(const std::string& name) const { return get(token_ + name).body; }
  /// A page once it holds a text.
  std::string page_with(const std::string& name, const std::string& text) const {
    std::string body;
    for (int i = 0; i < 600 && body.find(text) == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      body = page(name);
    }
    return body;
  }

  TemporaryFolder folder_;
  Judge judge_;
  LoopbackServer server_{judge_};
  std::unique_ptr<Process> viewed_;
  unsigned short port_ = 0;
  std::string token_;
};

TEST_F(ViewedRuns, AreShownToWhoeverHasTheTokenAlone) {
  ASSERT_EQ(run_to_end(run_command()).code, 0);
  view(folder_.path() / "runs");
  const std::string runs = token_;
  EXPECT_THAT(get(runs).head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(get(runs, fmt::format("localhost:{}", port_)).head, StartsWith("HTTP/1.1 200"));
  std::string wrong = token_;
  wrong[5] = wrong[5] == 'a' ? 'b' : 'a';
  for (const std::string& target :
       {std::string("/"), wrong, wrong + "run?run=one", "/run?run=one" + token_})
    EXPECT_EQ(get(target).head.substr(0, 12), "HTTP/1.1 403") << target;
  for (const char* host : {"evil.example", "127.0.0.1", "evil.example:80"}) {
    const Answer answer = get(runs, host);
    EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 403"));
    EXPECT_EQ(answer.body, "");
  }
  EXPECT_THAT(get(runs, "", "POST").head, StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(get(runs + "run?run=..%2F..").head, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(get(runs + "run?run=%2Fetc").head, StartsWith("HTTP/1.1 404"));
  const std::string head = get(runs).head;
  for (const char* header : {"Content-Security-Policy: default-src 'none'; script-src 'nonce-",
                             "Cache-Control: no-store", "Referrer-Policy: no-referrer",
                             "X-Content-Type-Options: nosniff"})
    EXPECT_THAT(head, HasSubstr(header));
}

TEST_F(ViewedRuns, AreShownWithTheirItemsMessagesAndAnswers) {
  ASSERT_EQ(run_to_end(run_command()).code, 0);
  view(folder_.path() / "runs");
  EXPECT_THAT(page(""), HasSubstr("<a href=\"run?run=one\"><bdi>one</bdi></a>"));
  EXPECT_THAT(page("run?run=one"), HasSubstr("<h2>Results</h2>"));
  const std::string items = page("items?run=one&row=untouched&model=task");
  EXPECT_THAT(items, HasSubstr("1 to 20 of 20"));
  EXPECT_THAT(items, HasSubstr("<td><bdi>good</bdi></td>")) << "the answer";
  EXPECT_THAT(items, HasSubstr("number "));
  const std::string unparsable = page("items?run=one&row=untouched&model=task&only=unparsable");
  EXPECT_THAT(unparsable, HasSubstr("<span class=\"bad\">unparsable</span>"));
  EXPECT_THAT(unparsable, Not(HasSubstr("<td><bdi>good</bdi></td>")));
  std::smatch item;
  ASSERT_TRUE(std::regex_search(unparsable, item, std::regex("<a href=\"(item\\?[^\"]*)\"")));
  const std::string one = page(std::regex_replace(std::string(item[1]), std::regex("&amp;"), "&"));
  EXPECT_THAT(one, HasSubstr("[[ ## sentence ## ]]"));
  EXPECT_THAT(one, HasSubstr("<div class=\"answer\"><pre>no field here</pre>"));
  EXPECT_THAT(page("answers?run=one&text=NO%20FIELD"), HasSubstr("no field here"));
  EXPECT_THAT(page("answers?run=one&text=nowhere"), HasSubstr("none"));
  EXPECT_THAT(page("prompts?run=one"), HasSubstr("<ins>"));
  EXPECT_THAT(page("items?run=one&row=untouched&model=task&beside=%5B%22one%22%2C%22"
                   "labeled_few_shot%22%2C%22task%22%5D"),
              HasSubstr("<th>answer beside</th>"));
  EXPECT_THAT(get(token_ + "report?run=one").head, HasSubstr("Content-Security-Policy: sandbox;"));
}

TEST_F(ViewedRuns, HoldHostileTextsInertAndChangeNothing) {
  ASSERT_EQ(run_to_end(run_command()).code, 0);
  const auto contents = [&] {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "runs" / "one"))
      // SQLite's index of a log, which it makes to read.
      if (const std::string name = entry.path().filename(); !name.starts_with("run.db-"))
        all.insert(name + read_whole(entry.path()));
    return all;
  };
  const auto before = contents();
  view(folder_.path() / "runs" / "one");
  for (const char* name : {"", "run?run=.", "items?run=.&text=owned", "answers?run=.&text=owned",
                           "prompts?run=.", "trials?run=."}) {
    const std::string html = page(name);
    EXPECT_THAT(html, Not(HasSubstr("<script>"))) << name;
    EXPECT_THAT(html, Not(HasSubstr("<img"))) << name;
    EXPECT_THAT(html, Not(HasSubstr("\u202E"))) << name;
  }
  EXPECT_THAT(page("items?run=.&text=owned"), HasSubstr("&lt;script&gt;document.title="));
  EXPECT_THAT(page("items?run=.&text=owned"), HasSubstr("\\u202etxt.exe"));
  EXPECT_EQ(contents(), before);
}

TEST_F(ViewedRuns, AreShownAsTheyGoOn) {
  judge_.open(7);
  Process run(run_command());
  while (!fs::exists(folder_.path() / "runs" / "one" / "run.db") && run.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  view(folder_.path() / "runs");
  const std::string going = page_with("", "<td class=\"n\">7</td>");
  EXPECT_THAT(going, HasSubstr("<td class=\"n\">7</td>")) << "calls";
  EXPECT_THAT(going, HasSubstr("running"));
  EXPECT_THAT(going, HasSubstr("<main id=\"body\" data-live>"));
  EXPECT_THAT(page("answers?run=one"), HasSubstr("no field here"));
  judge_.open(1 << 20);
  EXPECT_EQ(run.wait().code, 0);
  const std::string done = page("");
  EXPECT_THAT(done, HasSubstr("<span>done</span>"));
  EXPECT_THAT(done, HasSubstr("<main id=\"body\">"));
  EXPECT_THAT(page("items?run=one"), HasSubstr("1 to 20 of 20"));
}

TEST(View, SaysInOneLineWhatItCannotShow) {
  const TemporaryFolder folder;
  const Finished missing = run_to_end({theta_binary(), "view", folder.path() / "none"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_EQ(missing.err, (folder.path() / "none").string() + ": there is no such folder\n");
  const Finished empty = run_to_end({theta_binary(), "view", folder.path()});
  EXPECT_EQ(empty.code, 2);
  EXPECT_EQ(empty.err,
            folder.path().string() + " holds neither a run nor a sweep, nor folders of them\n");
  fs::create_directory(folder.path() / "run");
  folder.write("run/run.db", "");
  const LoopbackServer other([](const Seen&) { return Reply{}; });
  const Finished taken =
      run_to_end({theta_binary(), "view", folder.path(), "--port", std::to_string(other.port())});
  EXPECT_EQ(taken.code, 2);
  EXPECT_THAT(taken.err, StartsWith(fmt::format("port {} cannot be served on", other.port())));
}

}  // namespace
}  // namespace theta

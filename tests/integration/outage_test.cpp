// Whole runs of the real program against a server that goes away for a while.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kInFlight = 4;

/// Of a request's bytes, but for what every request says alike.
std::size_t hash_of(const Seen& seen) {
  constexpr std::string_view kAlike = ",\"stream\":false";
  std::string body = seen.body;
  if (const std::size_t at = body.find(kAlike); at != body.npos) body.erase(at, kAlike.size());
  return std::hash<std::string>()(body);
}

/// A model that writes instructions and tells moods, the same to the same request.
Reply answer(const Seen& seen) {
  const std::size_t hash = hash_of(seen);
  const bool writes = seen.body.find("proposed_instruction") != std::string::npos;
  const std::string text =
      writes
          ? fmt::format("[[ ## proposed_instruction ## ]]\nSay how it sounds, way {}.", hash % 97)
          : fmt::format("[[ ## mood ## ]]\n{}", hash % 3 > 0 ? "good" : "bad");
  const ordered_json body = {{"choices",
                              {{{"message", {{"content", text + "\n\n[[ ## completed ## ]]"}}},
                                {"finish_reason", "stop"}}}},
                             {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 9}}}};
  return {200, body.dump(), {}, Reply::Delivery::kWhole, {}};
}

/// Answers all requests but those that are numbered from `from` to `to`, and remembers what it
/// answered.
class Flaky {
 public:
  Reply operator()(const Seen& seen) {
    const std::lock_guard lock(mutex_);
    const std::size_t number = requests_++;
    if (number >= from_ && number < to_) return Reply{503, "gone", {}, Reply::Delivery::kWhole, {}};
    ++answered_[seen.body];
    Reply reply = answer(seen);
    reply.delay = delay_;
    return reply;
  }
  /// Forgets everything, and will be gone for these.
  void begin(std::size_t from, std::size_t to, std::chrono::milliseconds delay = {}) {
    const std::lock_guard lock(mutex_);
    requests_ = 0;
    answered_.clear();
    from_ = from;
    to_ = to;
    delay_ = delay;
  }
  void come_back() {
    const std::lock_guard lock(mutex_);
    from_ = to_ = 0;
    delay_ = {};
  }
  std::size_t requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// Answers that were given again.
  std::size_t paid_twice() {
    const std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (const auto& [body, times] : answered_) n += times - 1;
    return n;
  }

 private:
  std::mutex mutex_;
  std::size_t requests_ = 0, from_ = 0, to_ = 0;
  std::chrono::milliseconds delay_{0};
  std::map<std::string, std::size_t> answered_;
};

class Outages : public testing::Test {
 protected:
  void SetUp() override {
    std::string rows = "text,mood\n";
    for (int i = 0; i < 60; ++i)
      rows += fmt::format("sentence number {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
  }
  fs::path config(const std::string& retries, const std::string& rest = "") const {
    return folder_.write("config.yaml", fmt::format(R"(name: moods
seed: 7
models:
  task: {{base_url: "{}", model: mock, dialect: openai, in_flight: {}, retries: {}}}
  proposer: task
data:
  file: rows.csv
  split: {{train: 10, validation: 20, test: 20}}
  fields: {{sentence: text}}
program:
  signature: "sentence -> mood: Literal['good', 'bad']"
  adapter: chat
optimizers:
  - {{name: mipro, num_instructions: 3, num_demo_sets: 4, max_bootstrapped: 2, max_labeled: 2,
     num_trials: 6, minibatch_size: 8}}
{})",
                                                    server_->url(), kInFlight, retries, rest));
  }
  std::vector<std::string> command(const std::string& name, const fs::path& config,
                                   const std::string& what = "run") const {
    return {theta_binary(), what, config, "--out", out(name)};
  }
  Finished run(const std::string& name, const fs::path& config) const {
    return run_to_end(command(name, config));
  }
  Finished status(const std::string& name) const {
    return run_to_end({theta_binary(), "status", out(name)});
  }
  fs::path out(const std::string& name) const { return folder_.path() / name; }

  TemporaryFolder folder_;
  Flaky flaky_;
  std::unique_ptr<LoopbackServer> server_ =
      std::make_unique<LoopbackServer>([this](const Seen& seen) { return flaky_(seen); });
};

TEST_F(Outages, MakeARunIncompleteAndTheSameCommandMendsItToTheByte) {
  const fs::path file = config("0");
  ASSERT_EQ(run("whole", file).code, 0);
  const auto whole = lasting_report(out("whole"));
  EXPECT_EQ(whole.at("incomplete"), "");
  EXPECT_TRUE(whole.at("lost").empty());
  const std::size_t total = flaky_.requests();
  ASSERT_GT(total, 100U);

  // A few requests while demos and proposals are made, in the search and in the last row; and more
  // than a search bears in a row.
  for (const auto& [from, n] : std::vector<std::pair<std::size_t, std::size_t>>{
           {22, 3}, {total / 4, 7}, {total / 2, 7}, {total - 12, 7}, {total / 2, 1000}}) {
    const std::string name = fmt::format("{} from {}", n, from);
    flaky_.begin(from, from + n);
    const Finished disturbed = run(name, file);
    const auto report = lasting_report(out(name));
    const bool rows_alone = std::ranges::all_of(report.at("lost"), [](const auto& loss) {
      return loss.at("measures").template get<bool>();
    });
    EXPECT_EQ(disturbed.code, rows_alone ? 0 : 4) << name << disturbed.err;
    EXPECT_THAT(disturbed.err, ContainsRegex("theta: incomplete: .*[0-9]+ of [0-9]+ requests got "
                                             "no answer \\(.*\\), the first because: " +
                                             server_->url() + ": status 503: gone; the same "))
        << name;
    EXPECT_THAT(disturbed.out, HasSubstr("Incomplete: "));
    std::size_t lost = 0;
    for (const auto& loss : report.at("lost")) lost += loss.at("requests").get<std::size_t>();
    EXPECT_GT(lost, 0U);
    EXPECT_LE(lost, n);
    EXPECT_THAT(status(name).out, EndsWith("1 incomplete\n"));

    flaky_.come_back();
    const Finished mended = run(name, file);
    EXPECT_EQ(mended.code, 0) << name << mended.err;
    EXPECT_EQ(lasting_report(out(name)), whole) << name;
    EXPECT_EQ(content(out(name) / "prompt.json"), content(out("whole") / "prompt.json"));
    EXPECT_EQ(flaky_.paid_twice(), 0U) << name;
    EXPECT_THAT(status(name).out, EndsWith("1 done\n"));
  }
}

TEST_F(Outages, BeforeAnythingIsAnsweredFailARunThatTheSameCommandDoes) {
  const fs::path file = config("0");
  ASSERT_EQ(run("whole", file).code, 0);
  flaky_.begin(0, 1000);
  const Finished failed = run("out", file);
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("theta: untouched: none of 20 items was answered, the first "
                                    "with: "));
  flaky_.come_back();
  EXPECT_EQ(run("out", file).code, 0);
  EXPECT_EQ(lasting_report(out("out")), lasting_report(out("whole")));
}

TEST_F(Outages, LeaveNoStaleTrialInARunThatIsKilledAndContinued) {
  const fs::path file = config("0");
  ASSERT_EQ(run("whole", file).code, 0);
  const std::size_t total = flaky_.requests();
  flaky_.begin(total / 3, total / 3 + 10, std::chrono::milliseconds(5));
  Process process(command("killed", file));
  while (process.running() && flaky_.requests() < total * 2 / 3)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGKILL);
  ASSERT_EQ(process.wait().code, -SIGKILL);
  flaky_.come_back();
  ASSERT_EQ(run("killed", file).code, 0);
  EXPECT_EQ(lasting_report(out("killed")), lasting_report(out("whole")));
  EXPECT_LE(flaky_.paid_twice(), kInFlight);
}

TEST_F(Outages, OfAServerThatIsGoneForAWhileAreWaitedForAndSaid) {
  const fs::path file = config("1");
  ASSERT_EQ(run("whole", file).code, 0);
  const std::size_t total = flaky_.requests();
  const unsigned short port = server_->port();
  const std::string url = server_->url();
  flaky_.begin(0, 0);
  Process process(command("out", file));
  while (process.running() && flaky_.requests() < total / 2)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  server_.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  const Finished meanwhile = status("out");
  server_ = std::make_unique<LoopbackServer>([this](const Seen& seen) { return flaky_(seen); },
                                             nullptr, port);
  const Finished finished = process.wait();
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(lasting_report(out("out")), lasting_report(out("whole")));
  EXPECT_THAT(meanwhile.out, HasSubstr(url + ": no answer for "));
  EXPECT_THAT(finished.err, ContainsRegex(url + ": no answer for [0-9]+ s: cannot connect: "
                                                "Connection refused"));
  EXPECT_THAT(finished.err, ContainsRegex(url + ": answers again after [0-9]+ s"));
  EXPECT_LE(flaky_.paid_twice(), kInFlight);
}

TEST_F(Outages, MakeASweepsRunIncompleteWhichIsNoPartOfTheTableAndIsRunAgain) {
  const fs::path file = config("0", "sweep: {seeds: [1, 2]}");
  const auto sweep = [&](const std::string& name) {
    auto words = command(name, file, "sweep");
    words.insert(words.end(), {"--jobs", "1"});
    return run_to_end(words);
  };
  ASSERT_EQ(sweep("whole").code, 0);
  flaky_.begin(30, 35);
  const Finished disturbed = sweep("out");
  EXPECT_EQ(disturbed.code, 4) << disturbed.err;
  EXPECT_THAT(disturbed.err, HasSubstr("theta: incomplete: seed 1: 5 of "));
  EXPECT_THAT(disturbed.out, HasSubstr("1 of 2 runs are done"));
  EXPECT_THAT(status("out").out, EndsWith("1 done, 1 incomplete\n"));
  for (const auto& row : lasting_report(out("out")).at("rows")) EXPECT_EQ(row.at("seeds"), 1);
  EXPECT_EQ(sweep("out").code, 0);
  const auto mended = lasting_report(out("out")), whole = lasting_report(out("whole"));
  for (const char* part : {"rows", "paired", "usage_by_role"})
    EXPECT_EQ(mended.at(part), whole.at(part));
  for (const auto& one : whole.at("runs"))
    EXPECT_EQ(lasting_report(out("out") / one.at("folder")),
              lasting_report(out("whole") / one.at("folder")));
  EXPECT_EQ(flaky_.paid_twice(), 0U);
}

TEST_F(Outages, AreToldOfRowsOfAFileWithACodeOfTheirOwn) {
  ASSERT_EQ(run("out", config("0")).code, 0);
  for (const std::string what : {"eval", "predict"}) {
    std::vector<std::string> words = {theta_binary(),  what,      out("out") / "prompt.json",
                                      out("rows.csv"), "--field", "sentence=text"};
    words.insert(words.end(), {"--cache", out(what + ".db")});
    flaky_.begin(10, 13);
    const Finished disturbed = run_to_end(words);
    EXPECT_EQ(disturbed.code, 4) << disturbed.err;
    EXPECT_THAT(disturbed.err, HasSubstr("theta: incomplete: 3 of 60 rows got no answer"));
    const Finished mended = run_to_end(words);
    EXPECT_EQ(mended.code, 0) << mended.err;
    EXPECT_THAT(mended.err, Not(HasSubstr("incomplete")));
    EXPECT_EQ(flaky_.paid_twice(), 0U);
  }
}

}  // namespace
}  // namespace theta

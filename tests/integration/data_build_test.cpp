// A benchmark of raw choices, by the real program, against a chat server.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/benchmark_rows.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;

class BuiltData : public testing::Test {
 protected:
  BuiltData() : server_([this](const Seen& seen) { return answer(seen); }) {
    folder_.write("rows.jsonl", benchmark_rows(10, 10));
    folder_.write("build.yaml", fmt::format(R"(name: made
seed: 5
models:
  rater: {{base_url: "{0}", model: rater, dialect: openai, retries: 0}}
  judge: {{base_url: "{0}", model: judge, dialect: openai, retries: 0}}
build:
  pairs: rows.jsonl
  rating: {{model: rater, least: 3}}
  judges: {{models: [judge], most_agreement: 0.5}}
)",
                                            server_.url()));
  }

  /// Rates everything 4, and likes what stands first; after so many answers the server is gone.
  Reply answer(const Seen& seen) {
    if (asked_++ >= most_) return {503, "down", {}, Reply::Delivery::kWhole, {}};
    const std::string text = json::parse(seen.body).at("messages").back().at("content");
    const bool judges = text.find("## preference ##") != std::string::npos;
    const std::string said = fmt::format("[[ ## {} ## ]]\n{}\n\n[[ ## completed ## ]]",
                                         judges ? "preference" : "rating", judges ? "First" : "4");
    const json body = {{"choices", {{{"message", {{"content", said}}}, {"finish_reason", "stop"}}}},
                       {"usage", {{"prompt_tokens", 500}, {"completion_tokens", 3}}}};
    return {200, body.dump(), {}, Reply::Delivery::kWhole, {}};
  }
  Finished build() const {
    return run_to_end({theta_binary(), "data", "build", (folder_.path() / "build.yaml").string(),
                       "--out", out().string()});
  }
  fs::path out() const { return folder_.path() / "out"; }

  const TemporaryFolder folder_;
  std::atomic<int> asked_ = 0, most_ = 1 << 30;
  const LoopbackServer server_;
};

TEST_F(BuiltData, IsMadeOfRawChoicesWithADatasheet) {
  const Finished built = build();
  ASSERT_EQ(built.code, 0) << built.err;
  EXPECT_THAT(built.out, HasSubstr("100 rows\n"));
  EXPECT_THAT(built.out, HasSubstr("answers rated 3 or more by rater"));
  const json sheet = json::parse(content(out() / "datasheet.json"));
  EXPECT_EQ(sheet.at("steps").back().at("pairs"), 100);
  EXPECT_EQ(sheet.at("splits").at("test").at("people"), 6);
  struct stat found {};
  ASSERT_EQ(stat((out() / "test.jsonl").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  const Finished stats =
      run_to_end({theta_binary(), "data", "stats", (out() / "test.jsonl").string()});
  EXPECT_THAT(stats.out, testing::ContainsRegex("people +6\n"));
}

TEST_F(BuiltData, GoesOnWhereItWasStopped) {
  // 10 prompts are rated and their two answers, and these are judged in both orders: what people have
  // alike is asked once.
  constexpr int kAll = 10 + 10 + 20, kAnswered = 18;
  most_ = kAnswered;
  const Finished broken = build();
  EXPECT_EQ(broken.code, 4) << broken.err;
  EXPECT_THAT(broken.err, HasSubstr("theta: incomplete: "));
  EXPECT_FALSE(fs::exists(out() / "test.jsonl"));
  asked_ = 0;
  most_ = 1 << 30;
  const Finished whole = build();
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(asked_, kAll - kAnswered);
  asked_ = 0;
  const std::string first = content(out() / "test.jsonl");
  ASSERT_EQ(build().code, 0);
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(content(out() / "test.jsonl"), first);
}

TEST_F(BuiltData, IsRefusedWhereTheConfigIsWrong) {
  folder_.write("build.yaml", "name: made\nbuild: {pairs: rows.jsonl, judge: {}}\n");
  const Finished refused = build();
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("build.yaml:2:28: unknown key 'judge'"));
}

}  // namespace
}  // namespace theta

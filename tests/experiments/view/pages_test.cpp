#include "experiments/view/pages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_model.hpp"

namespace theta::view {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Ends whatever it may stand in, and runs where it is taken for HTML.
const std::string kHostile =
    "\"'></pre></title></script><script>alert(1)</script><img src=x onerror=alert(2)>";

std::size_t times(const std::string& text, const std::string& sought) {
  std::size_t n = 0;
  for (auto at = text.find(sought); at != std::string::npos; at = text.find(sought, at + 1)) ++n;
  return n;
}

/// That a page holds no element that a text of others made.
void expect_inert(const Page& page) {
  const std::string html = html_of(page, "N");
  EXPECT_EQ(times(html, "<script"), 1U) << page.title;
  EXPECT_EQ(times(html, "</script>"), 1U) << page.title;
  EXPECT_EQ(times(html, "<img"), 0U) << page.title;
  EXPECT_EQ(times(html, "</title>"), 1U) << page.title;
}

Outcome outcome(const std::string& item, double score,
                Outcome::Status status = Outcome::Status::kScored, const std::string& why = "") {
  return {"untouched", "task", item, "", 0, score, 0, status, why};
}

KeptAnswer kept(const std::string& asked, const std::string& text) {
  Request request;
  request.messages = {{"user", asked}};
  return {3, "model", request, say(text)};
}

RunStatus standing(RunState state, const std::string& why = "", const std::string& stage = "") {
  RunStatus status;
  status.state = state;
  status.error = why;
  status.stage = stage;
  return status;
}

ItemsView items_of_a_row() {
  ItemsView view;
  view.row = {"r", "untouched", "task"};
  view.piece = {1, 50, 1};
  return view;
}

TEST(ViewPage, ShowsTextsOfOthersAsTheyAreWithoutWhatTheyMayDo) {
  EXPECT_EQ(shown("<b>&'\""), "<bdi>&lt;b&gt;&amp;&#39;&quot;</bdi>");
  EXPECT_EQ(shown("a\x1b[31m\x07"), "<bdi>a\\x1b[31m\\x07</bdi>");
  EXPECT_EQ(shown("a\u202Egnp.exe\u2069\u061C"), "<bdi>a\\u202egnp.exe\\u2069\\u061c</bdi>");
  EXPECT_EQ(shown("שלום ü €"), "<bdi>שלום ü €</bdi>");
  EXPECT_EQ(shown_start("äöü", 3), "<bdi>ä</bdi> <span class=\"muted\">.. 6 bytes</span>");
}

TEST(ViewPage, AllowsItsOwnScriptAndStyleAlone) {
  EXPECT_EQ(policy_of("abc"),
            "default-src 'none'; script-src 'nonce-abc'; style-src 'nonce-abc'; connect-src "
            "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
  const std::string html = html_of({.title = "t"}, "abc");
  EXPECT_THAT(html, HasSubstr("<script nonce=\"abc\">"));
  EXPECT_THAT(html, HasSubstr("<style nonce=\"abc\">"));
  EXPECT_THAT(html, Not(HasSubstr(" style=")));
  EXPECT_THAT(html, Not(testing::ContainsRegex(" on[a-z]+=\"")));
}

TEST(ViewPage, WritesAddressesThatMeanWhatTheyHold) {
  EXPECT_EQ(address("items", {{"run", "a/b"}, {"text", "50% & \"x\""}, {"only", ""}}),
            "items?run=a%2Fb&amp;text=50%25%20%26%20%22x%22");
  EXPECT_EQ(address("", {}), ".");
  const RowName row{"a/b", "mipro, shortened", "task"};
  EXPECT_EQ(row_of(key_of(row)), row);
  EXPECT_FALSE(row_of("[1]"));
  EXPECT_FALSE(row_of("x"));
}

TEST(ViewPage, IsCutIntoPieces) {
  EXPECT_EQ(piece_of("", 50, 120).number, 1U);
  EXPECT_EQ(piece_of("3", 50, 120).begin(), 100U);
  EXPECT_EQ(piece_of("3", 50, 120).end(), 120U);
  EXPECT_EQ(piece_of("99", 50, 120).number, 3U);
  EXPECT_EQ(piece_of("-1", 50, 0).number, 1U);
  EXPECT_EQ(pager("items", {{"run", "r"}}, piece_of("2", 50, 120)),
            "<p class=\"muted\">51 to 100 of 120 <a href=\"items?run=r&amp;page=1\">first</a> "
            "<a href=\"items?run=r&amp;page=1\">before</a> <a "
            "href=\"items?run=r&amp;page=3\">next</a> <a "
            "href=\"items?run=r&amp;page=3\">last</a></p>\n");
}

TEST(IndexPage, SaysHowEachRunStandsAndIsLiveWhileOneGoesOn) {
  RunStatus done = standing(RunState::kDone);
  done.best = .75;
  done.kept = {40, 900, 100};
  const RunStatus failed = standing(RunState::kFailed, "disk full");
  std::vector<ListedFolder> runs = {{"a", "a", {}, done}, {"b", "b", {}, failed}, {"s", "s", 12}};
  Page page = index_page("runs", runs, {1, 50, 3});
  EXPECT_FALSE(page.live);
  EXPECT_THAT(page.body, HasSubstr("<a href=\"run?run=a\"><bdi>a</bdi></a>"));
  EXPECT_THAT(page.body, HasSubstr("<td class=\"n\">.75</td><td class=\"n\">40</td><td "
                                   "class=\"n\">1000</td>"));
  EXPECT_THAT(page.body, HasSubstr("<span class=\"bad\">failed</span>"));
  EXPECT_THAT(page.body, HasSubstr("disk full"));
  EXPECT_THAT(page.body, HasSubstr("<a href=\"sweep?run=s\"><bdi>s</bdi></a>"));
  EXPECT_THAT(page.body, HasSubstr("sweep of 12"));
  runs[0].status = standing(RunState::kRunning, "", "mipro");
  page = index_page("runs", runs, {1, 50, 3});
  EXPECT_TRUE(page.live);
  EXPECT_THAT(html_of(page, "N"), HasSubstr("<main id=\"body\" data-live>"));
}

TEST(ItemsPage, PassesWhatIsWantedOfThem) {
  using Status = Outcome::Status;
  const Outcome right = outcome("a", 1), wrong = outcome("a", 0);
  const Outcome unparsable = outcome("a", 0, Status::kUnparsable);
  const Outcome failed = outcome("a", 0, Status::kFailed);
  EXPECT_TRUE(passes(ItemFilter::kAll, right, nullptr));
  EXPECT_TRUE(passes(ItemFilter::kWrong, wrong, nullptr));
  EXPECT_FALSE(passes(ItemFilter::kWrong, right, nullptr));
  EXPECT_FALSE(passes(ItemFilter::kWrong, unparsable, nullptr));
  EXPECT_TRUE(passes(ItemFilter::kUnparsable, unparsable, nullptr));
  EXPECT_TRUE(passes(ItemFilter::kRefused, outcome("a", 0, Status::kRefused), nullptr));
  EXPECT_TRUE(passes(ItemFilter::kFailed, failed, nullptr));
  EXPECT_TRUE(passes(ItemFilter::kBetter, wrong, &right));
  EXPECT_FALSE(passes(ItemFilter::kBetter, failed, &right));
  EXPECT_FALSE(passes(ItemFilter::kBetter, wrong, nullptr));
  EXPECT_TRUE(passes(ItemFilter::kWorse, right, &wrong));
  EXPECT_EQ(filter_of("wrong"), ItemFilter::kWrong);
  EXPECT_EQ(filter_of("<b>"), ItemFilter::kAll);
}

TEST(ItemsPage, LaysTwoRowsSideBySide) {
  ItemsView view = items_of_a_row();
  view.against = RowName{"r", "mipro", "task"};
  view.others = {*view.against};
  view.items = {{outcome("row 7", 0), outcome("row 7", 1), "text: hello", "bad", "good"}};
  const Page page = items_page(view);
  EXPECT_THAT(page.body, HasSubstr("<th>item</th>"));
  EXPECT_THAT(page.body, HasSubstr("<td class=\"n\">.000</td><td class=\"n\">1.000</td>"));
  EXPECT_THAT(page.body, HasSubstr("<td><bdi>bad</bdi></td><td><bdi>good</bdi></td>"));
  EXPECT_THAT(page.body, HasSubstr("item?run=r&amp;row=untouched&amp;model=task&amp;beside=%5B%22r"
                                   "%22%2C%22mipro%22%2C%22task%22%5D&amp;item=row%207"));
  EXPECT_THAT(page.form, HasSubstr(" selected>mipro, task</option>"));
}

TEST(ItemPage, ShowsWhatWasAskedAndAnswered) {
  ItemView view{"row 7", {{"text", "hello"}}, {outcome("row 7", 0)}, {}};
  ItemSide side{{"r", "untouched", "task"}, {outcome("row 7", 0)}, {}, ""};
  side.exchanges = {{kept("Is it good?", "bad").request, {kept("Is it good?", "bad")}, false},
                    {kept("N/A", "x").request, {}, true}};
  view.sides = {side};
  const Page page = item_page(view);
  EXPECT_THAT(page.body, HasSubstr("<dt><bdi>text</bdi></dt><dd><bdi>hello</bdi></dd>"));
  EXPECT_THAT(page.body, HasSubstr("<pre>Is it good?</pre>"));
  EXPECT_THAT(page.body, HasSubstr("<div class=\"answer\"><pre>bad</pre>"));
  EXPECT_THAT(page.body, HasSubstr("<details><summary>what calibrates it</summary>"));
  EXPECT_THAT(page.body, HasSubstr("the record holds no answer to this"));
}

TEST(ItemPage, ShowsTheOptionsThatWereScored) {
  KeptAnswer answer = kept("Good?", "yes");
  answer.request.options = {"yes", "<no>"};
  answer.answer->option_logprobs = {-.25, -1.5};
  EXPECT_THAT(answer_page("r", answer).body,
              HasSubstr("<tr><td>&lt;no&gt;</td><td class=\"n\">-1.500</td></tr>"));
}

TEST(TrialPage, LaysTwoTrialsSideBySideWithWhatChanged) {
  const TrialRecord first{
      "mipro", 1, TrialKind::kDefault, {{}, {{"predict", "Answer now.", 0}}}, .5};
  const TrialRecord second{
      "mipro", 4, TrialKind::kFull, {{}, {{"predict", "Answer well now.", 2}}}, .8};
  const Page page = trial_page("r", second, first);
  EXPECT_THAT(page.body, HasSubstr("<dt>score</dt><dd>.800</dd>"));
  EXPECT_THAT(page.body, HasSubstr("Answer <ins>well </ins>now."));
  EXPECT_THAT(page.body, HasSubstr("<del>0</del><ins>2</ins>"));
}

TEST(PromptsPage, ShowsWhatBecameOfAPrompt) {
  PromptsView view;
  view.prompts = {{"untouched", "Answer now."}, {"mipro", "Answer briefly now."}};
  view.against_prompts = view.prompts;
  view.title = "untouched";
  view.against = "mipro";
  EXPECT_THAT(prompts_page(view).body, HasSubstr("<pre>Answer <ins>briefly </ins>now.</pre>"));
}

TEST(EveryPage, HoldsHostileTextsInert) {
  const std::string& bad = kHostile;
  expect_inert(error_page(bad));
  expect_inert(
      index_page(bad, {{bad, bad, {}, standing(RunState::kFailed, bad)}}, {1, 50, 1}, bad));
  expect_inert(run_page(bad, standing(RunState::kRunning, "", bad), std::nullopt, {bad}));
  Report report;
  report.name = report.config = report.note = bad;
  report.prompts = {{bad, bad}};
  Report::Row& scored = report.rows.emplace_back();
  scored.method = scored.model = bad;
  expect_inert(run_page("r", {}, report, {}));
  const RowName row{bad, bad, bad};
  ItemsView items = items_of_a_row();
  items.row = row;
  items.against = row;
  items.others = {row};
  items.text = items.note = bad;
  items.items = {
      {outcome(bad, 0, Outcome::Status::kUnparsable, bad), outcome(bad, 0), bad, bad, bad}};
  expect_inert(items_page(items));
  ItemView item{bad, {{bad, bad}}, {outcome(bad, 0)}, {}};
  item.sides = {{row, {outcome(bad, 0)}, {{kept(bad, bad).request, {kept(bad, bad)}, false}}, bad}};
  expect_inert(item_page(item));
  const TrialRecord trial{bad, 1, TrialKind::kDefault, {{}, {{bad, bad, 0, bad}}}, .5};
  expect_inert(trials_page({bad, {bad, "x"}, bad, {trial}, {1, 50, 1}, true}));
  expect_inert(trial_page(bad, trial, trial));
  expect_inert(answers_page({bad, bad, 1, {kept(bad, bad)}, true, false}));
  expect_inert(answer_page(bad, kept(bad, bad)));
  expect_inert(prompts_page({bad, bad, {{bad, bad}}, {{bad, bad}}, bad, bad}));
  RunComparison comparison;
  comparison.a.name = comparison.b.folder = bad;
  auto& row_of_both = comparison.rows.emplace_back();
  row_of_both.a.method = row_of_both.b.model = bad;
  row_of_both.turned = {{bad, bad, 1, 0}};
  comparison.prompts = {{bad, {{DiffPiece::Kind::kAdded, bad}}}};
  expect_inert(comparison_page(bad, bad, comparison));
}

TEST(EveryPage, ShowsTheBeginningsOfLongTextsInLists) {
  const std::string word(100'000, 'x');
  ItemsView items = items_of_a_row();
  items.items = {{outcome(word, 0, Outcome::Status::kUnparsable, word), {}, word, word, {}}};
  // The address of the item has its whole name.
  EXPECT_LT(items_page(items).body.size(), 102'000U);
  EXPECT_LT(answers_page({"r", "", 0, {kept(word, word)}, false, false}).body.size(), 2'000U);
  EXPECT_THAT(answer_page("r", kept(word, word)).body, HasSubstr(word));
}

}  // namespace
}  // namespace theta::view

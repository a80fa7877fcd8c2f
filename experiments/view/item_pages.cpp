#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "experiments/report/html.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/view/pages.hpp"

namespace theta::view {
namespace {

constexpr std::pair<ItemFilter, const char*> kFilters[] = {{ItemFilter::kAll, "all"},
                                                           {ItemFilter::kWrong, "wrong"},
                                                           {ItemFilter::kUnparsable, "unparsable"},
                                                           {ItemFilter::kRefused, "refused"},
                                                           {ItemFilter::kFailed, "failed"},
                                                           {ItemFilter::kBetter, "better"},
                                                           {ItemFilter::kWorse, "worse"}};

/// Longest texts in a list, in bytes.
constexpr std::size_t kListed = 300;

std::string text_of(const RowName& row) { return row.method + ", " + row.model; }

std::string score_text(const Outcome& outcome) {
  if (outcome.status == Outcome::Status::kScored) return fraction(outcome.score, 3);
  return fmt::format("<span class=\"bad\">{}</span>", name_of(outcome.status));
}

std::string answer_text(const Outcome& outcome, const std::optional<std::string>& answer) {
  if (!outcome.why.empty()) return shown_start(outcome.why, kListed);
  return answer ? shown_start(*answer, kListed) : "";
}

std::string options_html(const Request& request, const Response& response) {
  Table table{{{"option"}, {"log P", true}}};
  for (std::size_t i = 0; i < request.options.size(); ++i)
    table.rows.push_back(
        {inert(request.options[i]), i < response.option_logprobs.size()
                                        ? fmt::format("{:.3f}", response.option_logprobs[i])
                                        : "-"});
  return html_table(table);
}

std::string answer_html(const KeptAnswer& kept) {
  std::string out = fmt::format("<p class=\"role\">answer of {}</p>\n", shown(kept.identity));
  if (!kept.answer)
    return out + "<p class=\"bad\">" + shown(kept.answer.error().message) + "</p>\n";
  const Response& response = *kept.answer;
  if (!kept.request.options.empty() && !response.option_logprobs.empty())
    out += options_html(kept.request, response);
  else
    out += "<div class=\"answer\">" + shown_block(response.text) + "</div>";
  std::string about = fmt::format("{} prompt tokens, {} generated", response.prompt_tokens,
                                  response.generated_tokens);
  if (response.truncated) about += ", cut at the most tokens";
  if (response.named) about += ", named and not scored";
  if (!response.note.empty()) about += ", " + response.note;
  return out + "<p class=\"role\">" + shown(about) + "</p>\n";
}

std::string request_html(const Request& request) {
  std::string out;
  for (const auto& [role, content] : request.messages)
    out += "<p class=\"role\">" + shown(role) + "</p>" + shown_block(content);
  if (!request.answer_prefix.empty())
    out += "<p class=\"role\">the answer begins with</p>" + shown_block(request.answer_prefix);
  return out;
}

std::string exchange_html(const Exchange& exchange) {
  std::string out = "<div class=\"ask\">" + request_html(exchange.request);
  if (exchange.answers.empty()) out += "<p class=\"bad\">the record holds no answer to this</p>";
  for (const KeptAnswer& kept : exchange.answers) out += answer_html(kept);
  return out + "</div>\n";
}

std::string side_html(const ItemSide& side) {
  std::string out = "<div><h2>" + shown(text_of(side.row)) + "</h2>\n";
  for (const Outcome& one : side.outcomes) {
    out += "<p>" + score_text(one);
    if (!one.why.empty()) out += " " + shown(one.why);
    out += "</p>\n";
  }
  if (!side.note.empty()) out += "<p class=\"note\">" + shown(side.note) + "</p>\n";
  std::string calibrating;
  for (const Exchange& exchange : side.exchanges)
    (exchange.calibrates ? calibrating : out) += exchange_html(exchange);
  if (!calibrating.empty())
    out += "<details><summary>what calibrates it</summary>" + calibrating + "</details>\n";
  return out + "</div>\n";
}

}  // namespace

std::string key_of(const RowName& row) {
  return nlohmann::json{row.run, row.method, row.model}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<RowName> row_of(const std::string& key) {
  const auto json = nlohmann::json::parse(key, nullptr, false);
  if (!json.is_array() || json.size() != 3 ||
      !std::ranges::all_of(json, [](const auto& part) { return part.is_string(); }))
    return std::nullopt;
  return RowName{json[0], json[1], json[2]};
}

Query query_of(const RowName& row, const std::optional<RowName>& against) {
  return {{"run", row.run},
          {"row", row.method},
          {"model", row.model},
          {"beside", against ? key_of(*against) : ""}};
}

const char* name_of(ItemFilter filter) {
  return std::ranges::find(kFilters, filter, [](const auto& one) { return one.first; })->second;
}

ItemFilter filter_of(const std::string& name) {
  const auto found =
      std::ranges::find(kFilters, name, [](const auto& one) { return std::string(one.second); });
  return found == std::end(kFilters) ? ItemFilter::kAll : found->first;
}

bool passes(ItemFilter filter, const Outcome& outcome, const Outcome* against) {
  using Status = Outcome::Status;
  const bool both =
      against != nullptr && outcome.status != Status::kFailed && against->status != Status::kFailed;
  switch (filter) {
    case ItemFilter::kAll:
      return true;
    case ItemFilter::kWrong:
      return outcome.status == Status::kScored && outcome.score < 1;
    case ItemFilter::kUnparsable:
      return outcome.status == Status::kUnparsable;
    case ItemFilter::kRefused:
      return outcome.status == Status::kRefused;
    case ItemFilter::kFailed:
      return outcome.status == Status::kFailed;
    case ItemFilter::kBetter:
      return both && against->score > outcome.score;
    case ItemFilter::kWorse:
      return both && against->score < outcome.score;
  }
  return true;
}

Page items_page(const ItemsView& view) {
  Page page{.title = "Items of " + text_of(view.row)};
  page.live = view.live;
  const std::string& run = view.row.run;
  std::vector<Choice> filters, others = {{"", "nothing"}};
  for (const auto& [filter, name] : kFilters)
    filters.push_back({name, filter == ItemFilter::kBetter || filter == ItemFilter::kWorse
                                 ? fmt::format("beside is {}", name)
                                 : name});
  for (const RowName& other : view.others)
    others.push_back({key_of(other), (other.run == run ? "" : other.run + ": ") + text_of(other)});
  page.form =
      "<nav>" + link("", {}, "all runs") + link("run", {{"run", run}}, shown(run)) +
      link("answers", {{"run", run}}, "answers") + "</nav>\n" +
      form("items", query_of(view.row),
           select_field("beside", "beside", others, view.against ? key_of(*view.against) : "") +
               select_field("only", "only", filters, name_of(view.filter)) +
               text_field("with the text", "text", view.text));
  // An item that belongs to nobody stands for itself.
  const bool users = std::ranges::any_of(view.items, [](const ItemLine& line) {
    return !line.outcome.group.empty() && line.outcome.group != line.outcome.item;
  });
  Table table{{{"item"}}};
  if (users) table.columns.push_back({"user"});
  table.columns.push_back({"score", true});
  if (view.against) table.columns.push_back({"beside", true});
  table.columns.push_back({"asked", false, kWidestLabel});
  table.columns.push_back({"answer"});
  if (view.against) table.columns.push_back({"answer beside"});
  for (const ItemLine& line : view.items) {
    Query query = query_of(view.row, view.against);
    query.emplace_back("item", line.outcome.item);
    const std::string variant =
        line.outcome.variant > 0 ? fmt::format(" ({})", line.outcome.variant) : "";
    auto& cells = table.rows.emplace_back();
    cells.push_back(link("item", query, shown_start(line.outcome.item, 60)) + variant);
    if (users) cells.push_back(shown_start(line.outcome.group, 60));
    cells.push_back(score_text(line.outcome));
    if (view.against) cells.push_back(line.against ? score_text(*line.against) : "-");
    cells.push_back(shown_start(line.text, kListed));
    cells.push_back(answer_text(line.outcome, line.answer));
    if (view.against)
      cells.push_back(line.against ? answer_text(*line.against, line.answer_against) : "");
  }
  Query query = query_of(view.row, view.against);
  query.emplace_back("only", name_of(view.filter));
  query.emplace_back("text", view.text);
  if (view.against)
    page.body += "<p class=\"muted\">beside: " + shown(text_of(*view.against)) + "</p>\n";
  if (!view.note.empty()) page.body += "<p class=\"muted\">" + shown(view.note) + "</p>\n";
  page.body += html_table_of_cells(table) + pager("items", query, view.piece);
  return page;
}

Page item_page(const ItemView& view) {
  const std::string run = view.sides.empty() ? "" : view.sides.front().row.run;
  Page page{.title = "Item " + view.item};
  page.form = "<nav>" + link("", {}, "all runs") + link("run", {{"run", run}}, shown(run)) +
              (view.sides.empty() ? "" : link("items", query_of(view.sides.front().row), "items")) +
              "</nav>\n";
  if (!view.fields.empty()) page.body += "<dl>";
  for (const auto& [name, value] : view.fields)
    page.body += "<dt>" + shown(name) + "</dt><dd>" + shown(value) + "</dd>";
  if (!view.fields.empty()) page.body += "</dl>\n";
  Table table{{{"row", false, kWidestLabel}, {"model"}, {"score", true}, {""}}};
  for (const Outcome& one : view.outcomes) {
    const RowName row{run, one.method, one.model};
    std::optional<RowName> first;
    if (!view.sides.empty() && row != view.sides.front().row) first = row;
    Query query = query_of(view.sides.empty() ? row : view.sides.front().row, first);
    query.emplace_back("item", view.item);
    table.rows.push_back({link("item", query, shown(one.method)), shown(one.model), score_text(one),
                          shown_start(one.why, kListed)});
  }
  page.body += html_table_of_cells(table) + "<div class=\"sides\">";
  for (const ItemSide& side : view.sides) page.body += side_html(side);
  page.body += "</div>\n";
  return page;
}

Page answers_page(const AnswersView& view) {
  Page page{.title = "Answers"};
  page.live = view.live;
  page.form = "<nav>" + link("", {}, "all runs") +
              link("run", {{"run", view.run}}, shown(view.run)) + "</nav>\n" +
              form("answers", {{"run", view.run}}, text_field("with the text", "text", view.text));
  Table table{{{"", true}, {"asked last", false, kWidestLabel}, {"answer", false, kWidestLabel}}};
  for (const KeptAnswer& kept : view.answers) {
    const std::string asked =
        kept.request.messages.empty() ? "" : kept.request.messages.back().content;
    table.rows.push_back({link("answer", {{"run", view.run}, {"number", std::to_string(kept.number)}},
                               std::to_string(kept.number)),
                          shown_start(asked, kListed),
                          kept.answer
                              ? shown_start(kept.answer->text, kListed)
                              : "<span class=\"bad\">" +
                                    shown_start(kept.answer.error().message, kListed) + "</span>"});
  }
  page.body = html_table_of_cells(table);
  const Query query = {{"run", view.run}, {"text", view.text}};
  page.body += "<p class=\"muted\">";
  if (view.answers.empty()) page.body += "none";
  if (view.after > 0) page.body += link("answers", query, "first");
  if (view.more) {
    Query next = query;
    next.emplace_back("after", std::to_string(view.answers.back().number));
    page.body += " " + link("answers", next, "next");
  }
  page.body += "</p>\n";
  return page;
}

Page answer_page(const std::string& run, const KeptAnswer& answer) {
  Page page{.title = fmt::format("Answer {}", answer.number)};
  page.form = "<nav>" + link("", {}, "all runs") + link("run", {{"run", run}}, shown(run)) +
              link("answers", {{"run", run}}, "answers") + "</nav>\n";
  page.body =
      "<div class=\"ask\">" + request_html(answer.request) + answer_html(answer) + "</div>\n";
  return page;
}

}  // namespace theta::view

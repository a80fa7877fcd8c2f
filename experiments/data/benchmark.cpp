#include "experiments/data/benchmark.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/json_value.hpp"
#include "core/rng.hpp"
#include "experiments/data/preference_pairs.hpp"
#include "experiments/data/split.hpp"
#include "modules/predict.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kPeople = {"train", "validation", "test"};

Signature query_rating() {
  return Signature::parse(
             "conversation -> rating: Literal['1', '2', '3', '4', '5']",
             "Rate how much the best answer to the last message depends on who asks. 1: everybody "
             "would want the same answer. 5: what is best is a matter of the person's taste, "
             "values or situation.")
      .describe("conversation", "What was asked, with what was said before.");
}

Signature response_rating() {
  return Signature::parse(
             "conversation, first_response, second_response -> rating: "
             "Literal['1', '2', '3', '4', '5']",
             "Rate how much the choice between the two responses depends on who chooses. 1: one is "
             "better for everybody, as the other is wrong, off the point or broken. 5: both are "
             "good, and which one is preferred is a matter of the person's taste, values or "
             "situation.")
      .describe("conversation", "What was asked, with what was said before.");
}

std::string text_of(const Message& message) { return render_conversation({&message, 1}); }

/// The pair as judges are shown it.
PreferencePair pair_of(const RawChoice& choice) {
  return {.id = choice.id,
          .context = render_conversation(choice.context),
          .chosen = text_of(choice.chosen),
          .rejected = text_of(choice.rejected),
          .flip = choice.flip};
}

class Builder {
 public:
  Builder(const BenchmarkOptions& options,
          const std::function<LanguageModel&(const std::string&)>& model, std::stop_token stop)
      : options_(options), model_(model), stop_(std::move(stop)) {}

  Benchmark build() {
    read();
    drop_repeated();
    drop_small("people with {} choices or more");
    if (options_.rating) rate(*options_.rating);
    if (options_.judges && out_.lost == 0) judge(*options_.judges);
    if (out_.lost > 0) {
      out_.kept.clear();
      return std::move(out_);
    }
    if (options_.rating || options_.judges) drop_small("people who still have {}");
    split_choices();
    split_people();
    return std::move(out_);
  }

 private:
  void read();
  void drop_repeated();
  void drop_small(const std::string& what);
  void rate(const RatingOptions& rating);
  void judge(const DisagreementOptions& judges);
  void split_choices();
  void split_people();

  /// Keeps the rows of which `keep` is true.
  template <typename Keep>
  void filter(std::string what, const Keep& keep) {
    std::erase_if(out_.kept, [&](const BenchmarkRow& row) { return !keep(row); });
    std::unordered_set<std::string_view> people;
    for (const BenchmarkRow& row : out_.kept) people.insert(row.choice.user);
    out_.steps.push_back({std::move(what), out_.kept.size(), people.size()});
  }
  std::vector<std::optional<int>> ratings(const Signature& signature, const RatingOptions& rating,
                                          const std::vector<Record>& inputs,
                                          std::map<int, std::size_t>& counts);
  void lose(const std::string& why) {
    if (out_.lost++ == 0) out_.why_lost = why;
  }

  const BenchmarkOptions& options_;
  const std::function<LanguageModel&(const std::string&)>& model_;
  const std::stop_token stop_;
  Benchmark out_;
};

void Builder::read() {
  const auto* prism = std::get_if<PrismFiles>(&options_.source);
  RawChoices raw =
      prism ? read_prism(*prism, options_.min_score_gap, options_.seed)
            : read_raw_pairs(std::get<std::filesystem::path>(options_.source), options_.seed);
  out_.rows = raw.rows;
  out_.left_out = std::move(raw.left_out);
  for (RawChoice& choice : raw.choices) out_.kept.push_back({std::move(choice)});
  filter("choices that were read", [](const BenchmarkRow&) { return true; });
}

void Builder::drop_repeated() {
  std::set<std::pair<std::string, std::string>> seen;
  filter("the first of those that a person made twice", [&](const BenchmarkRow& row) {
    return seen.emplace(row.choice.user, content_of(pair_of(row.choice))).second;
  });
}

void Builder::drop_small(const std::string& what) {
  std::unordered_map<std::string, std::size_t> pairs;
  for (const BenchmarkRow& row : out_.kept) ++pairs[row.choice.user];
  filter(fmt::format(fmt::runtime(what), options_.min_pairs),
         [&](const BenchmarkRow& row) { return pairs.at(row.choice.user) >= options_.min_pairs; });
}

std::vector<std::optional<int>> Builder::ratings(const Signature& signature,
                                                 const RatingOptions& rating,
                                                 const std::vector<Record>& inputs,
                                                 std::map<int, std::size_t>& counts) {
  const Format format{.adapter = rating.adapter};
  const PredictOptions options{.max_tokens = rating.max_tokens};
  const Predict rater = rating.reasoning ? ChainOfThought(signature, format, options)
                                         : Predict(signature, format, options);
  std::vector<std::optional<int>> out;
  for (const auto& answer : rater.run(inputs, {.model = model_(rating.model), .stop = stop_})) {
    if (!answer && answer.error().fault == Fault::kService) lose(answer.error().message);
    out.push_back(answer ? std::optional(std::stoi(answer->fields.text("rating"))) : std::nullopt);
    ++counts[out.back().value_or(0)];
  }
  return out;
}

void Builder::rate(const RatingOptions& rating) {
  std::unordered_map<std::string, std::size_t> place;  // of each prompt among `inputs`
  std::vector<std::size_t> prompt_of;                  // by row its place
  std::vector<Record> inputs;
  for (const BenchmarkRow& row : out_.kept) {
    std::string context = render_conversation(row.choice.context);
    const auto [at, is_new] = place.try_emplace(context, inputs.size());
    prompt_of.push_back(at->second);
    if (is_new) inputs.push_back({{"conversation", std::move(context)}});
  }
  const auto queries = ratings(query_rating(), rating, inputs, out_.query_ratings);
  if (out_.lost > 0) return;
  for (std::size_t i = 0; i < prompt_of.size(); ++i)
    out_.kept[i].query_rating = queries[prompt_of[i]];
  const std::string step = "{} rated {} or more by {}";
  filter(fmt::format(fmt::runtime(step), "prompts", rating.least, rating.model),
         [&](const BenchmarkRow& row) { return row.query_rating.value_or(0) >= rating.least; });

  inputs.clear();
  for (const BenchmarkRow& row : out_.kept) {
    PreferencePair pair = pair_of(row.choice);
    if (!pair.flip) std::swap(pair.chosen, pair.rejected);
    inputs.push_back({{"conversation", pair.context},
                      {"first_response", pair.chosen},
                      {"second_response", pair.rejected}});
  }
  const auto responses = ratings(response_rating(), rating, inputs, out_.response_ratings);
  if (out_.lost > 0) return;
  for (std::size_t i = 0; i < responses.size(); ++i) out_.kept[i].response_rating = responses[i];
  filter(fmt::format(fmt::runtime(step), "answers", rating.least, rating.model),
         [&](const BenchmarkRow& row) { return row.response_rating.value_or(0) >= rating.least; });
}

void Builder::judge(const DisagreementOptions& judges) {
  JudgeOptions asked;
  asked.signature = default_judge_signature();
  asked.judging = judges.judging;
  asked.reasoning = judges.reasoning;
  asked.max_tokens = judges.max_tokens;
  const Judge judge(std::move(asked), make_adapter({.adapter = judges.adapter}));
  std::vector<PreferencePair> pairs;
  for (const BenchmarkRow& row : out_.kept) pairs.push_back(pair_of(row.choice));
  std::vector<Question> questions;
  for (const PreferencePair& pair : pairs)
    for (const bool chosen_first : {true, false})
      questions.push_back({&pair, chosen_first, "", nullptr});
  std::vector<std::size_t> chosen(pairs.size()), votes(pairs.size());
  for (const std::string& role : judges.models) {
    const auto judgements = judge.judge(questions, {.model = model_(role), .stop = stop_});
    for (std::size_t i = 0; i < judgements.size(); ++i) {
      const Judgement& one = judgements[i];
      if (one.status == Outcome::Status::kFailed) lose(one.error);
      if (one.status != Outcome::Status::kScored || one.asked.log_odds == 0) continue;
      ++votes[i / 2];
      chosen[i / 2] += one.asked.log_odds > 0;
    }
  }
  if (out_.lost > 0) return;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (votes[i] > 0)
      out_.kept[i].agreement = static_cast<double>(std::max(chosen[i], votes[i] - chosen[i])) /
                               static_cast<double>(votes[i]);
    ++out_.agreements[out_.kept[i].agreement.value_or(-1)];
  }
  filter(fmt::format("at most {} of the judges' votes on one side", judges.most_agreement),
         [&](const BenchmarkRow& row) {
           return row.agreement && *row.agreement <= judges.most_agreement;
         });
}

/// How many of `n` a share is.
std::size_t part_of(std::size_t n, double share) {
  return static_cast<std::size_t>(share * static_cast<double>(n));
}

void Builder::split_choices() {
  std::unordered_map<std::string, std::vector<std::string>> prompts;  // by person, as they come
  const auto prompt = [](const RawChoice& choice) {
    if (!choice.opening.empty()) return choice.opening;
    return choice.conversation.empty() ? choice.id : choice.conversation;
  };
  for (const BenchmarkRow& row : out_.kept) {
    auto& own = prompts[row.choice.user];
    if (std::ranges::find(own, prompt(row.choice)) == own.end()) own.push_back(prompt(row.choice));
  }
  for (BenchmarkRow& row : out_.kept) {
    const auto& own = prompts.at(row.choice.user);
    const std::size_t n = own.size();
    if (n < 2) continue;  // context and test would share it
    // At least one prompt is context, and at least one is tested.
    const std::size_t context = std::clamp<std::size_t>(
        part_of(n, options_.train_prompts + options_.val_prompts), 1, n - 1);
    const std::size_t train =
        std::clamp<std::size_t>(part_of(n, options_.train_prompts), 1, context);
    const auto at =
        static_cast<std::size_t>(std::ranges::find(own, prompt(row.choice)) - own.begin());
    row.split = at < train ? "train" : at < context ? "val" : "test";
  }
  filter("people with two prompts or more",
         [](const BenchmarkRow& row) { return !row.split.empty(); });
}

void Builder::split_people() {
  std::vector<std::string> people;
  std::unordered_map<std::string, std::size_t> place;
  for (const BenchmarkRow& row : out_.kept)
    if (place.try_emplace(row.choice.user, people.size()).second) people.push_back(row.choice.user);
  const std::size_t n = people.size();
  SplitSizes sizes{part_of(n, options_.train_people), part_of(n, options_.validation_people)};
  sizes.test = n - sizes.total();
  const auto drawn = draw_split(n, sizes, derive_seed(options_.seed, "people"), "people");
  std::unordered_set<std::string> elsewhere;
  for (BenchmarkRow& row : out_.kept) {
    const Split split = drawn[place.at(row.choice.user)];
    row.people = kPeople.at(static_cast<std::size_t>(split));
    if (split != Split::kTest) elsewhere.insert(row.choice.opening);
  }
  for (const BenchmarkRow& row : out_.kept)
    out_.shared_prompts += row.people == "test" && row.split == "test" &&
                           !row.choice.opening.empty() && elsewhere.contains(row.choice.opening);
}

/// A text, or a message with its role.
Json json_of(const Message& message) {
  if (message.role.empty()) return message.content;
  return {{"content", message.content}, {"role", message.role}};
}

Json json_of(const BenchmarkRow& row) {
  const RawChoice& choice = row.choice;
  Json context = Json::array();
  for (const Message& message : choice.context) context.push_back(json_of(message));
  Json out = {{"pair_id", choice.id}, {"user_id", choice.user}};
  if (!choice.conversation.empty()) out["conversation_id"] = choice.conversation;
  if (!choice.context.empty()) out["context"] = std::move(context);
  out["chosen"] = json_of(choice.chosen);
  out["rejected"] = json_of(choice.rejected);
  if (!choice.type.empty()) out["type"] = choice.type;
  out["split"] = row.split;
  out["flip"] = choice.flip;
  if (!choice.demographics.empty()) out["demographics"] = choice.demographics;
  if (row.query_rating) out["query_rating"] = *row.query_rating;
  if (row.response_rating) out["response_rating"] = *row.response_rating;
  if (row.agreement) out["agreement"] = *row.agreement;
  return out;
}

}  // namespace

Benchmark build_benchmark(const BenchmarkOptions& options,
                          const std::function<LanguageModel&(const std::string&)>& model,
                          std::stop_token stop) {
  return Builder(options, model, std::move(stop)).build();
}

std::string lines_of(const Benchmark& benchmark, std::string_view people) {
  std::string out;
  for (const BenchmarkRow& row : benchmark.kept)
    if (row.people == people) out += write_json(json_of(row)) + "\n";
  return out;
}

nlohmann::ordered_json datasheet(const BenchmarkOptions& options, const Benchmark& benchmark) {
  Json out = {{"name", options.name}, {"seed", options.seed}, {"min_pairs", options.min_pairs}};
  if (options.rating)
    out["rating"] = {{"model", options.rating->model}, {"least", options.rating->least}};
  if (options.judges)
    out["judges"] = {{"models", options.judges->models},
                     {"most_agreement", options.judges->most_agreement}};
  out["rows"] = benchmark.rows;
  out["left_out"] = Json::object();
  for (const auto& [why, n] : benchmark.left_out) out["left_out"][why] = n;
  out["steps"] = Json::array();
  for (const auto& [what, pairs, people] : benchmark.steps)
    out["steps"].push_back({{"step", what}, {"pairs", pairs}, {"people", people}});
  const auto counts = [&](const char* name, const auto& numbers, const auto& unknown) {
    for (const auto& [value, n] : numbers)
      out[name][value == unknown ? "none" : fmt::format("{:.4g}", double(value))] = n;
  };
  counts("query_ratings", benchmark.query_ratings, 0);
  counts("response_ratings", benchmark.response_ratings, 0);
  counts("agreements", benchmark.agreements, -1.0);
  for (const std::string_view people : kPeople) {
    std::unordered_set<std::string_view> ids;
    Json split = {{"people", 0}, {"train", 0}, {"val", 0}, {"test", 0}};
    for (const BenchmarkRow& row : benchmark.kept) {
      if (row.people != people) continue;
      ids.insert(row.choice.user);
      split[std::string(row.split)] = split[std::string(row.split)].get<std::size_t>() + 1;
    }
    split["people"] = ids.size();
    out["splits"][std::string(people)] = std::move(split);
  }
  out["shared_prompts"] = benchmark.shared_prompts;
  return out;
}

}  // namespace theta

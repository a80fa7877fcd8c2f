#include "modules/judge.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

#include "modules/predict.hpp"

namespace theta {
namespace {

constexpr const char* kNamed = "options were named, not scored";

/// What a scored answer says, turned towards the chosen text.
Verdict verdict(const Response& answer, bool chosen_first) {
  const auto& logprobs = answer.option_logprobs;
  require(logprobs.size() == 2, "a judge scores two options");
  const double first = logprobs[0] - logprobs[1];
  require(!std::isnan(first), "log-odds are a number");
  Verdict out{.log_odds = chosen_first ? first : -first};
  if (answer.named) out.to_choice();
  return out;
}

/// An answer that is unparsable or refused is a wrong one; a failed question has none.
void miss(Judgement& judgement, const Error& error) {
  judgement.error = error.message;
  judgement.status = status_of(error);
  const bool wrong = judgement.status != Outcome::Status::kFailed;
  judgement.asked = {.log_odds = wrong ? -1.0 : 0.0, .is_choice = true};
}

/// The judgement of both orders. An answer that is missing in one is missing in it; what is a
/// choice in one is one in both, and where one has no contrast neither has.
Judgement merge(const Judgement& asked, const Judgement& turned) {
  const bool failed = asked.status == Outcome::Status::kFailed;
  const bool whole = turned.status == Outcome::Status::kScored;
  Judgement out = whole || failed ? asked : turned;
  out.turned = asked.status == Outcome::Status::kScored ? turned.asked : asked.asked;
  if (out.asked.is_choice || out.turned->is_choice) out.to_choice();
  if (!out.asked.plain || !out.turned->plain) {
    out.asked.plain.reset();
    out.turned->plain.reset();
  }
  out.named = asked.named || turned.named;
  out.no_contrast = asked.no_contrast.empty() ? turned.no_contrast : asked.no_contrast;
  out.usage = asked.usage;
  out.usage += turned.usage;
  return out;
}

}  // namespace

double log_sigmoid(double margin) {
  return margin > 0 ? -std::log1p(std::exp(-margin)) : margin - std::log1p(std::exp(margin));
}

void Verdict::to_choice() {
  log_odds = log_odds > 0 ? 1 : log_odds < 0 ? -1 : 0;
  is_choice = true;
  plain.reset();
}

void Judgement::to_choice() {
  asked.to_choice();
  if (turned) turned->to_choice();
}

std::string_view Judgement::verified_reasoning() const {
  const bool right = status == Outcome::Status::kScored && asked.log_odds > 0;
  return right ? std::string_view(reasoning) : std::string_view();
}

Error error_of(const Judgement& judgement) {
  const Fault fault = judgement.status == Outcome::Status::kFailed    ? Fault::kService
                      : judgement.status == Outcome::Status::kRefused ? Fault::kRefused
                                                                      : Fault::kPrompt;
  return {
      fault, judgement.error, {}, judgement.usage.prompt_tokens, judgement.usage.generated_tokens};
}

Judge::Judge(JudgeOptions options, std::shared_ptr<const Adapter> adapter)
    : options_(std::move(options)), adapter_(std::move(adapter)) {
  const auto& signature = options_.signature;
  if (signature.inputs.size() < 2 || signature.inputs.size() > 3)
    throw UserError("a judge's signature has inputs [context,] first, second; this one is '" +
                    signature.text() + "'");
  if (signature.outputs.size() != 1 || signature.outputs[0].type.options().size() != 2)
    throw UserError("a judge's signature has one output with two options; this one is '" +
                    signature.text() + "'");
  if (options_.reasoning && options_.judging != Judging::kGenerated)
    throw UserError(
        "a judge reasons only where its answer is generated: set judging to 'generated'");
  Signature with_persona = signature;
  if (!options_.persona_instructions.empty())
    with_persona = with_persona.with_instructions(options_.persona_instructions);
  if (options_.place == PersonaPlace::kBehindPair)
    with_persona = with_persona.append_input(options_.persona);
  if (options_.reasoning) with_persona = chain_of_thought(with_persona);
  predictor_ = {"judge", std::move(with_persona), {}};
}

Judge Judge::tracer() const {
  JudgeOptions options = options_;
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  options.both_orders = false;
  return {std::move(options), adapter_};
}

Signature Judge::signature(const std::string& persona) const {
  const std::string& instructions = predictor_.signature.instructions;
  if (persona.empty()) {
    Signature plain = options_.signature;
    if (options_.persona_instructions.empty()) plain.instructions = instructions;
    return options_.reasoning ? chain_of_thought(plain) : plain;
  }
  if (options_.place == PersonaPlace::kBehindPair) return predictor_.signature;
  return predictor_.signature.with_instructions(instructions + "\nFOLLOWING PERSONA\n===\n" +
                                                adapter_->defused(predictor_.signature, persona) +
                                                "\n===\nNow decide, remembering the persona.");
}

Record Judge::inputs(const Question& question) const {
  const PreferencePair& pair = *question.pair;
  const auto& fields = options_.signature.inputs;
  Record out;
  std::size_t next = 0;
  if (fields.size() == 3) out.set(fields[next++].name, pair.context);
  out.set(fields[next++].name, question.chosen_first ? pair.chosen : pair.rejected);
  out.set(fields[next++].name, question.chosen_first ? pair.rejected : pair.chosen);
  if (!question.persona.empty() && options_.place == PersonaPlace::kBehindPair)
    out.set(options_.persona.name, question.persona);
  return out;
}

Demo Judge::demo(const PreferencePair& pair, bool chosen_first, const std::string& persona,
                 const std::string& reasoning) const {
  Demo out;
  out.fields = inputs({&pair, chosen_first, persona, nullptr});
  if (!reasoning.empty()) {
    out.fields.set("reasoning", reasoning);
    out.augmented = true;
  }
  const Field& answer = options_.signature.outputs[0];
  out.fields.set(answer.name, answer.type.options()[chosen_first ? 0 : 1]);
  return out;
}

PreferencePair Judge::pair_of(const Record& fields) const {
  const auto& inputs = options_.signature.inputs;
  std::vector<std::string> texts;
  for (const Field& field : inputs) texts.push_back(fields.text(field.name));
  PreferencePair pair;
  pair.rejected = texts.back();
  pair.chosen = texts[texts.size() - 2];
  if (inputs.size() == 3) pair.context = texts.front();
  for (const std::string& text : texts)  // pairs that show the same are one
    pair.id += std::to_string(text.size()) + ":" + text;
  return pair;
}

std::vector<Demo> Judge::demos(const Question& question) const {
  std::vector<Demo> all = predictor_.demos;
  if (question.demos) all.insert(all.end(), question.demos->begin(), question.demos->end());
  return all;
}

Request Judge::request(const Signature& asked, std::span<const Demo> demos,
                       const Record& inputs) const {
  Request request;
  request.messages = adapter_->format(asked, demos, inputs);
  request.answer_prefix = adapter_->answer_prefix(asked, {}, 0);
  request.options = adapter_->options(asked, 0);
  return request;
}

std::vector<Judgement> Judge::score(std::span<const Question> questions, const Call& call) const {
  // One pair's questions stand side by side, whoever asks them, so that they share its prefix.
  std::vector<std::size_t> order(questions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    return std::tuple(std::string_view(questions[i].pair->id), questions[i].chosen_first);
  });

  const bool contrast = options_.judging == Judging::kContrast;
  std::vector<Request> wave;
  std::vector<std::size_t> own(questions.size());
  std::vector<std::optional<std::size_t>> base(questions.size());
  std::map<std::tuple<std::string_view, bool>, std::size_t> bases;
  for (const std::size_t i : order) {
    const Question& question = questions[i];
    const std::vector<Demo> shown = demos(question);
    if (contrast && !(question.persona.empty() && shown.empty())) {
      const auto [at, fresh] =
          bases.try_emplace({question.pair->id, question.chosen_first}, wave.size());
      const Question alone{question.pair, question.chosen_first, "", nullptr};
      if (fresh) wave.push_back(request(signature(""), {}, inputs(alone)));
      base[i] = at->second;
    }
    own[i] = wave.size();
    wave.push_back(request(signature(question.persona), shown, inputs(question)));
  }

  const auto answers = ask(call.model, wave, call.stop);
  std::vector<Judgement> out;
  out.reserve(questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const Result<Response>& answer = answers[own[i]];
    const Result<Response>* compared = base[i] ? &answers[*base[i]] : nullptr;
    const bool chosen_first = questions[i].chosen_first;
    Judgement& judgement = out.emplace_back();
    judgement.usage = usage_of(answer);
    if (compared) judgement.usage += usage_of(*compared);
    if (!answer) {
      miss(judgement, answer.error());
      continue;
    }
    judgement.asked = verdict(*answer, chosen_first);
    judgement.named = answer->named;
    if (!compared) continue;
    if (!*compared && compared->error().fault == Fault::kService) {
      miss(judgement, compared->error());
    } else if (!*compared) {
      judgement.no_contrast = "the judge without persona: " + compared->error().message;
    } else if (answer->named || (*compared)->named) {
      judgement.named = true;
      judgement.no_contrast = kNamed;
    } else {
      judgement.asked.plain = verdict(**compared, chosen_first).log_odds;
    }
  }
  return out;
}

std::vector<Judgement> Judge::generate(std::span<const Question> questions,
                                       const Call& call) const {
  // Questions under one persona and one set of demos are one prompt and stand side by side, so that
  // they share its prefix; all prompts are one wave.
  std::map<std::pair<std::string, const std::vector<Demo>*>, std::size_t> known;
  std::vector<std::vector<std::size_t>> groups;  // in the order of their first questions
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const auto& [pair, chosen_first, persona, own] = questions[i];
    const bool behind = options_.place == PersonaPlace::kBehindPair && !persona.empty();
    const auto [group, is_new] = known.try_emplace(
        {behind ? "." : persona, own && own->empty() ? nullptr : own}, groups.size());
    if (is_new) groups.emplace_back();
    groups[group->second].push_back(i);
  }
  std::vector<Predictor> prompts;
  prompts.reserve(groups.size());  // `asked` points into them
  std::vector<const Predictor*> asked;
  std::vector<Record> records;
  std::vector<std::size_t> places;
  for (const auto& members : groups) {
    const Question& one = questions[members.front()];
    prompts.push_back({"judge", signature(one.persona), demos(one)});
    for (const std::size_t i : members) {
      asked.push_back(&prompts.back());
      records.push_back(inputs(questions[i]));
      places.push_back(i);
    }
  }
  const Predict predict(signature(""), {.own_adapter = adapter_},
                        {.max_tokens = options_.max_tokens});
  const auto predictions = predict.run_as(asked, records, call);

  const Field& answer = options_.signature.outputs[0];
  std::vector<Judgement> out(questions.size());
  for (std::size_t k = 0; k < places.size(); ++k) {
    Judgement& judgement = out[places[k]];
    if (!predictions[k]) {
      const Error& error = predictions[k].error();
      judgement.usage = {1, error.prompt_tokens, error.generated_tokens};
      miss(judgement, error);
      continue;
    }
    const bool says_first =
        predictions[k]->fields.text(answer.name) == answer.type.options().front();
    judgement.usage = predictions[k]->usage;
    const bool right = says_first == questions[places[k]].chosen_first;
    judgement.asked = {.log_odds = right ? 1.0 : -1.0, .is_choice = true};
    if (options_.reasoning) judgement.reasoning = predictions[k]->fields.text("reasoning");
  }
  return out;
}

std::vector<Judgement> Judge::judge_one_order(std::span<const Question> questions,
                                              const Call& call) const {
  return options_.judging == Judging::kGenerated ? generate(questions, call)
                                                 : score(questions, call);
}

std::vector<Judgement> Judge::judge(std::span<const Question> questions, const Call& call) const {
  if (questions.empty()) return {};
  if (!options_.both_orders) return judge_one_order(questions, call);
  std::vector<Question> both(questions.begin(), questions.end());
  both.insert(both.end(), questions.begin(), questions.end());
  for (std::size_t i = questions.size(); i < both.size(); ++i)
    both[i].chosen_first = !both[i].chosen_first;
  std::vector<Judgement> out = judge_one_order(both, call);
  for (std::size_t i = 0; i < questions.size(); ++i)
    out[i] = merge(out[i], out[questions.size() + i]);
  out.resize(questions.size());
  return out;
}

Signature default_judge_signature() {
  return Signature::parse(
             "conversation, first_completion, second_completion -> preference: "
             "Literal['First', 'Second']",
             "Say which of the two completions the human judge will prefer. Use whatever the "
             "conversation shows of the judge's taste; where it shows nothing, speculate: being "
             "wrong is fine. While reasoning, form one to three hypotheses about what this person "
             "prefers and who they are.")
      .describe("conversation", "The context leading up to the completions.")
      .describe("first_completion", "The first of the two completions to judge.")
      .describe("second_completion", "The second of the two completions to judge.");
}

}  // namespace theta

#include "modules/persona.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string_view>

#include "core/rng.hpp"

namespace theta {
namespace {

std::string published_block(const PastJudgement& judgement) {
  const PreferencePair& pair = *judgement.pair;
  const std::string rule(48, '=');
  const std::string& first = judgement.chosen_first ? pair.chosen : pair.rejected;
  const std::string& second = judgement.chosen_first ? pair.rejected : pair.chosen;
  std::string out = rule + "\n**Conversation**: " + pair.context + "\n===\n";
  out += "**Completion One (FIRST COMPLETION)**: «" + first + "»\n===\n";
  out += "**Completion Two (SECOND COMPLETION)**: «" + second + "»\n===\n";
  if (!judgement.reasoning.empty()) out += "**Reasoning**: «" + judgement.reasoning + "»\n===\n";
  out += std::string("**TRUE USER PREFERENCE**: ") + (judgement.chosen_first ? "First" : "Second");
  return out + "\n" + rule;
}

std::string brief_block(const PastJudgement& judgement) {
  const PreferencePair& pair = *judgement.pair;
  std::string out = pair.context.empty() ? "" : "About: " + pair.context + "\n";
  out += "Chosen: " + pair.chosen + "\nRejected: " + pair.rejected;
  if (!judgement.reasoning.empty()) out += "\nWhy: " + judgement.reasoning;
  return out;
}

/// log(1 / (1 + exp(-x))) without overflow.
double log_sigmoid(double x) {
  return x > 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
}

/// The text up to the end of its first clause, where small models begin to ramble.
std::string first_clause(const std::string& text) {
  const auto end = text.find_first_of(".,;:!?(");
  const auto last = text.find_last_not_of(' ', end == std::string::npos ? end : end - 1);
  return end == 0 || last == std::string::npos ? "" : text.substr(0, last + 1);
}

std::size_t count_words(const std::string& text) {
  std::istringstream in(text);
  std::string word;
  std::size_t n = 0;
  while (in >> word) ++n;
  return n;
}

}  // namespace

Signature persona_signature() {
  return Signature::parse(
             "past_judgements -> synthesized_persona",
             "Given user judgements on prior conversations, build a concise persona of the "
             "user: their preferences and anything known about them.")
      .describe("past_judgements", "User judgements on prior conversations alongside reasoning.")
      .describe("synthesized_persona", "A persona of the user that can inform future judgements.");
}

std::string format_history(std::span<const PastJudgement> judgements, HistoryStyle style) {
  std::string out;
  for (const PastJudgement& judgement : judgements) {
    if (!out.empty()) out += style == HistoryStyle::kPublished ? "\n\n" : "\n";
    out += style == HistoryStyle::kPublished ? published_block(judgement)
           : style == HistoryStyle::kBrief   ? brief_block(judgement)
                                             : judgement.pair->chosen;
  }
  return out;
}

std::string format_history(std::span<const PreferencePair> pairs, HistoryStyle style) {
  std::vector<PastJudgement> judgements;
  judgements.reserve(pairs.size());
  for (const PreferencePair& pair : pairs) judgements.push_back({&pair, pair.flip, ""});
  return format_history(judgements, style);
}

Result<std::string> history_of(const Judge& judge, const User& user, HistoryStyle style,
                               const Call& call) {
  if (style != HistoryStyle::kPublished || !judge.options().reasoning)
    return format_history(user.context, style);
  std::vector<Question> questions;
  for (const PreferencePair& pair : user.context) questions.push_back({&pair, pair.flip, "", {}});
  const auto judgements = judge.judge(questions, call);
  std::vector<PastJudgement> past;
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    if (judgements[i].status == Outcome::Status::kFailed)
      return Error{Fault::kService, judgements[i].error};
    past.push_back({questions[i].pair, questions[i].chosen_first,
                    std::string(judgements[i].verified_reasoning())});
  }
  return format_history(past, style);
}

Result<WrittenPersonas> write_personas(const Module& theta, const std::string& id,
                                       const std::string& history, const PersonaWriting& writing,
                                       const Call& call) {
  require(writing.samples > 0, "at least one persona is written");
  const Signature& signature = theta.predictors().at(0)->signature;
  const std::string& output = signature.outputs.back().name;
  Record inputs;
  inputs.set(signature.inputs.at(0).name, history);
  Call sampled = call;
  sampled.rollout = derive_seed(writing.seed, id);
  sampled.temperature = writing.samples == 1 ? 0 : writing.temperature;
  const std::vector<Record> batch(static_cast<std::size_t>(writing.samples), inputs);
  WrittenPersonas out;
  const auto leave_out = [&](std::size_t& count, const std::string& why) {
    ++count;
    if (out.why.empty()) out.why = why;
  };
  for (const auto& prediction : theta.run(batch, sampled)) {
    if (!prediction) {
      const Error& error = prediction.error();
      leave_out(error.fault == Fault::kService   ? out.failed
                : error.fault == Fault::kRefused ? out.refused
                                                 : out.unparsable,
                error.message);
      continue;
    }
    std::string persona = prediction->fields.text(output);
    if (writing.max_words > 0) persona = first_clause(persona);
    const std::size_t words = count_words(persona);
    if (words == 0) {
      leave_out(out.not_fit, "an empty persona");
    } else if (writing.max_words > 0 && words > writing.max_words) {
      leave_out(out.not_fit, "a persona of more than " + std::to_string(writing.max_words) +
                                 " words: " + persona);
    } else if (std::ranges::find(out.personas, persona) != out.personas.end()) {
      ++out.repeated;
    } else {
      out.personas.push_back(std::move(persona));
    }
  }
  if (out.failed > 0 && out.personas.empty()) return Error{Fault::kService, out.why};
  return out;
}

Result<Verified> verify_personas(const Judge& judge, std::span<const PreferencePair> pairs,
                                 std::span<const std::string> personas,
                                 std::span<const double> contrasts, const Call& call) {
  require(!pairs.empty() && !personas.empty() && !contrasts.empty(),
          "personas are verified on pairs, with a contrast");
  std::vector<Question> questions;
  for (const PreferencePair& pair : pairs)
    for (const std::string& persona : personas)
      questions.push_back({&pair, pair.flip, persona, nullptr});
  auto judgements = judge.judge(questions, call);

  Verified out;
  std::vector<std::span<Judgement>> compared;  // of the pairs that count, one a persona
  std::vector<std::size_t> places;             // of those among the pairs
  std::string lost;
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    const auto of_pair = std::span(judgements).subspan(p * personas.size(), personas.size());
    bool whole = true, choices = false;
    for (const Judgement& judgement : of_pair) {
      ++out.judged;
      out.named += judgement.named;
      out.no_contrast += !judgement.no_contrast.empty();
      choices = choices || judgement.is_choice();
      if (judgement.status != Outcome::Status::kFailed) continue;
      whole = false;
      if (lost.empty()) lost = judgement.error;
    }
    if (!whole) continue;
    if (choices)
      for (Judgement& judgement : of_pair) judgement.to_choice();
    compared.push_back(of_pair);
    places.push_back(p);
  }
  if (compared.empty()) return Error{Fault::kService, lost};

  for (std::size_t k = 0; k < personas.size(); ++k) {
    Verification best{0, -std::numeric_limits<double>::infinity()};
    for (const double contrast : contrasts) {
      double sum = 0;
      for (const auto& of_pair : compared) sum += log_sigmoid(of_pair[k].margin(contrast));
      const double fit = sum / static_cast<double>(compared.size());
      if (fit > best.fit) best = {contrast, fit};
    }
    if (judge.options().reasoning) {
      best.reasoning.resize(pairs.size());
      for (std::size_t i = 0; i < compared.size(); ++i)
        best.reasoning[places[i]] = compared[i][k].verified_reasoning();
    }
    out.each.push_back(std::move(best));
  }
  return out;
}

}  // namespace theta

#include "modules/persona.hpp"

#include <algorithm>
#include <cmath>
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

std::vector<std::string> write_personas(const Module& theta, const User& user,
                                        const PersonaWriting& writing, const Call& call) {
  require(writing.samples > 0, "at least one persona is written");
  const Signature& signature = theta.predictors().at(0)->signature;
  const std::string& output = signature.outputs.back().name;
  Record inputs;
  inputs.set(signature.inputs.at(0).name, format_history(user.context, writing.style));
  Call sampled = call;
  sampled.rollout = derive_seed(writing.seed, user.id);
  sampled.temperature = writing.samples == 1 ? 0 : writing.temperature;
  const std::vector<Record> batch(static_cast<std::size_t>(writing.samples), inputs);
  std::vector<std::string> personas;
  std::size_t failed = 0;
  for (const auto& prediction : theta.run(batch, sampled)) {
    if (!prediction) {
      failed += prediction.error().fault == Fault::kService ? 1 : 0;
      if (failed == batch.size())
        throw RunError("no persona could be written for " + user.id + ": " +
                       prediction.error().message);
      continue;
    }
    std::string persona = prediction->fields.text(output);
    if (writing.max_words > 0) {
      persona = first_clause(persona);
      if (count_words(persona) > writing.max_words) continue;
    }
    if (!persona.empty() && std::ranges::find(personas, persona) == personas.end())
      personas.push_back(std::move(persona));
  }
  return personas;
}

std::vector<Verification> verify_personas(const Judge& judge, std::span<const PreferencePair> pairs,
                                          std::span<const std::string> personas,
                                          std::span<const double> contrasts, const Call& call) {
  require(!pairs.empty() && !contrasts.empty(), "personas are verified on pairs, with a contrast");
  std::vector<Question> questions;
  for (const PreferencePair& pair : pairs)
    for (const std::string& persona : personas)
      questions.push_back({&pair, pair.flip, persona, nullptr});
  const auto judgements = judge.judge(questions, call);
  std::vector<Verification> out;
  for (std::size_t k = 0; k < personas.size(); ++k) {
    Verification best{0, -std::numeric_limits<double>::infinity()};
    for (const double contrast : contrasts) {
      double sum = 0, count = 0;
      for (std::size_t i = 0; i < judgements.size(); ++i) {
        if (i % personas.size() != k) continue;
        if (judgements[i].status == Outcome::Status::kFailed) continue;
        sum += log_sigmoid(judgements[i].margin(contrast));
        ++count;
      }
      if (count > 0 && sum / count > best.fit) best = {contrast, sum / count};
    }
    out.push_back(best);
  }
  return out;
}

}  // namespace theta

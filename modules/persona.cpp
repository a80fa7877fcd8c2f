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

/// What the samples for one person come to.
Result<WrittenPersonas> written(std::span<const Result<Prediction>> samples,
                                const std::string& output, std::size_t max_words) {
  WrittenPersonas out;
  const auto leave_out = [&](std::size_t& count, const std::string& why) {
    ++count;
    if (out.why.empty()) out.why = why;
  };
  for (const auto& sample : samples) {
    out.usage += usage_of(sample);
    if (!sample) {
      const Error& error = sample.error();
      leave_out(error.fault == Fault::kService   ? out.failed
                : error.fault == Fault::kRefused ? out.refused
                                                 : out.unparsable,
                error.message);
      continue;
    }
    std::string persona = sample->fields.text(output);
    if (max_words > 0) persona = first_clause(persona);
    const std::size_t words = count_words(persona);
    if (words == 0) {
      leave_out(out.not_fit, "an empty persona");
    } else if (max_words > 0 && words > max_words) {
      leave_out(out.not_fit,
                "a persona of more than " + std::to_string(max_words) + " words: " + persona);
    } else if (std::ranges::find(out.personas, persona) != out.personas.end()) {
      ++out.repeated;
    } else {
      out.outputs.push_back(sample->fields);
      out.outputs.back().set(output, persona);
      out.personas.push_back(std::move(persona));
    }
  }
  if (out.failed > 0 && out.personas.empty()) return Error{Fault::kService, out.why};
  return out;
}

/// How well a person's choices are explained by personas under which they were judged.
/// @param judgements  of every pair in turn, one a persona
Result<Verified> verified(const PersonaTest& test, std::span<Judgement> judgements,
                          std::span<const double> contrasts, bool reasoning) {
  const std::size_t n = test.personas.size();
  Verified out;
  std::vector<std::span<Judgement>> compared;  // of the pairs that count, one a persona
  std::vector<std::size_t> places;             // of those among the pairs
  std::string lost;
  for (std::size_t p = 0; p < test.pairs.size(); ++p) {
    const auto of_pair = judgements.subspan(p * n, n);
    bool whole = true, choices = false;
    for (const Judgement& judgement : of_pair) {
      ++out.judged;
      out.named += judgement.named;
      out.no_contrast += !judgement.no_contrast.empty();
      out.usage += judgement.usage;
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

  for (std::size_t k = 0; k < n; ++k) {
    Verification best{0, -std::numeric_limits<double>::infinity()};
    for (const double contrast : contrasts) {
      double sum = 0;
      for (const auto& of_pair : compared) sum += log_sigmoid(of_pair[k].margin(contrast));
      const double fit = sum / static_cast<double>(compared.size());
      if (fit > best.fit) best = {contrast, fit};
    }
    if (reasoning) {
      best.reasoning.resize(test.pairs.size());
      for (std::size_t i = 0; i < compared.size(); ++i)
        best.reasoning[places[i]] = compared[i][k].verified_reasoning();
    }
    out.each.push_back(std::move(best));
  }
  return out;
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

std::vector<Result<UserHistory>> histories_of(const Judge& judge,
                                              std::span<const User* const> users,
                                              const PersonaWriting& writing, const Call& call) {
  std::vector<Result<UserHistory>> out;
  if (!writing.reasoning) {
    for (const User* user : users)
      out.emplace_back(UserHistory{user->id, format_history(user->context, writing.style)});
    return out;
  }
  std::vector<Question> questions;
  for (const User* user : users)
    for (const PreferencePair& pair : user->context)
      questions.push_back({&pair, pair.flip, "", {}});
  const auto judgements = judge.tracer().judge(questions, call);
  std::size_t next = 0;
  for (const User* user : users) {
    std::vector<PastJudgement> past;
    Usage usage;
    const Judgement* lost = nullptr;
    for (std::size_t i = 0; i < user->context.size(); ++i, ++next) {
      const Judgement& judgement = judgements[next];
      usage += judgement.usage;
      if (judgement.status == Outcome::Status::kFailed && !lost) lost = &judgement;
      past.push_back({questions[next].pair, questions[next].chosen_first,
                      std::string(judgement.verified_reasoning())});
    }
    if (lost)
      out.emplace_back(Error{Fault::kService, lost->error});
    else
      out.emplace_back(UserHistory{user->id, format_history(past, writing.style), usage});
  }
  return out;
}

std::vector<Result<WrittenPersonas>> write_personas(const Predict& theta,
                                                    std::span<const UserHistory> histories,
                                                    const PersonaWriting& writing,
                                                    const Call& call) {
  require(writing.samples > 0, "at least one persona is written");
  const auto samples = static_cast<std::size_t>(writing.samples);
  const Signature& signature = theta.signature();
  Call sampled = call;
  if (call.temperature < 0) sampled.temperature = samples == 1 ? 0 : writing.temperature;
  std::vector<Record> wave;
  std::vector<std::uint64_t> seeds;
  for (const UserHistory& history : histories) {
    const std::uint64_t own = derive_seed(writing.seed, history.user);
    for (std::size_t k = 0; k < samples; ++k) {
      wave.push_back({{signature.inputs.at(0).name, history.text}});
      seeds.push_back(derive_seed(call.rollout == 0 ? own : derive_seed(own, call.rollout), k));
    }
  }
  const auto answers = theta.run(wave, sampled, seeds);
  std::vector<Result<WrittenPersonas>> out;
  for (std::size_t i = 0; i < histories.size(); ++i)
    out.push_back(written(std::span(answers).subspan(i * samples, samples),
                          signature.outputs.back().name, writing.max_words));
  return out;
}

std::vector<std::string> write_opposites(std::span<const std::string> personas,
                                         const Format& format, const PredictOptions& options,
                                         std::size_t max_words, const Call& call) {
  const Predict opposite(
      Signature::parse("persona -> opposite",
                       "Write the persona of a reader who prefers the very opposite."),
      format, options);
  std::vector<UserHistory> described;
  for (const std::string& persona : personas) described.push_back({.user = {}, .text = persona});
  std::vector<std::string> opposites;
  for (auto& written : write_personas(opposite, described, {.max_words = max_words}, call))
    for (std::string& one : written ? written->personas : std::vector<std::string>{})
      if (std::ranges::find(personas, one) == personas.end() &&
          std::ranges::find(opposites, one) == opposites.end())
        opposites.push_back(std::move(one));
  return opposites;
}

std::vector<Result<Verified>> verify_personas(const Judge& judge,
                                              std::span<const PersonaTest> tests,
                                              std::span<const double> contrasts, const Call& call) {
  require(!contrasts.empty(), "personas are verified with a contrast");
  std::vector<Question> questions;
  for (const auto& [pairs, personas] : tests) {
    require(!pairs.empty() && !personas.empty(), "personas are verified on pairs");
    for (const PreferencePair& pair : pairs)
      for (const std::string& persona : personas)
        questions.push_back({&pair, pair.flip, persona, nullptr});
  }
  auto judgements = judge.judge(questions, call);
  std::vector<Result<Verified>> out;
  std::span<Judgement> rest = judgements;
  for (const PersonaTest& test : tests) {
    const std::size_t n = test.pairs.size() * test.personas.size();
    out.push_back(verified(test, rest.first(n), contrasts, judge.options().reasoning));
    rest = rest.subspan(n);
  }
  return out;
}

}  // namespace theta

#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/records/store.hpp"
#include "modules/adapter.hpp"
#include "modules/module.hpp"
#include "modules/preference.hpp"

namespace theta {

/// How a judge comes to its answer.
enum class Judging {
  kGenerated,  ///< the model writes the answer (behind its reasoning, if asked for)
  kScored,     ///< log P(first) - log P(second) is read off; nothing is generated
  /// Scored, less the log-odds of the same judge without persona and demos on the same pair and
  /// order: a small judge's own taste and its love of one position drop out.
  kContrast
};

/// Where the persona stands in the prompt.
enum class PersonaPlace {
  kBehindPair,  ///< an input field after the pair, so that many personas share the pair's prefix
  kInstruction  ///< in the instruction, as SynthesizeMe's published judge has it
};

struct JudgeOptions {
  /// The judge without a persona. Inputs by position: [context,] first text, second text; the last
  /// output has two options: the answer for the first and for the second text.
  Signature signature;
  /// The instruction of the judge with a persona; empty: the same as without.
  std::string persona_instructions;
  Field persona = make_field("persona");
  PersonaPlace place = PersonaPlace::kBehindPair;
  Judging judging = Judging::kContrast;
  bool reasoning = false;  ///< generated only: a chain of thought before the answer
  /// Every question is asked with the pair in both orders and their log-odds are averaged, so that
  /// the love of one position drops out of the verdict. Costs twice as much.
  bool both_orders = false;
  int max_tokens = 256;
};

/// One question: which of the pair would this person choose?
struct Question {
  const PreferencePair* pair = nullptr;
  bool chosen_first = true;  ///< the order in which the pair is shown
  std::string persona;       ///< empty: the judge without a persona
  const std::vector<Demo>* demos = nullptr;
};

/// What the judge says of a pair in one order: log-odds, or a choice alone, which has no unit in
/// common with them. Choices stand beside choices only.
struct Verdict {
  /// In favour of the text that the person chose: nats where options were scored; of a choice +-1,
  /// 0 on a tie.
  double log_odds = 0;
  bool is_choice = false;  ///< generated, or named where it was to be scored
  /// kContrast: the nats without persona and demos; none where there are none to take away.
  std::optional<double> plain = {};

  /// In favour of the chosen text, less `contrast` times what the judge says without a persona.
  double margin(double contrast) const { return log_odds - contrast * plain.value_or(0); }
  /// Leaves of it which text is chosen, without contrast.
  void to_choice();
};

struct Judgement {
  Outcome::Status status = Outcome::Status::kScored;
  Verdict asked = {};                  ///< with the pair in the order of the question
  std::optional<Verdict> turned = {};  ///< and in the other, where the judge asks both
  std::string reasoning = {};          ///< where asked for: of the order of the question
  std::string error = {};              ///< why it failed or could not be parsed
  /// An option was named where it was to be scored: here, in the other order, or in the question
  /// that it is compared with.
  bool named = false;
  /// kContrast: why nothing is taken away and the plain choice counts; empty: contrast holds.
  std::string no_contrast = {};
  Usage usage = {};  ///< what this judgement took: the question, and the one it is compared with

  /// In favour of the chosen text; the mean of both orders where both were asked: of log-odds that
  /// are both compared, or both not; or, where one of them is a choice, of choices.
  double margin(double contrast) const {
    const double one = asked.margin(contrast);
    return turned ? (one + turned->margin(contrast)) / 2 : one;
  }
  /// P(the text that the person chose) by the judge; 0 without an answer.
  double probability(double contrast = 1) const {
    return status == Outcome::Status::kScored ? 1 / (1 + std::exp(-margin(contrast))) : 0;
  }
  /// 1: the judge agrees with the person; 0.5 on a tie; 0 without an answer.
  double score(double contrast = 1) const {
    const double x = margin(contrast);
    if (status != Outcome::Status::kScored) return 0;
    return x > 0 ? 1.0 : x < 0 ? 0.0 : 0.5;
  }
  bool is_choice() const { return asked.is_choice; }
  /// How much the judge agrees with the person, whatever it says: probability(), of a plain choice
  /// score().
  double agreement(double contrast) const {
    return is_choice() ? score(contrast) : probability(contrast);
  }
  /// Leaves of it which text is chosen in each order, without contrast: to stand beside choices.
  void to_choice();
  /// The reasoning that led to the person's choice in the order of the question; empty if none did.
  std::string_view verified_reasoning() const;
};

/// The service's fault, or the prompt's, that a judgement without an answer stands for.
Error error_of(const Judgement& judgement);

/// log P of a judge's choice for this margin: log(1 / (1 + exp(-margin))), without overflow.
double log_sigmoid(double margin);

/// Predicts a person's choice between two texts. SynthesizeMe's judge (arXiv 2506.05598, section
/// 3), with options scored instead of generated where the model is too small to answer freely.
/// Thread-safe.
class Judge {
 public:
  /// @throws UserError if the signature is not of the form that JudgeOptions asks for.
  Judge(JudgeOptions options, std::shared_ptr<const Adapter> adapter);

  /// Answers all questions as one wave, in their order. In contrast mode the question without
  /// persona is asked along with them, once a pair and order. Where that is named or refused, or
  /// the question itself is named, the plain choice counts, and the judgement says so. An outage of
  /// either is one of the judgement.
  std::vector<Judgement> judge(std::span<const Question> questions, const Call& call) const;

  /// What an optimiser may rewrite: the judge with a persona, whose demos stand before a question's
  /// own. The judge without persona, whose answers contrast takes away, has no demos, and the same
  /// instruction unless JudgeOptions::persona_instructions are given.
  Predictor& predictor() { return predictor_; }
  const Predictor& predictor() const { return predictor_; }

  /// What a question shows.
  Record inputs(const Question& question) const;
  /// The pair that a record shows, as if its first text had been chosen.
  /// @throws UserError if a field of the signature is missing.
  PreferencePair pair_of(const Record& fields) const;
  /// A pair as a worked example under the judge's signature: the texts, and which was chosen.
  Demo demo(const PreferencePair& pair, bool chosen_first, const std::string& persona,
            const std::string& reasoning = "") const;

  const JudgeOptions& options() const { return options_; }
  /// The same judge made to write its answer behind a reasoning, in one order: whose reasoning shows
  /// Θ why a person chose.
  Judge tracer() const;

 private:
  Signature signature(const std::string& persona) const;
  std::vector<Demo> demos(const Question& question) const;
  Request request(const Signature& asked, std::span<const Demo> demos, const Record& inputs) const;
  std::vector<Judgement> generate(std::span<const Question> questions, const Call& call) const;
  std::vector<Judgement> score(std::span<const Question> questions, const Call& call) const;
  std::vector<Judgement> judge_one_order(std::span<const Question> questions,
                                         const Call& call) const;

  JudgeOptions options_;
  std::shared_ptr<const Adapter> adapter_;
  Predictor predictor_;
};

/// SynthesizeMe's default judge: conversation, first_completion, second_completion -> preference.
Signature default_judge_signature();

}  // namespace theta

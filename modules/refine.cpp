#include "modules/refine.hpp"

#include <optional>
#include <utility>

#include "core/rng.hpp"

namespace theta {

/// How one input stands.
struct Refine::Row {
  std::optional<Result<Prediction>> best;
  double score = 0;  ///< of the best
  Usage usage;       ///< of all attempts
  std::string last_answer, advice;
  bool done = false;
};

Refine::Refine(Predict predict, Critic critic, std::size_t attempts, double enough)
    : predict_(std::move(predict)),
      critic_(std::move(critic)),
      attempts_(attempts),
      enough_(enough) {
  if (attempts_ == 0 || !critic_) throw UserError("Refine has an attempt and a critic");
}

std::vector<Result<Prediction>> Refine::run(std::span<const Record> inputs,
                                            const Call& call) const {
  Predict again = predict_;
  Signature& shown = again.predictors().front()->signature;
  shown = shown.append_input(make_field("last_answer")).append_input(make_field("advice"));
  std::vector<Row> rows(inputs.size());
  for (std::size_t attempt = 0; attempt < attempts_; ++attempt) {
    std::vector<Record> wave;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].done) continue;
      asked.push_back(i);
      wave.push_back(inputs[i]);
      if (attempt == 0) continue;
      wave.back().set("last_answer", rows[i].last_answer);
      wave.back().set("advice", rows[i].advice);
    }
    Call next = call;
    if (attempt > 0) next.rollout = derive_seed(call.rollout, attempt);
    auto made = (attempt == 0 ? predict_ : again).run(wave, next);
    for (std::size_t k = 0; k < asked.size(); ++k)
      hear(rows[asked[k]], inputs[asked[k]], std::move(made[k]));
  }
  std::vector<Result<Prediction>> predictions;
  for (Row& row : rows) {
    set_usage(*row.best, row.usage);
    predictions.push_back(*std::move(row.best));
  }
  return predictions;
}

void Refine::hear(Row& row, const Record& inputs, Result<Prediction> made) const {
  row.usage += usage_of(made);
  const bool lost = !made && made.error().fault == Fault::kService;
  Grade grade{0, made ? "" : "The answer could not be read: " + made.error().message};
  if (made) grade = critic_(inputs, *made);
  row.last_answer = made ? to_text(std::prev(made->fields.end())->second) : "";
  row.advice = grade.feedback;
  if (made) {  // the predictor is tuned on its own inputs
    Record& read = made->trace.front().inputs;
    Record own;
    for (const Field& field : predict_.signature().inputs) own.set(field.name, read.at(field.name));
    read = std::move(own);
  }
  if (lost || !row.best || (made && (!*row.best || grade.score > row.score))) {
    row.score = grade.score;
    row.best = std::move(made);
  }
  row.done = lost || (*row.best && row.score >= enough_);
}

}  // namespace theta

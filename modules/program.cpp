#include "modules/program.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "core/rng.hpp"

namespace theta {
namespace {

std::vector<std::string> names_of(const Record& fields) {
  std::vector<std::string> names;
  for (const auto& [name, value] : fields) names.push_back(name);
  return names;
}

bool holds(const std::vector<Field>& fields, const std::string& name) {
  return std::ranges::find(fields, name, &Field::name) != fields.end();
}

}  // namespace

StepId Program::add(std::unique_ptr<Module> step, std::string name) {
  const auto mine = step->predictors();
  if (mine.empty()) throw UserError("a step of a program has a predictor; this one has none");
  if (name.empty()) name = mine.back()->signature.outputs.back().name;
  if (std::ranges::find(steps_, name, &Step::name) != steps_.end())
    throw UserError(fmt::format(
        "two steps of a program are named `{}`: give one a name of its own, add(step, \"NAME\")",
        name));
  auto all = predictors();
  const std::size_t first = all.size();
  for (Predictor* predictor : mine) {
    const std::string path = step->is_bare() ? name : name + "." + predictor->name;
    if (std::ranges::find(all, path, &Predictor::name) != all.end())
      throw UserError(
          fmt::format("two predictors of a program are named `{}`: give each a name of its own, "
                      "Predict(signature, adapter, options, \"NAME\")",
                      path));
    predictor->name = path;
    all.push_back(predictor);
  }
  steps_.push_back({std::move(name), std::move(step), first});
  return {steps_.size() - 1};
}

void Program::set_model(StepId step, LanguageModel& model) { steps_.at(step.index).model = &model; }

std::vector<Field> Program::inputs() const {
  std::vector<Field> wanted, given;
  for (const Step& step : steps_)
    for (const Predictor* predictor : std::as_const(*step.module).predictors()) {
      const Signature& signature = predictor->signature;
      for (const Field& field : signature.inputs)
        if (!holds(given, field.name) && !holds(wanted, field.name)) wanted.push_back(field);
      given.insert(given.end(), signature.outputs.begin(), signature.outputs.end());
    }
  return wanted;
}

std::vector<Result<Prediction>> Program::run(std::span<const Record> records,
                                             const Call& call) const {
  if (steps_.empty()) throw UserError("a program has a step: add() one");
  const std::vector<Field> wanted = inputs();
  std::vector<Field> written;
  for (const Predictor* predictor : static_cast<const Module&>(*this).predictors())
    for (const Field& field : predictor->signature.outputs) written.push_back(field);

  Batch::Run run{*this, call, std::vector<Batch::Row>(records.size())};
  Batch batch(run);
  for (std::size_t i = 0; i < records.size(); ++i) {
    batch.rows_.push_back(&run.rows[i]);
    for (const auto& [name, value] : records[i])
      if (holds(wanted, name) || !holds(written, name)) run.rows[i].fields.set(name, value);
  }
  if (forward) {
    forward(batch);
  } else {
    for (std::size_t i = 0; i < steps_.size(); ++i) batch.run({i});
  }
  std::vector<Result<Prediction>> predictions;
  for (auto& row : run.rows) {
    if (row.error)
      predictions.emplace_back(*std::move(row.error));
    else
      predictions.emplace_back(std::move(row.prediction));
  }
  return predictions;
}

std::vector<Predictor*> Program::predictors() {
  std::vector<Predictor*> all;
  for (const Step& step : steps_)
    for (Predictor* predictor : step.module->predictors()) all.push_back(predictor);
  return all;
}

std::unique_ptr<Module> Program::clone() const {
  auto copy = std::make_unique<Program>();
  copy->forward = forward;
  for (const auto& [name, module, first_predictor, model] : steps_)
    copy->steps_.push_back({name, module->clone(), first_predictor, model});
  return copy;
}

void Batch::run(StepId id) {
  if (id.index >= run_.program.steps_.size())
    throw UserError("a batch runs the steps of its own program");
  const auto& [name, module, first_predictor, model] = run_.program.steps_[id.index];
  const Signature& signature = std::as_const(*module).predictors().front()->signature;
  std::vector<Row*> asked;
  std::vector<Record> inputs;
  for (Row* row : rows_) {
    if (row->error) continue;
    for (const Field& field : signature.inputs)
      if (!row->fields.find(field.name))
        throw UserError(
            fmt::format("step `{}` reads `{}`, which neither the data nor a step before it gives; "
                        "there are {}",
                        name, field.name, fmt::join(names_of(row->fields), ", ")));
    asked.push_back(row);
    inputs.push_back(row->fields);
  }
  if (asked.empty()) return;
  const Call call{.model = model ? *model : run_.call.model,
                  .stop = run_.call.stop,
                  .rollout = derive_seed(run_.call.rollout, run_.waves++),  // waves draw apart
                  .temperature = run_.call.temperature};
  auto answers = module->run(inputs, call);
  require(answers.size() == asked.size(), "a step answers every input");
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (answers[i]) {
      take(*asked[i], *std::move(answers[i]), first_predictor);
      continue;
    }
    Usage usage = asked[i]->prediction.usage;
    usage += usage_of(answers[i]);
    set_usage(answers[i], usage);
    asked[i]->error = std::move(answers[i].error());
    asked[i]->error->message = name + ": " + asked[i]->error->message;
  }
}

void Batch::take(Row& row, Prediction made, std::size_t first_predictor) {
  Prediction& all = row.prediction;
  for (const auto& [name, value] : made.fields) {
    row.fields.set(name, value);
    all.fields.set(name, value);
  }
  for (auto& step : made.trace) {
    step.predictor += first_predictor;
    all.trace.push_back(std::move(step));
  }
  all.usage += made.usage;
  if (!made.option_logprobs.empty()) all.option_logprobs = std::move(made.option_logprobs);
  all.truncated = made.truncated;
  all.named = all.named || made.named;
  if (!made.note.empty()) all.note = std::move(made.note);
}

Batch Batch::where(const std::function<bool(const Record&)>& wanted) const {
  Batch some(run_);
  std::ranges::copy_if(rows_, std::back_inserter(some.rows_),
                       [&](const Row* row) { return !row->error && wanted(row->fields); });
  return some;
}

void Batch::set(std::size_t row, const std::string& name, const Value& value) {
  rows_.at(row)->fields.set(name, value);
  rows_.at(row)->prediction.fields.set(name, value);
}

}  // namespace theta

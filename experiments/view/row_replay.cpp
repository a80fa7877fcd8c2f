#include "experiments/view/row_replay.hpp"

#include <algorithm>
#include <utility>

#include "core/config.hpp"
#include "core/log.hpp"
#include "experiments/data/dataset_file.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/row_prompt.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/types.hpp"
#include "modules/program_state.hpp"

namespace theta::view {
namespace {

/// A model that knows what a record holds, and nothing else.
class Remembered final : public LanguageModel {
 public:
  Remembered(KeptAnswers& answers, std::vector<Exchange>* heard)
      : answers_(answers), heard_(heard) {}

  std::string identity() const override { return "a run's record"; }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token /*stop*/) override {
    auto kept = answers_.to({wave.begin(), wave.end()});
    for (std::size_t i = 0; i < wave.size(); ++i) {
      on_answer(i, kept[i].empty() ? Error{Fault::kService, "the record holds no answer"}
                                   : kept[i].front().answer);
      if (heard_ != nullptr) heard_->push_back({wave[i], std::move(kept[i])});
    }
  }
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request&) const override { return std::nullopt; }
  HostCounters counters() const override { return {}; }

 private:
  KeptAnswers& answers_;
  std::vector<Exchange>* heard_;
};

}  // namespace

RowReplay::RowReplay(const Store& store, KeptAnswers& answers, const std::vector<Example>& rows,
                     const std::string& method, const std::string& model)
    : answers_(answers), rows_(rows) {
  const auto state = row_prompt(store, method, model);
  if (!state)
    throw UserError("the record keeps no prompt of this row, which would say what it asked");
  const Config block = Config::parse(*state, "the record").literal().at("metadata").at("theta");
  ProgramOptions options = read_program(block.at("program"), read_types(block));
  for (StepOptions& step : options.steps) {
    step.model.clear();  // whoever answered is in the record
    sampled_ |= step.predict.temperature > 0;
    calibrates_ |= step.format.calibration != Calibration::kNone;
  }
  program_ = make_program(options);
  load_state(*program_, *state, "the record");
}

/// @param changed  the item whose texts are other ones
std::vector<Result<Prediction>> RowReplay::run(const std::vector<std::size_t>& items,
                                               LanguageModel& model,
                                               std::optional<std::size_t> changed) const {
  std::vector<Record> inputs;
  const auto add = [&](std::size_t item) {
    Record& input = inputs.emplace_back(rows_[item].fields);
    if (item != changed) return;
    for (const auto& [name, value] : rows_[item].fields)
      if (std::holds_alternative<std::string>(value)) input.set(name, to_text(value) + ".");
  };
  if (!sampled_) {
    for (const std::size_t item : items) add(item);
    return program_->run(inputs, {.model = model});
  }
  for (std::size_t item = 0; item < rows_.size(); ++item) add(item);
  auto all = program_->run(inputs, {.model = model});
  std::vector<Result<Prediction>> own;
  for (const std::size_t item : items) own.push_back(std::move(all.at(item)));
  return own;
}

std::vector<Result<std::string>> RowReplay::answers(const std::vector<std::size_t>& items) const {
  Remembered model(answers_, nullptr);
  const std::string& answer = program_->predictors().back()->signature.outputs.back().name;
  std::vector<Result<std::string>> out;
  for (const auto& prediction : run(items, model)) {
    if (prediction)
      out.emplace_back(prediction->fields.text(answer));
    else
      out.emplace_back(prediction.error());
  }
  return out;
}

std::vector<Exchange> RowReplay::exchanges(std::size_t item) const {
  std::vector<Exchange> heard;
  Remembered model(answers_, &heard);
  (void)run({item}, model);
  if (!sampled_ && !calibrates_) return heard;
  // What is asked whatever the item is does not change with it.
  std::vector<Exchange> beside;
  Remembered again(answers_, &beside);
  (void)run({item}, again, item);
  for (Exchange& exchange : heard)
    exchange.calibrates =
        std::ranges::find(beside, exchange.request, &Exchange::request) != beside.end();
  if (sampled_) std::erase_if(heard, [](const Exchange& one) { return one.calibrates; });
  return heard;
}

std::vector<Example> test_rows(const Store& store) {
  const Silence quiet;
  const Config config =
      Config::parse(get(store, part::kConfig), "the run's config").without_environment();
  const ExperimentOptions options = read_experiment(config);
  const auto* program = std::get_if<ProgramExperiment>(&options.experiment);
  if (program == nullptr) throw UserError("this is a run on people");
  const std::string then = get(store, part::kDataHash);
  if (!then.empty() && then != options.data_hash)
    throw UserError("the data are others than the run read");
  return load_dataset(program->data, program->program.data_signature()).test;
}

}  // namespace theta::view

#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modules/module.hpp"

namespace theta {

/// A step of a Program: what add() gives and Batch::run() takes.
struct StepId {
  std::size_t index = 0;
};

class Batch;

/// A program of several steps, each a module: Predict, ChainOfThought, Samples, one of your own.
///
///     Program program;
///     const StepId notes = program.add(Predict("review -> notes: list[str]"));
///     const StepId verdict = program.add(ChainOfThought("review, notes -> verdict: bool"));
///     program.forward = [=](Batch& batch) { batch.run(notes); batch.run(verdict); };
///
/// A step finds its inputs by their names: among what the program was given, and what steps before
/// it gave. Branches and loops are plain C++ over the batch. Of the fields that the program is
/// given, those that a step is to write are labels and are not seen.
class Program final : public Module {
 public:
  /// @param name  what saved states, reports and `frozen` call the step: DSPy's attribute. By
  ///   default the name of its last output.
  /// @throws UserError if a step or predictor has that name already.
  StepId add(std::unique_ptr<Module> step, std::string name = "");
  template <std::derived_from<Module> T>
  StepId add(T step, std::string name = "") {
    return add(std::make_unique<T>(std::move(step)), std::move(name));
  }

  /// From here on the step asks `model`, whatever model a Call has. `model` outlives this.
  void set_model(StepId step, LanguageModel& model);

  /// Runs the steps that the rows of a batch need. Empty: every step once, in the order of add().
  /// May be called from several threads at once, each with a batch of its own.
  std::function<void(Batch&)> forward = {};

  /// The inputs of steps that no step before them gives: what the program is to be given.
  std::vector<Field> inputs() const;

  /// A prediction has the outputs of all steps that ran for its row, and what Batch::set() gave
  /// it; of one name the last. It is `named` if the output of some step was.
  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override;
  std::vector<Predictor*> predictors() override;
  std::unique_ptr<Module> clone() const override;

 private:
  friend class Batch;
  struct Step {
    std::string name;
    std::unique_ptr<Module> module;
    std::size_t first_predictor = 0;  ///< index of its first in predictors()
    LanguageModel* model = nullptr;   ///< null: the call's
  };

  std::vector<Step> steps_;
};

/// The rows that a program works on, with what is known of each: the fields so far, the trace, the
/// usage, and what went wrong. A row that failed takes no further part.
class Batch {
 public:
  /// Asks a step for all rows that have not failed, in one wave, and sets its outputs.
  /// @throws UserError naming the step and the input that a row does not have.
  void run(StepId step);

  /// The rows that have not failed and satisfy `wanted`: to go on with those alone. They are still
  /// rows of this batch.
  Batch where(const std::function<bool(const Record& fields)>& wanted) const;

  std::size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  bool failed(std::size_t row) const { return rows_.at(row)->error.has_value(); }
  /// What the row was given, and what its steps have written.
  const Record& fields(std::size_t row) const { return rows_.at(row)->fields; }
  /// Gives a row a field that no model wrote.
  void set(std::size_t row, const std::string& name, const Value& value);

 private:
  friend class Program;
  struct Row {
    Record fields;
    Prediction prediction;
    std::optional<Error> error;
  };
  /// One run of a program: what all parts of its batch share.
  struct Run {
    const Program& program;
    const Call& call;
    std::vector<Row> rows;
    std::size_t waves = 0;
  };
  explicit Batch(Run& run) : run_(run) {}

  static void take(Row& row, Prediction made, std::size_t first_predictor);

  Run& run_;
  std::vector<Row*> rows_;
};

}  // namespace theta

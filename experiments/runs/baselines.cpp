#include "experiments/runs/baselines.hpp"

#include <algorithm>
#include <utility>

#include "core/classifier.hpp"
#include "core/text_index.hpp"
#include "optimizers/training_rows.hpp"

namespace theta {
namespace {

constexpr std::size_t kMostRows = 2000;  ///< that classifiers are fitted on: they take the square

constexpr std::size_t kFolds = 5;

const std::vector<std::pair<std::string, Baseline>> kNames = {{"majority", Baseline::kMajority},
                                                              {"centroid", Baseline::kCentroid},
                                                              {"logistic", Baseline::kLogistic}};

/// The labelled rows of some examples, and the number of each one's label.
struct Labelled {
  TrainingRows rows;
  std::vector<std::size_t> labels;
};

Labelled labelled(std::span<const Example> examples, const Signature& signature) {
  Labelled all{TrainingRows(examples, signature), {}};
  const auto options = signature.outputs.back().type.options();
  for (const auto& answer : all.rows.answers)
    all.labels.push_back(
        static_cast<std::size_t>(std::ranges::find(options, answer) - options.begin()));
  return all;
}

std::size_t most_frequent(std::span<const std::size_t> labels, std::size_t classes) {
  std::vector<std::size_t> counts(classes);
  for (const auto label : labels) ++counts[label];
  return static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin());
}

/// Which rows are alike: the inner products of core/classifier.hpp.
struct Likeness {
  Eigen::MatrixXd among, with;  ///< (n x n), (m x n)
};

Likeness likeness(const std::optional<EmbedderOptions>& options,
                  std::span<const std::string> fitted, std::span<const std::string> asked,
                  RunContext& run) {
  // A dry run loads no model.
  const bool embeds = options && !run.models.made_up();
  const auto index =
      embeds ? embedding_index(fitted, make_embed(*options, run)) : word_index(fitted);
  return {index->cosines(fitted), index->cosines(asked)};
}

std::vector<std::size_t> classify(Baseline baseline, const Likeness& likeness,
                                  std::span<const std::size_t> labels, std::size_t classes) {
  const auto& [among, with] = likeness;
  if (baseline == Baseline::kMajority)
    return std::vector<std::size_t>(static_cast<std::size_t>(with.rows()),
                                    most_frequent(labels, classes));
  if (baseline == Baseline::kCentroid) return nearest_centroid(among, with, labels, classes);
  return LogisticRegression(among, labels, classes, cross_validated_c(among, labels, classes))
      .classify(with);
}

/// What a classifier's answers score, in the words of the record.
std::vector<Outcome> graded(Baseline baseline, const std::string& by,
                            std::span<const Example* const> rows,
                            std::span<const std::size_t> chosen, const Field& answer,
                            const Metric& metric, RunContext& run) {
  const auto labels = answer.type.options();
  std::vector<Prediction> predictions;
  for (const auto label : chosen) predictions.emplace_back().fields.set(answer.name, labels[label]);
  std::vector<Graded> wave;
  for (std::size_t i = 0; i < predictions.size(); ++i) wave.push_back({*rows[i], predictions[i]});
  const auto grades = grade(metric, wave, run.stop);
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < wave.size(); ++i)
    outcomes.push_back({std::string(name_of(baseline)), by, rows[i]->id, rows[i]->group, 0,
                        grades[i] ? grades[i]->score : 0, 0,
                        grades[i] ? Outcome::Status::kScored : Outcome::Status::kFailed,
                        grades[i] ? "" : grades[i].error().message});
  return outcomes;
}

std::vector<Example> seen_rows(const Dataset& data) {
  std::vector<Example> seen = data.train;
  seen.insert(seen.end(), data.validation.begin(), data.validation.end());
  if (seen.size() > kMostRows) seen.resize(kMostRows);
  return seen;
}

std::string by_what(const BaselineOptions& options) {
  return options.embedder ? options.embedder->name() : "words";
}

}  // namespace

std::string_view name_of(Baseline baseline) {
  switch (baseline) {
    case Baseline::kMajority:
      return "majority";
    case Baseline::kCentroid:
      return "nearest centroid";
    case Baseline::kLogistic:
      break;
  }
  return "logistic regression";
}

BaselineOptions read_baselines(const Config& config, const ProgramOptions& program,
                               const MetricOptions& metric) {
  BaselineOptions options;
  const bool has_labels = !program.answer().type.options().empty();
  if (const auto rows = config.find("baselines")) {
    for (const Config& row : rows->items()) {
      const auto found =
          std::ranges::find(kNames, row.text(), &std::pair<std::string, Baseline>::first);
      if (found == kNames.end())
        row.fail("there is no baseline '" + row.text() +
                 "': choose majority, centroid or logistic");
      options.rows.push_back(found->second);
    }
    if (!options.rows.empty() && !has_labels)
      rows->fail("baselines classify texts, but the answer `" + program.answer().name +
                 "` is not one of some labels");
  } else if (has_labels && judges_of(metric).empty() && !runs_command(metric)) {
    for (const auto& [name, baseline] : kNames) options.rows.push_back(baseline);
  }
  options.embedder = read_embedder(config);
  return options;
}

void put_baselines(const BaselineOptions& options, const Dataset& data, const Signature& signature,
                   const Metric& metric, RunContext& run) {
  if (options.rows.empty()) return;
  const std::vector<Example> seen = seen_rows(data);
  const Labelled fitted = labelled(seen, signature), asked = labelled(data.test, signature);
  const Field& answer = signature.outputs.back();
  if (fitted.labels.empty() || asked.labels.size() < data.test.size()) return;
  const Likeness alike = likeness(options.embedder, fitted.rows.inputs, asked.rows.inputs, run);
  for (const Baseline baseline : options.rows) {
    const auto chosen = classify(baseline, alike, fitted.labels, answer.type.options().size());
    const auto outcomes =
        graded(baseline, by_what(options), asked.rows.rows, chosen, answer, metric, run);
    run.put_row(std::string(name_of(baseline)), by_what(options), outcomes, {});
  }
}

std::vector<std::vector<Outcome>> cross_validated(const BaselineOptions& options,
                                                  const Dataset& data, const Signature& signature,
                                                  const Metric& metric, RunContext& run) {
  std::vector<std::vector<Outcome>> all;
  const std::vector<Example> seen = seen_rows(data);
  const Labelled rows = labelled(seen, signature);
  const Field& answer = signature.outputs.back();
  if (options.rows.empty() || rows.labels.size() < kFolds) return all;
  const Eigen::MatrixXd among =
      likeness(options.embedder, rows.rows.inputs, rows.rows.inputs, run).among;
  for (const Baseline baseline : options.rows) {
    std::vector<std::size_t> chosen(rows.labels.size());
    for (std::size_t fold = 0; fold < kFolds; ++fold) {
      std::vector<Eigen::Index> kept, out;
      std::vector<std::size_t> labels;
      for (std::size_t i = 0; i < chosen.size(); ++i)
        if (i % kFolds == fold)
          out.push_back(static_cast<Eigen::Index>(i));
        else
          kept.push_back(static_cast<Eigen::Index>(i)), labels.push_back(rows.labels[i]);
      const auto of_fold = classify(baseline, {among(kept, kept), among(out, kept)}, labels,
                                    answer.type.options().size());
      for (std::size_t i = 0; i < out.size(); ++i)
        chosen[static_cast<std::size_t>(out[i])] = of_fold[i];
    }
    all.push_back(graded(baseline, by_what(options), rows.rows.rows, chosen, answer, metric, run));
  }
  return all;
}

}  // namespace theta

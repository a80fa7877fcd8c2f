#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/example.hpp"
#include "core/models/language_model.hpp"
#include "modules/metric.hpp"

namespace theta {

/// The `metric:` section of a task.
struct MetricOptions {
  enum class Kind { kWords, kNumber, kRegex, kJsonFields, kWeighted, kJudge, kCommand };
  Kind kind = Kind::kWords;
  std::string name = "exact_match";  ///< for kWords: `contains`, `f1`
  /// That it looks at. None: of those that the data label the last; for kRegex the last; for kJudge
  /// all.
  std::vector<std::string> outputs = {};
  double tolerance = 0;                      ///< for kNumber
  bool relative = false;                     ///< the tolerance is a share of the right number
  std::string pattern = {};                  ///< for kRegex
  std::vector<std::string> members = {};     ///< for kJsonFields
  std::vector<MetricOptions> parts = {};     ///< for kWeighted
  double weight = 1;                         ///< of a part
  std::string rubric = {}, model = "judge";  ///< for kJudge: a name under `models`
  std::string adapter = "chat";
  bool scored = false;
  int max_tokens = 256;
  std::vector<std::string> command = {};  ///< for kCommand
};

/// Reads `metric: NAME`, where a name is exact_match, contains, f1 or number, or one of
///
///     metric: {name: number, output: price, tolerance: 0.01, relative: true}
///     metric: {name: regex, output: code, pattern: '^[A-Z]\d+$'}
///     metric: {name: json_fields, output: person, fields: [name, age]}
///     metric: {name: f1, output: [title, summary]}
///     metric: {weighted: [{name: exact_match, weight: 2}, {judge: ..}, ..]}
///     metric: {judge: {rubric: .., model: judge, answering: generate|score, output: ..,
///                      adapter: chat, max_tokens: 256}}
///     metric: {command: [python3, score.py]}
///
/// and exact_match where the section is missing.
/// @param root  the mapping that has the key
/// @throws UserError with the position of what is wrong or does not fit the signature: an output
///   that there is not, a pattern that cannot be read, a number of what holds none.
MetricOptions read_metric(const Config& root, const Signature& signature);

/// The section back as JSON: a text, or a mapping that read_metric() reads.
std::string metric_json(const MetricOptions& options);

/// `exact_match`, `weighted`, `judge`, `command`: what its mean is called.
std::string metric_name(const MetricOptions& options);

/// The names under `models` of the judges.
std::vector<std::string> judges_of(const MetricOptions& options);

/// Whether it, or a part of it, runs a command.
bool runs_command(const MetricOptions& options);

/// The outputs that the data need not label, as the metric does not read their right values. Where
/// it looks at the last that they label, every output of a signature with several is one.
std::vector<std::string> unread_labels(const MetricOptions& options, const Signature& signature);

/// Of a data set, those of all splits.
std::vector<const Example*> examples_of(const Dataset& data);

/// The outputs that a metric looks at, where that depends on what the data label: as make_metric().
std::vector<std::string> outputs_of(const MetricOptions& options, const Signature& signature,
                                    std::span<const Example* const> examples);

/// @param examples  whose labels say which outputs it looks at where none are named
/// @param model     gives a judge's model by its name; outlives the metric
/// @throws UserError where no output that it could look at has a label, naming the row
Metric make_metric(const MetricOptions& options, const Signature& signature,
                   std::span<const Example* const> examples,
                   const std::function<LanguageModel&(const std::string&)>& model);

}  // namespace theta

#include "experiments/metric_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/nearest.hpp"
#include "experiments/data/data_config.hpp"
#include "modules/command_metric.hpp"
#include "modules/judge_metric.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;
using Kind = MetricOptions::Kind;

std::vector<std::string> names_of(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

const Field& output_of(const Signature& signature, const std::string& name) {
  return *std::ranges::find(signature.outputs, name, &Field::name);
}

/// Whether right answers decide its grade.
bool reads_labels(const MetricOptions& options) {
  return options.kind == Kind::kWords || options.kind == Kind::kNumber ||
         options.kind == Kind::kJsonFields;
}

/// Whether a value of a type can be a number.
bool may_be_number(const Type& type) {
  const bool one = type.kind == Type::Kind::kStr || type.kind == Type::Kind::kInt ||
                   type.kind == Type::Kind::kFloat || type.kind == Type::Kind::kLiteral ||
                   type.kind == Type::Kind::kAny;
  return one || std::ranges::any_of(type.kind == Type::Kind::kUnion ? type.of : std::vector<Type>{},
                                    may_be_number);
}

/// Why a metric cannot grade an output; empty where it can.
std::string misfit(const MetricOptions& options, const Field& field) {
  const Type& type = field.type;
  if (options.kind == Kind::kNumber && !may_be_number(type))
    return fmt::format("numbers are compared, and `{}` is a {}", field.name, type.name());
  if (options.kind != Kind::kJsonFields) return "";
  if (type.kind == Type::Kind::kRecord) {
    for (const std::string& member : options.members)
      if (std::ranges::find(type.members, member) == type.members.end())
        return fmt::format("{} has no member `{}`{}; it has {}", type.name(), member,
                           did_you_mean(member, type.members), fmt::join(type.members, ", "));
  } else if (type.kind != Type::Kind::kDict && type.kind != Type::Kind::kAny &&
             type.kind != Type::Kind::kUnion) {
    return fmt::format("members of objects are compared, and `{}` is a {}", field.name,
                       type.name());
  }
  return "";
}

/// Reads the mapping of a metric, whose outputs are those of a signature.
class Reader {
 public:
  explicit Reader(const Signature& signature) : signature_(signature) {}

  MetricOptions read(const Config& metric) const {
    if (!metric.is_map())
      metric.fail("a metric is a name, or a mapping with `name`, `judge`, `command` or `weighted`");
    const auto judge = metric.find("judge"), command = metric.find("command"),
               weighted = metric.find("weighted");
    if (metric.find("name").has_value() + judge.has_value() + command.has_value() +
            weighted.has_value() !=
        1)
      metric.fail("give exactly one of `name`, `judge`, `command` and `weighted`");
    MetricOptions options = judge      ? of_judge(*judge)
                            : command  ? of_command(*command)
                            : weighted ? of_parts(*weighted)
                                       : named(metric);
    return options;
  }

 private:
  MetricOptions named(const Config& metric) const {
    MetricOptions options;
    options.name = metric.choice(
        "name", {"exact_match", "contains", "f1", "number", "regex", "json_fields"}, "exact_match");
    options.outputs = outputs(metric);
    if (options.name == "number") {
      options.kind = Kind::kNumber;
      options.tolerance = metric.number("tolerance", 0);
      if (options.tolerance < 0) metric.at("tolerance").fail("'tolerance' must be at least 0");
      options.relative = metric.boolean("relative", false);
    } else if (options.name == "regex") {
      options.kind = Kind::kRegex;
      const Config pattern = metric.at("pattern");
      options.pattern = pattern.text();
      try {
        (void)regex_metric({}, options.pattern);
      } catch (const UserError& e) {
        pattern.fail(e.what());
      }
    } else if (options.name == "json_fields") {
      options.kind = Kind::kJsonFields;
      const Config fields = metric.at("fields");
      options.members = metric.texts("fields");
      if (options.members.empty()) fields.fail("it names no member");
    }
    check(options, metric);
    return options;
  }

  /// Where one output alone may be graded, the metric has to fit it; of several the data decide.
  void check(const MetricOptions& options, const Config& metric) const {
    const auto named = metric.find("output");
    if (!named && signature_.outputs.size() > 1) return;
    const Config& at = named ? *named : metric;
    for (const std::string& output :
         named ? options.outputs : std::vector{signature_.outputs[0].name})
      if (const std::string why = misfit(options, output_of(signature_, output)); !why.empty())
        at.fail(why);
  }

  /// `output: a` or `output: [a, b]`.
  std::vector<std::string> outputs(const Config& mapping) const {
    const auto output = mapping.find("output");
    if (!output) return {};
    const std::vector<Config> all = output->is_sequence() ? output->items() : std::vector{*output};
    if (all.empty()) output->fail("it names no output");
    std::vector<std::string> out;
    for (const Config& one : all) {
      const std::vector<std::string> known = names_of(signature_.outputs);
      if (std::ranges::find(known, one.text()) == known.end())
        one.fail(fmt::format("the signature has no output `{}`{}; it has {}", one.text(),
                             did_you_mean(one.text(), known), fmt::join(known, ", ")));
      out.push_back(one.text());
    }
    return out;
  }

  MetricOptions of_judge(const Config& judge) const {
    MetricOptions options{.kind = Kind::kJudge, .name = "judge"};
    options.rubric = judge.text("rubric");
    if (options.rubric.empty()) judge.at("rubric").fail("the rubric says what a good answer is");
    options.model = judge.text("model", options.model);
    options.adapter = judge.choice("adapter", {"chat", "json", "terse"}, options.adapter);
    options.scored = judge.choice("answering", {"generate", "score"}, "generate") == "score";
    options.max_tokens = read_int(judge, "max_tokens", options.max_tokens, 1);
    options.outputs = outputs(judge);
    return options;
  }

  static MetricOptions of_command(const Config& command) {
    MetricOptions options{.kind = Kind::kCommand, .name = "command"};
    if (!command.is_sequence()) command.fail("a command is a list: [python3, score.py]");
    for (const Config& word : command.items()) options.command.push_back(word.text());
    if (options.command.empty() || options.command.front().empty())
      command.fail("a command begins with a program");
    return options;
  }

  MetricOptions of_parts(const Config& weighted) const {
    MetricOptions options{.kind = Kind::kWeighted, .name = "weighted"};
    for (const Config& part : weighted.items()) {
      options.parts.push_back(read(part));
      double& weight = options.parts.back().weight = part.number("weight", 1);
      if (!(weight > 0)) part.at("weight").fail("'weight' must be above 0");
    }
    if (options.parts.empty()) weighted.fail("a mean is of at least one metric");
    return options;
  }

  const Signature& signature_;
};

Json to_json(const MetricOptions& options) {
  Json out = Json::object();
  Json& inner = options.kind == Kind::kJudge ? out["judge"] : out;
  if (options.kind == Kind::kWeighted) {
    for (const MetricOptions& part : options.parts) {
      out["weighted"].push_back(to_json(part));
      if (part.weight != 1) out["weighted"].back()["weight"] = part.weight;
    }
    return out;
  }
  if (options.kind == Kind::kCommand) return {{"command", options.command}};
  if (options.kind == Kind::kJudge)
    inner = {{"rubric", options.rubric},
             {"model", options.model},
             {"adapter", options.adapter},
             {"answering", options.scored ? "score" : "generate"},
             {"max_tokens", options.max_tokens}};
  else
    out["name"] = options.name;
  if (options.kind == Kind::kNumber) {
    out["tolerance"] = options.tolerance;
    out["relative"] = options.relative;
  }
  if (options.kind == Kind::kRegex) out["pattern"] = options.pattern;
  if (options.kind == Kind::kJsonFields) out["fields"] = options.members;
  if (!options.outputs.empty()) inner["output"] = options.outputs;
  return out;
}

/// Builds metrics for the outputs that examples label.
class Builder {
 public:
  Builder(const Signature& signature, std::span<const Example* const> examples,
          std::function<LanguageModel&(const std::string&)> model)
      : signature_(signature), examples_(examples), model_(std::move(model)) {}

  /// @throws UserError where a label is missing that a part reads.
  std::vector<std::string> outputs(const MetricOptions& options) const {
    for (const MetricOptions& part : options.parts) (void)outputs(part);
    return reads_labels(options) ? looked_at(options) : std::vector<std::string>{};
  }

  Metric build(const MetricOptions& options) const {
    switch (options.kind) {
      case Kind::kWeighted: {
        std::vector<WeightedMetric> parts;
        for (const MetricOptions& part : options.parts) parts.push_back({build(part), part.weight});
        return weighted_metric(std::move(parts));
      }
      case Kind::kCommand:
        return command_metric(options.command);
      case Kind::kJudge:
        return judge(options);
      default:
        break;
    }
    std::vector<WeightedMetric> each;
    for (const std::string& output : looked_at(options))
      each.push_back({on_output(options, output_of(signature_, output)), 1});
    return each.size() == 1 ? std::move(each[0].metric) : weighted_metric(std::move(each));
  }

 private:
  bool labelled(const std::string& output) const {
    return !examples_.empty() && examples_.front()->fields.find(output) != nullptr;
  }

  /// @throws UserError where an example lacks the label.
  void check_labels(const std::string& output) const {
    for (const Example* example : examples_)
      if (example->fields.find(output) == nullptr)
        throw UserError(
            fmt::format("row `{}` has no `{}`, which the metric reads", example->id, output));
  }

  std::vector<std::string> looked_at(const MetricOptions& options) const {
    std::vector<std::string> outputs = options.outputs;
    const std::vector<std::string> all = names_of(signature_.outputs);
    if (outputs.empty() && !reads_labels(options)) return {all.back()};
    if (outputs.empty()) {
      const auto last = std::find_if(all.rbegin(), all.rend(),
                                     [&](const std::string& name) { return labelled(name); });
      outputs = {last == all.rend() ? all.back() : *last};
      if (const std::string why = misfit(options, output_of(signature_, outputs[0])); !why.empty())
        throw UserError(fmt::format("the metric {}: {}: name another `output`", options.name, why));
    }
    if (reads_labels(options)) std::ranges::for_each(outputs, [&](auto& o) { check_labels(o); });
    return outputs;
  }

  static Metric on_output(const MetricOptions& options, const Field& field) {
    if (options.kind == Kind::kNumber)
      return number_metric(field, options.tolerance, options.relative);
    if (options.kind == Kind::kRegex) return regex_metric(field, options.pattern);
    if (options.kind == Kind::kJsonFields) return json_fields_metric(field, options.members);
    return make_metric(options.name, field);
  }

  Metric judge(const MetricOptions& options) const {
    JudgeMetricOptions judged{.rubric = options.rubric,
                              .outputs = options.outputs,
                              .labelled = {},
                              .inputs = names_of(signature_.inputs),
                              .scored = options.scored,
                              .adapter = make_adapter({.adapter = options.adapter}),
                              .max_tokens = options.max_tokens};
    if (judged.outputs.empty()) judged.outputs = names_of(signature_.outputs);
    const auto in_all = [&](const std::string& output) {
      return !examples_.empty() && std::ranges::all_of(examples_, [&](const Example* example) {
        return example->fields.find(output) != nullptr;
      });
    };
    std::ranges::copy_if(judged.outputs, std::back_inserter(judged.labelled), in_all);
    return judge_metric(judged, model_(options.model));
  }

  const Signature& signature_;
  std::span<const Example* const> examples_;
  std::function<LanguageModel&(const std::string&)> model_;
};

/// The outputs that must have a label.
void add_read(const MetricOptions& options, const Signature& signature,
              std::vector<std::string>& read) {
  for (const MetricOptions& part : options.parts) add_read(part, signature, read);
  if (!reads_labels(options)) return;
  read.insert(read.end(), options.outputs.begin(), options.outputs.end());
  if (options.outputs.empty() && signature.outputs.size() == 1)
    read.push_back(signature.outputs[0].name);
}

}  // namespace

MetricOptions read_metric(const Config& root, const Signature& signature) {
  const auto metric = root.find("metric");
  if (!metric || metric->is_scalar()) {
    MetricOptions options;
    options.name = root.choice("metric", {"exact_match", "contains", "f1", "number"}, options.name);
    if (options.name == "number") options.kind = Kind::kNumber;
    const bool one = signature.outputs.size() == 1;
    if (const std::string why = one ? misfit(options, signature.outputs[0]) : ""; !why.empty())
      metric->fail(why);
    return options;
  }
  return Reader(signature).read(*metric);
}

std::string metric_json(const MetricOptions& options) {
  const Json json = to_json(options);
  const bool bare = json.size() == 1 && json.contains("name");
  return (bare ? json["name"] : json).dump();
}

std::string metric_name(const MetricOptions& options) { return options.name; }

std::vector<std::string> judges_of(const MetricOptions& options) {
  std::vector<std::string> models;
  if (options.kind == Kind::kJudge) models.push_back(options.model);
  for (const MetricOptions& part : options.parts)
    for (std::string& model : judges_of(part)) models.push_back(std::move(model));
  return models;
}

bool runs_command(const MetricOptions& options) {
  return options.kind == Kind::kCommand || std::ranges::any_of(options.parts, runs_command);
}

std::vector<std::string> unread_labels(const MetricOptions& options, const Signature& signature) {
  std::vector<std::string> read, unread;
  add_read(options, signature, read);
  for (const std::string& output : names_of(signature.outputs))
    if (std::ranges::find(read, output) == read.end()) unread.push_back(output);
  return unread;
}

std::vector<const Example*> examples_of(const Dataset& data) {
  std::vector<const Example*> examples;
  for (const auto* split : {&data.train, &data.validation, &data.test})
    for (const Example& example : *split) examples.push_back(&example);
  return examples;
}

std::vector<std::string> outputs_of(const MetricOptions& options, const Signature& signature,
                                    std::span<const Example* const> examples) {
  return Builder(signature, examples, {}).outputs(options);
}

Metric make_metric(const MetricOptions& options, const Signature& signature,
                   std::span<const Example* const> examples,
                   const std::function<LanguageModel&(const std::string&)>& model) {
  return Builder(signature, examples, model).build(options);
}

}  // namespace theta

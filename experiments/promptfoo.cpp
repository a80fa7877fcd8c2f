#include "experiments/promptfoo.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "core/ascii.hpp"
#include "core/config.hpp"
#include "core/json_value.hpp"
#include "core/result.hpp"
#include "experiments/data/rows.hpp"
#include "experiments/files.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kFile = "file://";
/// Right answers are options where there are at most so many, and so many tests of each.
constexpr std::size_t kMostOptions = 20, kTestsOfAnOption = 3;

Json read_document(const fs::path& file) {
  return parse_json(Config::load(file).literal().canonical({}));
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : write_json(value);
}

/// A list of one thing may be written as the thing.
std::vector<Json> list_of(const Json& parent, const char* key) {
  if (!parent.is_object() || !parent.contains(key)) return {};
  const Json& value = parent.at(key);
  return value.is_array() ? value.get<std::vector<Json>>() : std::vector<Json>{value};
}

std::string trimmed(std::string_view text) { return std::string(ascii::trim(text)); }

/// The name of a field for a variable's.
std::string field_of(std::string_view variable) {
  std::string field;
  for (const char c : variable) field += ascii::is_letter(c) || ascii::is_digit(c) ? c : '_';
  return field.empty() || !ascii::is_letter(field[0]) ? "v" + field : field;
}

/// Calls back for each `{{ .. }}` of a template, and puts what it gives in its place.
template <typename F>
std::string with_variables(std::string_view text, const F& replacement) {
  std::string out;
  for (;;) {
    const auto open = text.find("{{"), close = text.find("}}", open);
    if (open == text.npos || close == text.npos) return out += text;
    out += text.substr(0, open);
    out += replacement(trimmed(text.substr(open + 2, close - open - 2)));
    text.remove_prefix(close + 2);
  }
}

/// How an assertion is scored here.
struct Assertion {
  std::string type, metric;  ///< no metric: none here
  Json value;
};

std::string metric_for(const std::string& type) {
  static const std::map<std::string, std::string, std::less<>> metrics = {
      {"equals", "exact_match"},
      {"contains", "contains"},
      {"icontains", "contains"},
      {"contains-any", "contains"},
      {"icontains-any", "contains"},
      {"similar", "f1"},
      {"rouge-n", "f1"},
      {"regex", "regex"},
      {"llm-rubric", "judge"},
      {"g-eval", "judge"},
      {"model-graded-closedqa", "judge"}};
  const auto found = metrics.find(type);
  return found == metrics.end() ? "" : found->second;
}

bool needs_answer(const std::string& metric) { return metric != "regex" && metric != "judge"; }

/// Types of assertions that are no answer's text, and have no metric here.
constexpr std::array<std::string_view, 9> kOthers = {"fn",           "eval",       "javascript",
                                                     "python",       "is-json",    "contains-json",
                                                     "contains-all", "factuality", "starts-with"};

/// `contains: Paris`, as a table's column `__expected` has it; what has no type is the answer.
Assertion expectation(const std::string& text) {
  const auto colon = text.find(':');
  std::string type = trimmed(text.substr(0, colon));
  type = type.substr(0, type.find('('));
  if (type == "grade") type = "llm-rubric";
  const bool is_type = !metric_for(type).empty() || type.starts_with("not-") ||
                       std::ranges::find(kOthers, type) != kOthers.end();
  if (!is_type || (colon == text.npos && type != "is-json")) return {"equals", "exact_match", text};
  return {type, metric_for(type), colon == text.npos ? "" : trimmed(text.substr(colon + 1))};
}

struct Test {
  std::string where;
  std::map<std::string, Json> variables;
  std::vector<Assertion> assertions;
};

class Importer {
 public:
  explicit Importer(const fs::path& file) : file_(file), config_(read_document(file)) {}

  ImportedTask run(const std::string& name, const std::string& rows_file) {
    read_prompts();
    read_tests();
    const std::string metric = most_common_metric();
    const Json value = common_value(metric);
    out_.rows = rows(metric, value);
    if (out_.n_rows < 3)
      throw UserError(fmt::format(
          "{}: {} tests can be scored here, and 3 parts of the rows (train, validation, test) "
          "want one each at least",
          file_.string(), out_.n_rows));
    out_.config = config(name, rows_file, metric, value);
    for (const auto& [type, n] : unscored_)
      out_.left_out.push_back(
          fmt::format("the assertion `{}`, {} times: no metric here says that", type, n));
    return std::move(out_);
  }

 private:
  fs::path path_of(std::string_view named) const {
    if (named.starts_with(kFile)) named.remove_prefix(kFile.size());
    return file_.parent_path() / named;
  }
  void leave_out(std::string line) { out_.left_out.push_back(std::move(line)); }

  void read_prompts() {
    for (const Json& given : list_of(config_, "prompts")) {
      Json prompt = given;
      if (given.is_object())
        prompt = given.contains("raw") ? given.at("raw") : given.value("id", Json(""));
      std::string text = text_of(prompt);
      const std::string ending = fs::path(text).extension().string();
      const bool is_file = text.starts_with(kFile) || ending == ".txt" || ending == ".json" ||
                           ending == ".md" || ending == ".py" || ending == ".js";
      if (is_file && (ending == ".py" || ending == ".js" || ending.empty())) {
        leave_out(fmt::format("the prompt {}: a program writes it", text));
        continue;
      }
      if (is_file) text = read_whole(path_of(text));
      add_prompt(ending == ".json" || text.starts_with("[") ? words_of_chat(text) : text);
    }
    if (prompts_.empty())
      throw UserError(file_.string() + ": no prompt of it is a text, to make an instruction of");
    if (inputs_.empty())
      throw UserError(file_.string() +
                      ": its first prompt names no variable, as {{text}}, to make an input of");
  }

  /// The words of a conversation's messages.
  static std::string words_of_chat(const std::string& text) {
    const Json messages = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!messages.is_array()) return text;
    std::string words;
    for (const Json& message : messages)
      if (message.is_object() && message.contains("content"))
        words += text_of(message.at("content")) + "\n";
    return words;
  }

  void add_prompt(const std::string& text) {
    const std::string words = with_variables(text, [&](const std::string& variable) {
      const bool is_new = std::ranges::find(inputs_, variable) == inputs_.end();
      if (is_new && prompts_.empty()) inputs_.push_back(variable);
      return "`" + field_of(variable) + "`";
    });
    const std::string instruction = trimmed(words);
    if (std::ranges::find(prompts_, instruction) == prompts_.end()) prompts_.push_back(instruction);
  }

  void read_tests() {
    const Json defaults = config_.contains("defaultTest") && config_["defaultTest"].is_object()
                              ? config_["defaultTest"]
                              : Json::object();
    std::size_t number = 0;
    for (const Json& test : list_of(config_, "tests")) {
      if (test.is_string())
        read_file(test.get<std::string>(), defaults);
      else if (test.is_object() && test.contains("path"))
        read_file(text_of(test.at("path")), defaults);
      else
        add_test(fmt::format("tests.{}", number), test, defaults);
      ++number;
    }
    if (config_.contains("scenarios")) leave_out("scenarios: write their tests out");
    if (tests_.empty()) throw UserError(file_.string() + ": it has no tests, to make rows of");
  }

  void read_file(const std::string& named, const Json& defaults) {
    const fs::path path = path_of(named);
    const std::string ending = path.extension().string();
    if (ending == ".yaml" || ending == ".yml") {
      const Json tests = read_document(path);
      for (std::size_t i = 0; i < tests.size() && tests.is_array(); ++i)
        add_test(fmt::format("{}: {}", path.string(), i), tests[i], defaults);
    } else if (ending == ".json" || ending == ".jsonl" || ending == ".csv" || ending == ".tsv") {
      for_each_row(path, {}, [&](const std::string& where, const Json& row) {
        add_test(where, row.contains("vars") ? row : test_of_cells(row), defaults);
      });
    } else {
      leave_out(fmt::format("the tests {}: write them as YAML, JSON lines or CSV", named));
    }
  }

  /// A row of a table: its columns are variables but for those that begin with `__`.
  static Json test_of_cells(const Json& row) {
    Json test = {{"vars", Json::object()}, {"expected", Json::array()}};
    for (const auto& [column, cell] : row.items()) {
      if (column.starts_with("__expected")) {
        if (!trimmed(text_of(cell)).empty()) test["expected"].push_back(cell);
      } else if (!column.starts_with("__")) {
        test["vars"][column] = cell;
      }
    }
    return test;
  }

  void add_test(const std::string& where, const Json& given, const Json& defaults) {
    if (!given.is_object())
      throw UserError(fmt::format("{}: {} is no test", file_.string(), where));
    Test test{where, {}, {}};
    for (const Json* from : {&defaults, &given})
      if (from->contains("vars") && from->at("vars").is_object())
        for (const auto& [variable, value] : from->at("vars").items())
          test.variables.insert_or_assign(variable, value);
    for (auto& [variable, value] : test.variables)
      if (value.is_string() && value.get<std::string>().starts_with(kFile))
        value = read_whole(path_of(value.get<std::string>()));
    for (const Json& text : list_of(given, "expected"))
      test.assertions.push_back(expectation(text_of(text)));
    for (const Json* from : {&given, &defaults})
      for (const Json& assertion : list_of(*from, "assert")) add_assertion(test, assertion);
    add_each(std::move(test));
  }

  void add_assertion(Test& test, const Json& given) {
    if (!given.is_object()) return;
    const std::string type = text_of(given.value("type", Json("")));
    for (const Json& one : list_of(given, "assert")) add_assertion(test, one);  // of an assert-set
    if (type == "assert-set") return;
    test.assertions.push_back({type, metric_for(type), given.value("value", Json())});
  }

  /// A variable that is a list stands for a test of each of its items.
  void add_each(Test test) {
    for (auto& [variable, value] : test.variables) {
      if (!value.is_array()) continue;
      const Json items = value;
      for (const Json& item : items) {
        value = item;
        add_each(test);
      }
      return;
    }
    for (Assertion& one : test.assertions) {
      if (one.metric.empty()) ++unscored_[one.type];
      if (one.value.is_string()) one.value = filled(one.value.get<std::string>(), test);
    }
    tests_.push_back(std::move(test));
  }

  static std::string filled(const std::string& text, const Test& test) {
    return with_variables(text, [&](const std::string& variable) {
      const auto found = test.variables.find(variable);
      return found == test.variables.end() ? "{{" + variable + "}}" : text_of(found->second);
    });
  }

  static const Assertion* assertion_of(const Test& test, const std::string& metric) {
    const auto found = std::ranges::find(test.assertions, metric, &Assertion::metric);
    return found == test.assertions.end() ? nullptr : &*found;
  }

  std::string most_common_metric() const {
    std::string best;
    std::size_t most = 0;
    for (const char* metric : {"exact_match", "contains", "f1", "judge", "regex"}) {
      const auto n = static_cast<std::size_t>(std::ranges::count_if(
          tests_, [&](const Test& test) { return assertion_of(test, metric) != nullptr; }));
      if (n > most) best = metric, most = n;
    }
    if (best.empty())
      throw UserError(
          fmt::format("{}: no assertion of its tests has a metric here, as equals, "
                      "contains, similar, regex and llm-rubric have",
                      file_.string()));
    return best;
  }

  /// What a metric without right answers goes by, the same for all rows: what most tests say.
  Json common_value(const std::string& metric) const {
    if (needs_answer(metric)) return {};
    std::vector<std::pair<Json, std::size_t>> counts;
    for (const Test& test : tests_) {
      const Assertion* one = assertion_of(test, metric);
      if (!one) continue;
      auto known = std::ranges::find(counts, one->value, [](const auto& c) { return c.first; });
      if (known == counts.end()) known = counts.insert(counts.end(), {one->value, 0});
      ++known->second;
    }
    return std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; })->first;
  }

  std::string output() const {
    return std::ranges::find(inputs_, "answer") == inputs_.end() ? "answer" : "output";
  }

  std::string rows(const std::string& metric, const Json& value) {
    std::string lines;
    std::size_t other = 0;
    for (const Test& test : tests_) {
      const Assertion* one = assertion_of(test, metric);
      if (!one || (!needs_answer(metric) && one->value != value)) {
        ++other;
        continue;
      }
      Json row = Json::object();
      for (const std::string& input : inputs_) {
        const auto found = test.variables.find(input);
        if (found == test.variables.end())
          throw UserError(
              fmt::format("{}: {}: it has no variable `{}`, which the first prompt names",
                          file_.string(), test.where, input));
        row[field_of(input)] = found->second;
      }
      if (needs_answer(metric)) {
        row[output()] = one->value;
        answers_.push_back(text_of(one->value));
      }
      lines += write_json(row) + "\n";
      ++out_.n_rows;
    }
    if (other > 0)
      leave_out(fmt::format("{} of {} tests: they are scored by something else than most, {}",
                            other, tests_.size(), metric));
    return lines;
  }

  /// `answer`, or with its options where the right answers repeat.
  std::string output_type(const std::string& metric) const {
    const std::set<std::string> options(answers_.begin(), answers_.end());
    if (metric != "exact_match" || options.size() < 2 || options.size() > kMostOptions ||
        answers_.size() < kTestsOfAnOption * options.size())
      return output();
    std::vector<std::string> quoted;
    for (const std::string& option : options) {
      if (option.find_first_of("'\\\n") != option.npos) return output();
      quoted.push_back("'" + option + "'");
    }
    return fmt::format("{}: Literal[{}]", output(), fmt::join(quoted, ", "));
  }

  /// The model of the first provider.
  std::string model() {
    const auto providers =
        list_of(config_, config_.contains("providers") ? "providers" : "targets");
    if (providers.size() > 1)
      leave_out(fmt::format("{} of {} providers: a `sweep` has lists of models",
                            providers.size() - 1, providers.size()));
    const Json first = providers.empty() ? Json("") : providers.front();
    const std::string id = text_of(first.is_object() ? first.value("id", Json("")) : first);
    const Json own = first.is_object() ? first.value("config", Json::object()) : Json::object();
    struct Known {
      std::string_view name, base_url, key;
    };
    static constexpr std::array<Known, 6> all = {
        {{"openai", "https://api.openai.com/v1", "OPENAI_API_KEY"},
         {"openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"},
         {"groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"},
         {"mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"},
         {"deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"},
         {"ollama", "http://127.0.0.1:11434/v1", ""}}};
    const std::string who = id.substr(0, id.find(':'));
    const auto known = std::ranges::find(all, who, &Known::name);
    std::string name = id.substr(std::min(id.size(), id.find(':') + 1));
    for (const char* kind : {"chat:", "completion:", "responses:"})
      if (name.starts_with(kind)) name.erase(0, std::string_view(kind).size());
    std::string url(known == all.end() ? "http://127.0.0.1:8000/v1" : known->base_url);
    std::string key(known == all.end() ? "" : known->key);
    if (own.contains("apiBaseUrl")) url = text_of(own.at("apiBaseUrl"));
    if (own.contains("apiKeyEnvar")) key = text_of(own.at("apiKeyEnvar"));
    if (known == all.end() && !own.contains("apiBaseUrl"))
      leave_out(
          fmt::format("the provider `{}`: give models.task the base_url of an "
                      "OpenAI-compatible server, or a GGUF file as its path",
                      id));
    return fmt::format("{{base_url: {}, model: {}{}}}", write_json(url), write_json(name),
                       key.empty() ? "" : ", api_key_env: " + key);
  }

  static std::string metric_text(const std::string& metric, const Json& value) {
    if (metric == "regex") return fmt::format("{{name: regex, pattern: {}}}", write_json(value));
    if (metric == "judge") return fmt::format("{{judge: {{rubric: {}}}}}", write_json(value));
    return metric;
  }

  std::string config(const std::string& name, const std::string& rows_file,
                     const std::string& metric, const Json& value) {
    std::vector<std::string> fields, others;
    for (const std::string& input : inputs_) fields.push_back(field_of(input));
    for (std::size_t i = 1; i < prompts_.size(); ++i) others.push_back(write_json(prompts_[i]));
    const std::size_t part = std::max<std::size_t>(out_.n_rows * 3 / 10, 1);
    return fmt::format(
        "# Made of {}.\n"
        "name: {}\n"
        "models:\n"
        "  task: {}\n"
        "{}"
        "data:\n"
        "  file: {}\n"
        "  split: {{train: {}, validation: {}, test: {}}}\n"
        "program:\n"
        "  signature: {}\n"
        "  instructions: {}\n"
        "metric: {}\n"
        "optimizers:\n"
        "  - name: mipro\n"
        "{}",
        file_.filename().string(), write_json(name), model(),
        metric == "judge" ? "  judge: task\n" : "", write_json(rows_file), part,
        out_.n_rows - 2 * part, part,
        write_json(fmt::format("{} -> {}", fmt::join(fields, ", "), output_type(metric))),
        write_json(prompts_.front()), metric_text(metric, value),
        others.empty() ? "" : fmt::format("    instructions: [{}]\n", fmt::join(others, ", ")));
  }

  fs::path file_;
  Json config_;
  std::vector<std::string> prompts_;  ///< instructions
  std::vector<std::string> inputs_;   ///< variables of the first prompt
  std::vector<Test> tests_;
  std::vector<std::string> answers_;  ///< of the rows
  std::map<std::string, std::size_t> unscored_;
  ImportedTask out_;
};

}  // namespace

ImportedTask import_promptfoo(const fs::path& file, const std::string& name,
                              const std::string& rows_file) {
  return Importer(file).run(name, rows_file);
}

}  // namespace theta

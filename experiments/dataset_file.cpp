#include "experiments/dataset_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/json_value.hpp"
#include "core/python_literal.hpp"
#include "core/rng.hpp"
#include "core/utf8.hpp"
#include "experiments/data_config.hpp"
#include "experiments/rows.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// A JSON scalar as the text that a prompt would show.
std::optional<std::string> scalar_text(const Json& cell) {
  if (cell.is_null() || cell.is_structured()) return std::nullopt;
  return to_text(value_of(cell));
}

/// The value of a field, which is of the type that the signature gives it. An input is shown as it
/// stands: a number keeps its digits, and of what is no text a `str` shows the JSON, as in DSPy,
/// and a list stays one, whose items prompts number.
Result<Value> to_value(const Json& cell, const Type& type, bool input) {
  const bool any = input && type.kind == Type::Kind::kStr;
  if (cell.is_array() && (any || type.kind == Type::Kind::kList)) {
    std::vector<std::string> items;
    for (const Json& item : cell) {
      std::optional<std::string> text = scalar_text(item);
      if (!text && any) return value_of(cell);
      if (!text) return Error{Fault::kPrompt, "a list of more than texts is not " + type.name()};
      items.push_back(*std::move(text));
    }
    return Value(std::move(items));
  }
  if (any && cell.is_object()) return value_of(cell);
  // Instruction-induction files list the acceptable answers, the canonical one first.
  const bool answers = !input && cell.is_array() && !cell.empty();
  if (answers && cell.size() > 1 && type.kind != Type::Kind::kStr)
    return Error{Fault::kPrompt,
                 "several right answers are for a field of type str, not " + type.name()};
  if (answers && !std::ranges::all_of(cell, [](const Json& one) { return bool(scalar_text(one)); }))
    return Error{Fault::kPrompt, "a list of more than texts is not " + type.name()};
  const Json& scalar = answers ? cell.front() : cell;
  std::optional<std::string> text = scalar_text(scalar);
  if (!text) {
    return Error{Fault::kPrompt, fmt::format("{} is not {}", scalar.type_name(), type.name())};
  }
  if (type.kind == Type::Kind::kStr) return Value(*std::move(text));
  Result<Value> value = input ? type.read(*text) : type.cast(*text);
  return value && input && !scalar.is_string() ? value_of(scalar) : value;
}

/// All of several right answers of a text.
std::optional<Value> accepted_answers(const Json& cell, const Type& type) {
  if (type.kind != Type::Kind::kStr || !cell.is_array() || cell.size() < 2) return std::nullopt;
  std::vector<std::string> answers;
  for (const Json& item : cell) answers.push_back(*scalar_text(item));
  return answers;
}

/// What a text holds that may have been meant to be read, in words; empty for plain text.
std::string_view data_in(const std::string& text) {
  constexpr std::size_t kLongestType = 100;
  if (text.starts_with("data:") && text.find(";base64,") < kLongestType) return "a file in base64";
  if (text.find("<<CUSTOM-TYPE-START-IDENTIFIER>>") != text.npos) return "a part that is no text";
  const auto data = read_container(text);
  if (!data) return looks_like_messages(text) ? "what looks like messages" : "";
  return data->empty() ? "" : data->is_object() ? "an object" : "a list";
}

/// Remarks such a text once a column.
class DataInTexts {
 public:
  DataInTexts(const std::filesystem::path& file, std::vector<std::string>& remarks)
      : file_(file), remarks_(remarks) {}

  void look(const Json& cell, const Type& type, const std::string& where,
            const std::string& column) {
    if (type.kind != Type::Kind::kStr || !cell.is_string() || columns_.contains(column)) return;
    const std::string_view what = data_in(cell.get_ref<const std::string&>());
    if (what.empty()) return;
    columns_.insert(column);
    remarks_.push_back(
        fmt::format("{}: column `{}` holds {} as a text, which is shown as it stands",
                    place_in(file_, where), column, what));
  }

 private:
  const std::filesystem::path& file_;
  std::vector<std::string>& remarks_;
  std::set<std::string> columns_;
};

const Json& column_of(const Json& row, const std::string& column, const std::string& use,
                      const std::string& where) {
  const Json* cell = find_path(row, column);
  if (cell == nullptr) {
    throw MissingColumn(
        fmt::format("{}: no column `{}` for {}; there are {}", where, column, use, key_list(row)),
        column);
  }
  if (cell->is_string() && !is_utf8(cell->get_ref<const std::string&>()))
    throw UserError(fmt::format("{}: column `{}` is not UTF-8", where, column));
  return *cell;
}

std::string name_of(const Json& row, const std::string& column, const std::string& use,
                    const std::string& where) {
  std::optional<std::string> text = scalar_text(column_of(row, column, use, where));
  if (!text || text->empty()) {
    throw UserError(fmt::format("{}: column `{}` holds no {}", where, column, use));
  }
  return *std::move(text);
}

const std::string& column_for(const Columns& columns, const std::string& field) {
  const auto mapped = std::find_if(columns.fields.begin(), columns.fields.end(),
                                   [&](const auto& item) { return item.first == field; });
  return mapped == columns.fields.end() ? field : mapped->second;
}

Dataset split_file(const WholeFile& source, const Columns& columns, const Signature& signature) {
  Dataset data;
  std::vector<Example> rows = read_examples(source.file, columns, signature, data.remarks);
  std::unordered_map<std::string, std::size_t> groups;  // by first appearance
  for (const Example& row : rows) groups.emplace(row.group, groups.size());
  std::vector<Split> splits;
  try {
    splits = draw_split(groups.size(), source.sizes, derive_seed(source.seed, "split"),
                        columns.group.empty() ? "rows" : "groups by `" + columns.group + "`");
  } catch (const UserError& e) {
    throw UserError(fmt::format("{}: {}", source.file.string(), e.what()));
  }
  for (Example& row : rows) {
    const Split split = splits[groups.at(row.group)];
    if (split != Split::kUnused) split_of(data, split).push_back(std::move(row));
  }
  return data;
}

Dataset read_split_files(const SplitFiles& source, const Columns& columns,
                         const Signature& signature) {
  Dataset data;
  const auto read = [&](const std::filesystem::path& file, const char* prefix) {
    return file.empty() ? std::vector<Example>{}
                        : read_examples(file, columns, signature, data.remarks, prefix);
  };
  data.train = read(source.train, "train:");
  data.validation = read(source.validation, "validation:");
  data.test = read(source.test, "test:");
  return data;
}

/// Some value of a type.
Value some_value(const Type& type, std::size_t number) {
  if (const auto options = type.options(); !options.empty())
    return *type.cast(options[number % options.size()]);
  if (type.kind == Type::Kind::kStr) return fmt::format("example {}", number);
  if (type.kind == Type::Kind::kList) return std::vector<std::string>{"one", "two"};
  return *type.cast(std::to_string(number));
}

Dataset make_up(const SplitSizes& sizes, const Signature& signature) {
  Dataset data;
  std::size_t n = 0;
  for (const auto& [split, size] : {std::pair{&data.train, sizes.train},
                                    {&data.validation, sizes.validation},
                                    {&data.test, sizes.test}})
    for (std::size_t i = 0; i < size; ++i) {
      Example& example = split->emplace_back();
      example.id = example.group = std::to_string(++n);
      for (const auto* fields : {&signature.inputs, &signature.outputs})
        for (const Field& field : *fields)
          example.fields.set(field.name, some_value(field.type, n));
    }
  return data;
}

SentimentOptions read_sentiment(const Config& config, const Signature& signature) {
  const SentimentOptions defaults;
  SentimentOptions options;
  options.threshold = read_share(config, "threshold", defaults.threshold, 0, 4);
  options.agreement = read_share(config, "agreement", defaults.agreement, 0, 1);
  options.max_words = read_size(config, "max_words", defaults.max_words, 1);
  options.sizes = read_split_sizes(config, defaults.sizes);
  options.seed = read_seed(config);
  for (const std::size_t size : {options.sizes.train, options.sizes.validation, options.sizes.test})
    if (size % 2 != 0) config.fail("the sentiment task is balanced: its split sizes must be even");
  for (const char* field : {"sentence", "sentiment"}) {
    if (signature.find(field) == nullptr) {
      config.fail(
          fmt::format("the sentiment data fill the fields `sentence` and `sentiment`; the "
                      "signature has no `{}`",
                      field));
    }
  }
  return options;
}

SplitFiles read_split_files_options(const Config& config) {
  SplitFiles files;
  for (const auto& [name, path] : {std::pair{"train", &files.train},
                                   {"validation", &files.validation},
                                   {"test", &files.test}}) {
    if (const auto file = config.find(name)) *path = path_of(*file);
  }
  const auto same = [](const std::filesystem::path& a, const std::filesystem::path& b) {
    return !a.empty() && a.lexically_normal() == b.lexically_normal();
  };
  if (same(files.train, files.validation) || same(files.train, files.test) ||
      same(files.validation, files.test)) {
    config.fail("two splits name the same file; use `file` and `split` to divide one");
  }
  return files;
}

Columns read_columns(const Config& data, const Signature& signature) {
  Columns columns;
  columns.rows = data.text("rows", "");
  columns.id = data.text("id", "");
  columns.group = data.text("group", "");
  if (const auto fields = data.find("fields")) {
    for (const auto& [field, column] : fields->entries()) {
      if (signature.find(field) == nullptr) {
        column.fail(fmt::format("the signature has no field `{}`; it has `{}`", field,
                                fmt::join(signature.names(), "`, `")));
      }
      columns.fields.emplace_back(field, column.text());
    }
  }
  return columns;
}

}  // namespace

DataOptions read_data_options(const Config& data, const Signature& signature) {
  const auto sentiment = data.find("sentiment");
  const auto file = data.find("file");
  const auto splits = data.find("splits");
  if (sentiment.has_value() + file.has_value() + splits.has_value() != 1) {
    data.fail("give exactly one of `sentiment`, `file` and `splits`");
  }
  DataOptions options;
  if (sentiment) {
    options.source = read_sentiment(*sentiment, signature);
  } else {
    options.columns = read_columns(data, signature);
    if (file) {
      const Config split = data.at("split");
      options.source = WholeFile{path_of(*file), read_split_sizes(split, {}), read_seed(split)};
    } else {
      options.source = read_split_files_options(*splits);
    }
  }
  data.finish();
  const auto* whole = std::get_if<WholeFile>(&options.source);
  if (whole && whole->sizes.test == 0) {
    data.at("split").fail(
        "give the numbers of `train`, `validation` and `test` rows: nothing is left to test");
  }
  return options;
}

Dataset load_dataset(const DataOptions& options, const Signature& signature) {
  Dataset data;
  if (const auto* made_up = std::get_if<MadeUpRows>(&options.source))
    return make_up(made_up->sizes, signature);
  if (const auto* sentiment = std::get_if<SentimentOptions>(&options.source)) {
    data = sentiment_task(load_hutto(hutto_folder()).sentences, *sentiment);
  } else if (const auto* whole = std::get_if<WholeFile>(&options.source)) {
    data = split_file(*whole, options.columns, signature);
  } else {
    data = read_split_files(std::get<SplitFiles>(options.source), options.columns, signature);
  }
  check_disjoint(data);
  if (const std::size_t n_shared = count_shared_content(data); n_shared > 0) {
    data.remarks.push_back(fmt::format(
        "{} rows of validation and test have the content of a row in an earlier split", n_shared));
  }
  return data;
}

std::vector<Example> read_examples(const std::filesystem::path& file, const Columns& columns,
                                   const Signature& signature, std::vector<std::string>& remarks,
                                   const std::string& prefix) {
  std::vector<Example> examples;
  DataInTexts data_in_texts(file, remarks);
  std::unordered_set<std::string> ids;
  const auto add = [&](const std::string& where, const Json& row) {
    Example example;
    example.id = columns.id.empty() ? fmt::format("{}{}", prefix, examples.size() + 1)
                                    : name_of(row, columns.id, "id", where);
    if (!ids.insert(example.id).second) {
      throw UserError(fmt::format("{}: column `{}`: another row has the id `{}`", where, columns.id,
                                  example.id));
    }
    example.group =
        columns.group.empty() ? example.id : name_of(row, columns.group, "group", where);
    const auto set = [&](const Field& field, bool input) {
      const std::string& column = column_for(columns, field.name);
      const Json& cell = column_of(row, column, "the field `" + field.name + "`", where);
      data_in_texts.look(cell, field.type, where, column);
      Result<Value> value = to_value(cell, field.type, input);
      if (!value) {
        throw UserError(fmt::format("{}: column `{}`: {}", where, column, value.error().message));
      }
      example.fields.set(field.name, *std::move(value));
      if (input) return;
      if (auto all = accepted_answers(cell, field.type))
        example.accepted.set(field.name, *std::move(all));
    };
    for (const Field& field : signature.inputs) set(field, true);
    for (const Field& field : signature.outputs) set(field, false);
    examples.push_back(std::move(example));
  };
  for_each_row(file, columns.rows, add, columns.first_bytes);
  if (examples.empty()) throw UserError(file.string() + ": no rows");
  return examples;
}

}  // namespace theta

#include "experiments/data/example_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_set>

#include "core/ascii.hpp"
#include "core/json_value.hpp"
#include "core/nearest.hpp"
#include "core/python_literal.hpp"
#include "core/result.hpp"
#include "core/type.hpp"
#include "experiments/data/text_file.hpp"

namespace theta {

bool is_json(const Type& type) {
  static const Type texts = parse_type("list[str]");
  return (type.structured() && type != texts) || type.kind == Type::Kind::kUnion ||
         type.kind == Type::Kind::kAny || type.kind == Type::Kind::kNone;
}

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestReason = 150;

/// A JSON scalar as the text that a prompt would show.
std::optional<std::string> scalar_text(const Json& cell) {
  if (cell.is_null() || cell.is_structured()) return std::nullopt;
  return to_text(value_of(cell));
}

/// The value of a field, which is of the type that the signature gives it. An input is shown as it
/// stands: a number keeps its digits, of an object a `str` shows the JSON, as in DSPy, and a list
/// stays one, whose items prompts number.
Result<Value> to_value(const Json& cell, const Type& type, bool input) {
  if (is_json(type) && !cell.is_string()) {
    Result<Value> value = type.cast_json(cell);
    const auto text = scalar_text(cell);
    return value || !text ? value : type.cast(*text);  // a number in a column of texts
  }
  const bool any = input && type.kind == Type::Kind::kStr;
  if (cell.is_array() && (any || type.kind == Type::Kind::kList)) {
    std::vector<std::string> items;
    for (const Json& item : cell) {
      std::optional<std::string> text = scalar_text(item);
      if (!text && any) return Value(python_texts(cell));
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

/// The only option of a Literal that a text names but for its case and blanks around it, or that is
/// the whole number which pandas writes as `1.0` in a column with gaps.
std::optional<Value> option_like(const Json& cell, const Type& type) {
  const auto text = type.kind == Type::Kind::kLiteral ? scalar_text(cell) : std::nullopt;
  if (!text) return std::nullopt;
  const std::string folded = ascii::lower(ascii::trim(*text));
  std::string_view whole = folded;
  if (whole.ends_with(".0")) whole.remove_suffix(2);
  std::optional<Value> found;
  for (const Value& literal : type.literals) {
    const std::string option = ascii::lower(to_text(literal));
    if (option != folded && option != whole) continue;
    if (found) return std::nullopt;
    found = literal;
  }
  return found;
}

/// The number behind the last `####` of a worked solution, as GSM8K writes its answers, without the
/// commas of its thousands.   @return null where the text has no such marks.
Json number_behind_marks(const Json& cell, const Type& type) {
  constexpr std::string_view kMarks = "####";
  const bool number = type.kind == Type::Kind::kInt || type.kind == Type::Kind::kFloat;
  if (!number || !cell.is_string()) return nullptr;
  const auto& text = cell.get_ref<const std::string&>();
  const std::size_t marks = text.rfind(kMarks);
  if (marks == text.npos) return nullptr;
  std::string found;
  for (const char c : text.substr(marks + kMarks.size()))
    if (c != ',' && c != '$' && c != ' ' && c != '\n' && c != '\r') found += c;
  if (found.ends_with('.')) found.pop_back();
  return found;
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

bool all_readable(const Json& cell) {
  if (cell.is_string()) return is_readable(cell.get_ref<const std::string&>());
  return !cell.is_structured() || std::ranges::all_of(cell, all_readable);
}

const std::string& column_for(const Columns& columns, const std::string& field) {
  const auto mapped = std::find_if(columns.fields.begin(), columns.fields.end(),
                                   [&](const auto& item) { return item.first == field; });
  return mapped == columns.fields.end() ? field : mapped->second;
}

/// Whether a field's column may be missing, which no column is that the user names.
bool is_optional(const Columns& columns, const std::string& field) {
  const auto is_it = [&](const auto& item) { return item.first == field; };
  return std::ranges::find(columns.optional, field) != columns.optional.end() &&
         std::ranges::none_of(columns.fields, is_it);
}

RowFormat format_of(const Columns& columns, const Signature& signature) {
  RowFormat format{.rows = columns.rows,
                   .delimiter = columns.delimiter,
                   .columns = columns.names,
                   .encoding = columns.encoding,
                   .only_read = true,
                   .first_bytes = columns.first_bytes};
  for (const std::string& field : signature.names())
    format.read.push_back(column_for(columns, field));
  for (const std::string* column : {&columns.id, &columns.group, &columns.split})
    if (!column->empty()) format.read.push_back(*column);
  for (const Condition& condition : columns.where) format.read.push_back(condition.column);
  return format;
}

/// Makes rows into examples, and counts what it leaves out.
class ExampleReader {
 public:
  ExampleReader(const std::filesystem::path& file, const Columns& columns,
                const Signature& signature, const std::string& prefix,
                std::vector<std::string>& remarks)
      : file_(file), columns_(columns), signature_(signature), prefix_(prefix), remarks_(remarks) {}

  /// @return nullopt for a row that is left out
  std::optional<Example> read(std::size_t number, const std::string& where, const Json& row) {
    ++n_rows_;
    if (!std::ranges::all_of(columns_.where, [&](const auto& one) { return meets(row, one); })) {
      ++n_excluded_;
      return std::nullopt;
    }
    if (const Field* field = unlabelled(row)) {
      if (n_unlabelled_++ == 0) {
        first_unlabelled_ = field->name;
        first_fault_ = no_column(row, column_for(columns_, field->name), use_of(*field), where);
      }
      return std::nullopt;
    }
    Example example;
    example.id = columns_.id.empty() ? fmt::format("{}{}", prefix_, number + 1)
                                     : name_of(row, columns_.id, "id", where);
    if (!columns_.id.empty()) id_hashes_.push_back(std::hash<std::string>{}(example.id));
    example.group =
        columns_.group.empty() ? example.id : name_of(row, columns_.group, "group", where);
    for (const Field& field : signature_.inputs) set(example, field, true, row, where);
    for (const Field& field : signature_.outputs)
      if (!is_optional(columns_, field.name) || has(row, field))
        set(example, field, false, row, where);
    return example;
  }

  /// What the row says its split is; empty: nothing.
  std::string split_of_row(const Json& row, const std::string& where) const {
    return columns_.split.empty() ? "" : name_of(row, columns_.split, "split", where);
  }

  /// Remarks what was left out.   @throws UserError where nothing else is there
  void finish() {
    const std::string file = file_.filename().string();
    if (n_rows_ == 0) throw UserError(file_.string() + ": no rows");
    if (n_excluded_ == n_rows_)
      throw UserError(fmt::format("{}: `where` leaves out all {} rows", file_.string(), n_rows_));
    if (n_excluded_ > 0)
      remarks_.push_back(
          fmt::format("{}: {} of {} rows are left out by `where`", file, n_excluded_, n_rows_));
    if (n_unlabelled_ + n_excluded_ == n_rows_) throw *first_fault_;
    if (n_unlabelled_ > 0)
      remarks_.push_back(fmt::format("{}: {} of {} rows are left out, as they have no `{}`", file,
                                     n_unlabelled_, n_rows_,
                                     column_for(columns_, first_unlabelled_)));
    std::ranges::sort(id_hashes_);
    const auto twice = std::ranges::adjacent_find(id_hashes_);
    if (twice != id_hashes_.end()) name_second(*twice);
  }

 private:
  static std::string use_of(const Field& field) { return "the field `" + field.name + "`"; }

  static MissingColumn no_column(const Json& row, const std::string& column, const std::string& use,
                                 const std::string& where) {
    Json made;
    if (find_cell(row, column, made) != nullptr)
      return {fmt::format("{}: column `{}` holds nothing for {}", where, column, use), column,
              key_list(row)};
    std::vector<std::string> keys;
    if (row.is_object())
      for (const auto& [key, value] : row.items()) keys.push_back(key);
    return {fmt::format("{}: no column `{}` for {}; there are {}{}", where, column, use,
                        key_list(row), did_you_mean(column, keys)),
            column, key_list(row)};
  }

  /// The cell of a column that has to be there, and to be text as far as it is one.
  const Json& cell_of(const Json& row, const std::string& column, const std::string& use,
                      const std::string& where, Json& made) const {
    const Json* cell = find_cell(row, column, made);
    if (cell == nullptr) throw no_column(row, column, use, where);
    if (!all_readable(*cell))
      throw UserError(fmt::format(
          "{}: column `{}` is not {}: name what it is written in with `encoding:`, such as "
          "windows-1252",
          where, column, columns_.encoding.empty() ? "UTF-8" : columns_.encoding));
    return *cell;
  }

  std::string name_of(const Json& row, const std::string& column, const std::string& use,
                      const std::string& where) const {
    Json made;
    std::optional<std::string> text = scalar_text(cell_of(row, column, use, where, made));
    if (!text || text->empty())
      throw UserError(fmt::format("{}: column `{}` holds no {}", where, column, use));
    return *std::move(text);
  }

  static bool meets(const Json& row, const Condition& condition) {
    Json made;
    const Json* cell = find_cell(row, condition.column, made);
    const bool present = cell != nullptr && !cell->is_null() && *cell != "";
    if (condition.kind != Condition::Kind::kOneOf)
      return present == (condition.kind == Condition::Kind::kPresent);
    const auto text = present ? scalar_text(*cell) : std::nullopt;
    return text && std::ranges::find(condition.values, *text) != condition.values.end();
  }

  /// Whether a row has something for a field, as an empty text is.
  bool has(const Json& row, const Field& field) const {
    Json made;
    const Json* cell = find_cell(row, column_for(columns_, field.name), made);
    if (cell == nullptr || (*cell == "" && field.type.kind != Type::Kind::kStr)) return false;
    return !cell->is_null() || (is_json(field.type) && field.type.cast_json(*cell));
  }

  /// The first output that a row has nothing for, and should.
  const Field* unlabelled(const Json& row) const {
    for (const Field& field : signature_.outputs)
      if (!is_optional(columns_, field.name) && !has(row, field)) return &field;
    return nullptr;
  }

  void set(Example& example, const Field& field, bool input, const Json& row,
           const std::string& where) {
    const std::string& column = column_for(columns_, field.name);
    Json made;
    const Json& stands = cell_of(row, column, use_of(field), where, made);
    const Json found = extracted(field, stands, column, where);
    const Json* cell = found.is_null() ? &stands : &found;
    if (found.is_null()) look_for_data(*cell, field.type, column, where);
    Result<Value> value = to_value(*cell, field.type, input);
    if (const Json number = number_behind_marks(*cell, field.type); !value && !number.is_null())
      if (auto solved = to_value(number, field.type, input)) {
        value = std::move(solved);
        remark_once(column, where,
                    fmt::format("column `{}` holds worked solutions, of which the number behind "
                                "`####` is read",
                                column));
      }
    if (const auto option = value ? std::nullopt : option_like(*cell, field.type)) {
      remark_once(column, where,
                  fmt::format("column `{}` spells options in another way: '{}' is read as '{}'",
                              column, shortened(*scalar_text(*cell), 40), to_text(*option)));
      value = *option;
    }
    if (!value)
      throw UserError(fmt::format("{}: column `{}`: {}", where, column,
                                  shortened(value.error().message, kLongestReason)));
    example.fields.set(field.name, *std::move(value));
    if (input) return;
    if (auto all = accepted_answers(*cell, field.type))
      example.accepted.set(field.name, *std::move(all));
  }

  /// What `extract` finds in a text, or in each of several; null where none is given for the field.
  Json extracted(const Field& field, const Json& cell, const std::string& column,
                 const std::string& where) const {
    const auto given =
        std::ranges::find(columns_.extract, field.name, &std::pair<std::string, Pattern>::first);
    if (given == columns_.extract.end()) return nullptr;
    const auto find = [&](const Json& one) -> Json {
      const auto text = scalar_text(one);
      const auto match = text ? given->second.first_match(*text) : std::nullopt;
      if (!match)
        throw UserError(fmt::format("{}: column `{}`: `{}` finds nothing in '{}'", where, column,
                                    shortened(given->second.text(), 60),
                                    shortened(text.value_or(""), 60)));
      return *match;
    };
    if (!cell.is_array()) return find(cell);
    Json all = Json::array();
    for (const Json& one : cell) all.push_back(find(one));
    return all;
  }

  void look_for_data(const Json& cell, const Type& type, const std::string& column,
                     const std::string& where) {
    if (type.kind != Type::Kind::kStr || !cell.is_string() || said_.contains(column)) return;
    const std::string_view what = data_in(cell.get_ref<const std::string&>());
    if (!what.empty())
      remark_once(
          column, where,
          fmt::format("column `{}` holds {} as a text, which is shown as it stands", column, what));
  }

  void remark_once(const std::string& column, const std::string& where, const std::string& line) {
    if (said_.insert(column).second) remarks_.push_back(place_in(file_, where) + ": " + line);
  }

  /// Reads the file once more, for the place of the second row with an id.
  [[noreturn]] void name_second(std::size_t id_hash) const {
    std::unordered_set<std::string> ids;
    for_each_row(file_, format_of(columns_, signature_), [&](const auto& where, const Json& row) {
      Json made;
      const Json* cell = find_cell(row, columns_.id, made);
      const auto id = cell == nullptr ? std::nullopt : scalar_text(*cell);
      if (!id || std::hash<std::string>{}(*id) != id_hash || ids.insert(*id).second) return;
      throw UserError(fmt::format("{}: column `{}`: another row has the id `{}`", where,
                                  columns_.id, shortened(*id, 60)));
    });
    throw UserError(file_.string() + ": it changes while it is read");
  }

  const std::filesystem::path& file_;
  const Columns& columns_;
  const Signature& signature_;
  const std::string& prefix_;
  std::vector<std::string>& remarks_;
  std::set<std::string> said_;  ///< columns of which something is remarked
  std::size_t n_rows_ = 0, n_excluded_ = 0, n_unlabelled_ = 0;
  std::string first_unlabelled_;
  std::optional<MissingColumn> first_fault_;
  std::vector<std::size_t> id_hashes_;
};

char read_delimiter(const Config& data) {
  const auto given = data.find("delimiter");
  if (!given) return 0;
  const std::string text = given->text();
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() != 1 || text == "\"" || text == "\n" || text == "\r")
    given->fail("'delimiter' is one character, such as ';', or tab");
  return text[0];
}

Condition read_condition(const Columns& columns, const Signature& signature,
                         const std::string& name, const Config& rule) {
  const std::string column =
      signature.find(name) != nullptr ? column_for(columns, name) : dotted_path(name);
  if (rule.is_sequence()) {
    Condition condition{column, Condition::Kind::kOneOf, {}};
    for (const Config& value : rule.items()) condition.values.push_back(value.text());
    return condition;
  }
  const std::string text = rule.text();
  if (text == "present") return {column, Condition::Kind::kPresent};
  if (text == "absent") return {column, Condition::Kind::kAbsent};
  return {column, Condition::Kind::kOneOf, {text}};
}

void check_field(const Signature& signature, const std::string& field, const Config& given) {
  if (signature.find(field) == nullptr)
    given.fail(fmt::format("the signature has no field `{}`; it has `{}`", field,
                           fmt::join(signature.names(), "`, `")));
}

}  // namespace

Columns read_file_format(const Config& mapping, const Signature& signature) {
  Columns columns;
  columns.rows = dotted_path(mapping.text("rows", ""));
  columns.delimiter = read_delimiter(mapping);
  columns.names = mapping.texts("columns");
  columns.encoding = mapping.text("encoding", "");
  if (const auto fields = mapping.find("fields"))
    for (const auto& [field, column] : fields->entries()) {
      check_field(signature, field, column);
      columns.fields.emplace_back(field, dotted_path(column.text()));
    }
  if (const auto extract = mapping.find("extract"))
    for (const auto& [field, pattern] : extract->entries()) {
      check_field(signature, field, pattern);
      try {
        columns.extract.emplace_back(field, Pattern(pattern.text()));
      } catch (const UserError& e) {
        pattern.fail(e.what());
      }
    }
  return columns;
}

Columns read_columns(const Config& data, const Signature& signature) {
  Columns columns = read_file_format(data, signature);
  columns.id = dotted_path(data.text("id", ""));
  columns.group = dotted_path(data.text("group", ""));
  if (const auto where = data.find("where"))
    for (const auto& [name, rule] : where->entries())
      columns.where.push_back(read_condition(columns, signature, name, rule));
  return columns;
}

void for_each_example(const std::filesystem::path& file, const Columns& columns,
                      const Signature& signature, const std::string& prefix,
                      std::vector<std::string>& remarks, const UseExample& use,
                      const std::function<bool(std::size_t)>& wanted) {
  ExampleReader reader(file, columns, signature, prefix, remarks);
  RowFormat format = format_of(columns, signature);
  std::size_t number = 0;
  format.wanted = [&](std::size_t n) {
    number = n;
    return !wanted || wanted(n);
  };
  for_each_row(file, format, [&](const std::string& where, const Json& row) {
    if (auto example = reader.read(number, where, row))
      use(number, *std::move(example), reader.split_of_row(row, where));
  });
  if (!wanted) reader.finish();
}

std::vector<Example> read_examples(const std::filesystem::path& file, const Columns& columns,
                                   const Signature& signature, std::vector<std::string>& remarks,
                                   const std::string& prefix) {
  std::vector<Example> examples;
  for_each_example(file, columns, signature, prefix, remarks,
                   [&](std::size_t, Example example, const std::string&) {
                     examples.push_back(std::move(example));
                   });
  return examples;
}

}  // namespace theta

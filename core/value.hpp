#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace theta {

/// What no other alternative of a Value holds, as JSON in the spelling of write_json(): null, a
/// number with more digits than 64 bits or a double hold, an object, a list of more than texts.
struct JsonValue {
  std::string text;
  bool is_null() const { return text == "null"; }
  bool operator==(const JsonValue&) const = default;
};

/// What a field can hold: DSPy's str, int, float, bool and list[str], and other JSON. A Literal is
/// a string, or a whole number.
using Value =
    std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>, JsonValue>;

/// The text form that DSPy puts into a prompt for a field of type str: `True`, `3`, `0.5`, `1e-07`,
/// `None`, the string itself, the JSON; a list of texts as numbered `[1] «x»` lines, one item
/// without the number, none as `N/A` (dspy 3.4.1, adapters/utils.py format_field_value; a list of
/// objects in a str field is Python's repr there). See Type::text() for other fields.
std::string to_text(const Value& value);

/// Whether this is null: a field that is there and empty, which DSPy shows as `None`.
inline bool is_null(const Value& value) {
  const auto* json = std::get_if<JsonValue>(&value);
  return json != nullptr && json->is_null();
}

/// Field values by name, in the order in which they were set. Small: looked up linearly.
class Record {
 public:
  using Item = std::pair<std::string, Value>;

  Record() = default;
  Record(std::initializer_list<Item> items) : items_(items) {}

  /// @return nullptr if there is no such field.
  const Value* find(std::string_view name) const;
  /// @throws UserError naming the missing field and those that are there.
  const Value& at(std::string_view name) const;
  /// The text of a field.   @throws as at().
  std::string text(std::string_view name) const { return to_text(at(name)); }
  /// Sets or replaces a field; its place stays.
  void set(std::string name, Value value);

  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  bool operator==(const Record&) const = default;

 private:
  std::vector<Item> items_;
};

}  // namespace theta

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/value.hpp"

namespace theta {

/// The type of a field, as Python annotates it.
struct Type {
  enum class Kind {
    kStr,
    kInt,
    kFloat,
    kBool,
    kLiteral,  ///< one of `literals`; an enum where it has a name
    kList,
    kDict,    ///< its keys are texts
    kRecord,  ///< named members, pydantic's BaseModel
    kUnion,   ///< `int | str`; Optional[T] is one of T and None
    kNone,
    kAny
  };
  Kind kind = Kind::kStr;
  std::vector<Value> literals;  ///< for kLiteral, in order: texts, numbers, True, False, None
  /// Of a list its items' type, of a dict its values': one, or none for a bare `list` or `dict`. Of
  /// a union the alternatives; of a record the members'.
  std::vector<Type> of = {};
  std::vector<std::string> members = {};  ///< of a record: their names, in the order of `of`
  std::string title = {};                 ///< of an enum or a record: its name

  /// As prompts name it, in DSPy's words: `str`, `list[int]`, `Union[str, NoneType]`,
  /// `Literal['a', 1]`, `Person` (dspy 3.4.1, adapters/utils.py get_annotation_name).
  std::string name() const;
  /// As a signature writes it, which reads back: `str | None`, literals with their escapes.
  std::string annotation() const;
  /// The texts an answer can take where they are few: a Literal's or an enum's values,
  /// `True`/`False`; else empty.
  std::vector<std::string> options() const;
  /// Whether it is None or has it among its alternatives.
  bool optional() const;
  /// Whether its values are lists or objects, and nothing else.
  bool structured() const;

  /// Casts an answer by DSPy's rules (dspy 3.4.1, adapters/utils.py parse_value): a str verbatim, as
  /// is a union that admits both str and None; a Literal exactly, else trimmed, unwrapped and
  /// unquoted; a list or an object as repaired_json() reads it, its parts as pydantic takes them.
  /// Stricter than DSPy for numbers (no NaN, no infinity, no hexadecimal), laxer for a Literal: marks
  /// around it and a full stop behind it are no part of it. A whole number keeps its digits.
  Result<Value> cast(std::string_view text) const;
  /// The same of a value that parse_json() read.
  Result<Value> cast_json(const nlohmann::ordered_json& value) const;
  /// cast() for an input, which is shown: a number that no double holds to the digit stays text.
  Result<Value> read(std::string_view text) const;
  /// A value as it stands in a prompt: to_text(), but a list in a field that is not str is JSON
  /// (format_field_value of the same file).
  std::string text(const Value& value) const;
  bool operator==(const Type&) const = default;
};

/// The enums and records that annotations name, told by their titles.
using Types = std::vector<Type>;

/// Reads `list[str]`, `Person | None`.
/// @throws UserError `column N: message` at the first character that cannot be read.
Type parse_type(std::string_view text, const Types& named = {});

}  // namespace theta

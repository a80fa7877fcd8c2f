#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/type.hpp"

namespace theta {

struct Field {
  std::string name;
  Type type;
  std::string prefix;       ///< `Past Judgements:`, inferred from the name if not given
  std::string description;  ///< `${name}` if not given
  bool operator==(const Field&) const = default;
};

/// What a program asks: an instruction, input fields and output fields. A value type; every edit
/// returns a new one. Names are unique over inputs and outputs. dspy 3.4.1,
/// signatures/signature.py.
struct Signature {
  std::string instructions;
  std::vector<Field> inputs;
  std::vector<Field> outputs;

  /// Reads `"context, first -> preference: Literal['First','Second']"`.
  /// @param named  the enums and records that its annotations may name
  /// An empty instruction becomes DSPy's default: "Given the fields `a`, `b`, produce the fields
  /// `c`."
  /// @throws UserError `column N: message` at the first character that cannot be read.
  static Signature parse(std::string_view text, std::string instructions = "",
                         const Types& named = {});

  /// Indentation common to all lines but the first is dropped, as DSPy does; empty: the default.
  Signature with_instructions(std::string text) const;
  /// @throws UserError if there is a field of that name.
  Signature prepend_output(Field field) const;
  Signature append_input(Field field) const;
  /// Sets the description of a field of that name.   @throws UserError if there is none.
  Signature describe(std::string_view name, std::string description) const;

  const Field* find(std::string_view name) const;
  /// Of all fields, inputs first.
  std::vector<std::string> names() const;
  /// The text form back: parse(text()) has the same fields.
  std::string text() const;
  bool operator==(const Signature&) const = default;
};

/// A field with DSPy's inferred prefix and default description: `text2number` -> "Text 2 Number:".
Field make_field(std::string name, Type type = {}, std::string description = "");

/// DSPy's chain of thought is an edit of the signature, nothing else: a `reasoning` output in
/// front.
Signature chain_of_thought(const Signature& signature);
/// Whether it is one: its first output is `reasoning`, and not its only one.
bool reasons(const Signature& signature);
/// The signature that a chain of thought is an edit of.
Signature without_reasoning(Signature signature);

}  // namespace theta

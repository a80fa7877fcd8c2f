#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "modules/adapter.hpp"

namespace theta {

/// What DSPy's ChatAdapter and JSONAdapter share: the order of the messages, the system message's
/// frame and the user's turns. dspy 3.4.1, adapters/base.py and chat_adapter.py.
class DspyAdapter : public Adapter {
 public:
  using Adapter::format;
  std::vector<Messages> format(const Signature& signature, std::span<const Demo> demos,
                               std::span<const Record> inputs) const final;
  /// The markers of the signature's fields are broken, and the one that ends an answer:
  /// `[[ ## name ## ]]` becomes `[ [ ## name ## ]]`.
  std::string defused(const Signature& signature, std::string_view text) const final;

 protected:
  /// The part of the system message that shows how inputs and outputs are laid out.
  virtual std::string structure(const Signature& signature) const = 0;
  /// The sentence at the end of the question that says how to answer.
  virtual std::string reminder(const Signature& signature) const = 0;
  /// The assistant's turn; `missing` stands for outputs that are not there.
  virtual std::string answer(const Signature& signature, const Demo& demo,
                             std::string_view missing) const = 0;

  static constexpr std::string_view kCompleted = "completed";  ///< ends an answer's sections
  static std::string marker(std::string_view name) { return fmt::format("[[ ## {} ## ]]", name); }
  static std::string header(const Field& field) { return marker(field.name); }
  /// `{name}`, and for a typed output a note on what it may hold.
  static std::string placeholder(const Field& field, bool output);
  /// The headers and placeholders of several fields.
  static std::string sections(const std::vector<Field>& fields, bool outputs);
  /// A value as it stands in a section, defused unless it goes as it is.
  std::string shown(const Signature& signature, const Field& field, const Value& value,
                    bool as_is = false) const;
  /// ` (must be formatted as a valid Python int)`, empty for str.
  static std::string requirement(const Field& field);
};

}  // namespace theta

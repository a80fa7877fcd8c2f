#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/example.hpp"
#include "core/models/language_model.hpp"
#include "core/signature.hpp"
#include "modules/format.hpp"

namespace theta {

/// How a signature is written into messages and read back. Stateless, thread-safe.
///
/// A value that holds the opening of a field is defused before it enters a prompt, so that no value
/// can open or close a field of its signature. Demos of a state that DSPy wrote (Demo::as_is) and
/// the signature's own texts stand as they are.
class Adapter {
 public:
  virtual ~Adapter() = default;

  virtual std::string name() const = 0;

  /// The messages for each input: system, demos as user/assistant pairs (incomplete ones first, as
  /// DSPy), then the input. What the inputs share is written once.
  /// @throws UserError naming a missing input field.
  virtual std::vector<Messages> format(const Signature& signature, std::span<const Demo> demos,
                                       std::span<const Record> inputs) const = 0;
  Messages format(const Signature& signature, std::span<const Demo> demos,
                  const Record& inputs) const {
    return format(signature, demos, std::span(&inputs, 1)).front();
  }

  /// A text from data or a model as it may stand inside an instruction, defused like a value.
  virtual std::string defused(const Signature& signature, std::string_view text) const = 0;

  /// Whether a text begins with the opening of a field: whoever writes so begins an answer anew.
  virtual bool opens_field(const Signature& signature, std::string_view text) const = 0;

  /// The output fields of an answer. A prompt's fault if one is missing or cannot be cast.
  virtual Result<Record> parse(const Signature& signature, std::string_view answer) const = 0;

  /// The text of an answer up to where the value of output `field` begins, given the outputs before
  /// it. Options are scored behind it, and generation of one field starts there.
  virtual std::string answer_prefix(const Signature& signature, const Record& outputs_before,
                                    std::size_t field) const = 0;

  /// The options of output `field` (Type::options()) as they are written behind answer_prefix.
  virtual std::vector<std::string> options(const Signature& signature, std::size_t field) const = 0;

  /// GBNF of an answer from behind answer_prefix of the first output to the end of output
  /// `count` - 1: every string it admits parses as the first `count` outputs.
  virtual std::string grammar(const Signature& signature, std::size_t count) const = 0;

  /// JSON schema of an answer of the first `count` outputs; empty where it is not JSON, or its
  /// values may hold anything.
  virtual std::string schema(const Signature& /*signature*/, std::size_t /*count*/) const {
    return "";
  }

  /// Texts that end an answer of which only the first `count` outputs are wanted, for models that
  /// run without a grammar.
  virtual std::vector<std::string> stop(const Signature& signature, std::size_t count) const = 0;
};

/// DSPy's ChatAdapter to the byte: `[[ ## field ## ]]` sections. dspy 3.4.1,
/// adapters/chat_adapter.py.
std::unique_ptr<Adapter> make_chat_adapter();
/// DSPy's JSONAdapter to the byte. dspy 3.4.1, adapters/json_adapter.py.
std::unique_ptr<Adapter> make_json_adapter();
/// For small models: the instruction, then `Prefix: value` lines; a tenth of the tokens.
/// @param list_options  below the instruction a line tells what each output may say that has options
/// @param place  of the instruction and those lines; without demos they stand once, before the input
std::unique_ptr<Adapter> make_terse_adapter(bool list_options = true,
                                            InstructionPlace place = InstructionPlace::kBefore);
/// The adapter of a format.
/// @throws UserError for an unknown name, and for what chat and json do not have: options that are
///   not listed, an instruction elsewhere.
std::shared_ptr<const Adapter> make_adapter(const Format& format);

}  // namespace theta

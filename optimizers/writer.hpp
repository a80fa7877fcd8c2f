#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/adapter.hpp"
#include "modules/copy_guard.hpp"
#include "modules/module.hpp"

namespace theta {

/// How a model is asked to write instructions. Defaults of dspy 3.4.1,
/// propose/grounded_proposer.py.
struct WriterOptions {
  std::shared_ptr<const Adapter> adapter = make_chat_adapter();  ///< terse suits tiny models
  double temperature = 1;
  int max_tokens = 256;
  int attempts = 3;             ///< at each text: one that cannot be used is asked again
  std::size_t max_copied = 40;  ///< bytes; an instruction that shares this much text with a
                                ///< training example is not used. 0: any may be
};

/// A model that writes texts, every call with its own sample.
class Writer {
 public:
  /// What `call` and `options` refer to outlives this.
  Writer(const Call& call, const WriterOptions& options, std::uint64_t seed)
      : call_(call), options_(options), seed_(seed) {}

  /// One wave.
  std::vector<Result<Prediction>> write(const Signature& signature, std::span<const Record> inputs);
  /// The last output of one call, asked for until it can be parsed; empty after `attempts` that
  /// could not.   @throws RunError if the service failed the last.
  std::string write(const Signature& signature, const Record& input);

 private:
  const Call call_;
  const WriterOptions& options_;
  const std::uint64_t seed_;
  std::uint64_t calls_ = 0;
};

/// What came of the instructions that a model was asked for.
struct ProposalCounts {
  std::int64_t asked = 0;
  std::int64_t failed = 0;        ///< service
  std::int64_t unparsable = 0;    ///< or empty
  std::int64_t cut = 0;           ///< by its limit of tokens
  std::int64_t thoughts = 0;      ///< stripped of a thought, or nothing but one
  std::int64_t fenced = 0;        ///< stripped of a code fence
  std::int64_t duplicate = 0;     ///< of the program's own instruction or of another proposal
  std::int64_t copied = 0;        ///< held text of a training example
  std::int64_t too_long = 0;      ///< for the limit on the prompt's tokens
  std::int64_t longest_copy = 0;  ///< bytes of a training example that one of those copied held

  /// For a report: what, and how many.
  std::vector<std::pair<std::string, std::int64_t>> list() const;
  ProposalCounts& operator+=(const ProposalCounts& other);
};

/// What a code fence holds (``` or ~~~, with or without a language) that is all of a text but for a
/// line that announces an instruction; none where there is no such.
std::optional<std::string_view> fenced_text(std::string_view text);
/// An answer without double quotes at its ends. dspy 3.4.1, teleprompt/copro_optimizer.py.
std::string strip_quotes(std::string_view text);
/// An answer without a heading of up to five words and a colon at its start, and double quotes at
/// its ends. dspy 3.4.1, propose/utils.py strip_prefix.
std::string strip_prefix(std::string_view text);

/// Tells which proposed instructions are worth an evaluation, and counts what came of the others.
class Screen {
 public:
  /// Whether the program may have this instruction.
  using Fits = std::function<bool(const std::string& instruction)>;

  /// What an instruction is without what chatty models put around it.
  using Clean = std::string (*)(std::string_view text);

  Screen(std::span<const Example> train, std::size_t max_copied, Clean clean = strip_quotes)
      : guard_(train, max_copied), clean_(clean) {}

  /// The clean instruction that an answer's `field` holds, without a thought before it or a code
  /// fence around it, field markers broken; none if it cannot be parsed, was cut by its limit of
  /// tokens, is empty or among `known`, was copied, or does not fit.
  std::optional<std::string> take(const Result<Prediction>& answer, std::string_view field,
                                  std::span<const std::string> known, const Fits& fits = {});
  const ProposalCounts& counts() const { return counts_; }
  /// @throws RunError with the last reason if the service failed everything that was asked.
  void check() const;

 private:
  std::string cleaned(std::string_view said);

  const CopyGuard guard_;
  const Clean clean_;
  ProposalCounts counts_;
  std::string reason_;
};

}  // namespace theta

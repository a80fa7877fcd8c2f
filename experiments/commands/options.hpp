#pragma once

#include <boost/program_options.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/runs/saved_prompt.hpp"

namespace theta::option {

/// Whether a command only counts what it would ask.
struct DryRunArguments {
  bool asked = false;
  double rate = 0;  ///< calls a second that the models answer; 0: not known

  /// @throws UserError for a rate that nothing is done with.
  bool wanted() const;
};

// Values of options. Each goes to `out`, which keeps what it holds where the option is not given.

using Texts = boost::program_options::typed_value<std::vector<std::string>>;
using Text = boost::program_options::typed_value<std::string>;
using Flag = boost::program_options::typed_value<bool>;
using Number = boost::program_options::typed_value<std::int64_t>;
using Real = boost::program_options::typed_value<double>;

/// An option that may be given again and again.   @param shown  what its usage calls the value
Texts* texts(std::vector<std::string>& out, const char* shown);
Text* text(std::string& out, const char* shown);
Flag* flag(bool& out);
/// @throws UserError for a number below `least`, which names `option`.
Number* number(std::int64_t& out, const char* shown, const char* option, std::int64_t least);
/// @throws UserError for a number outside [0, 1).
Real* share(double& out, const char* shown, const char* option);
/// @throws UserError for a number that is not above 0.
Real* positive(double& out, const char* shown, const char* option);

/// `--dry-run` and `--rate`.
void dry_run(boost::program_options::options_description& options, DryRunArguments& out);
/// `--set key=value`, of a config.
void sets(boost::program_options::options_description& options, std::vector<std::string>& out);

/// What is said of a saved prompt and its model.
/// @param kept  where the answers are kept by default
void saved(boost::program_options::options_description& options, PromptArguments& out,
           const std::string& kept);
/// The same and of its data.
void prompt(boost::program_options::options_description& options, PromptArguments& out);
/// What is said of a prompt that is asked about one person: nothing is kept beside it.
void person(boost::program_options::options_description& options, PromptArguments& out);

}  // namespace theta::option

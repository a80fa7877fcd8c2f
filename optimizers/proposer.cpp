#include "optimizers/proposer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "core/rng.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

constexpr std::size_t kShownDemos = 3;
constexpr std::size_t kShownProposals = 5;
constexpr int kMostSkips = 5;  ///< batches with nothing to add, before the summary is written

/// The kinds of instruction that MIPRO asks for: none in particular, creative, simple, descriptive,
/// high stakes, persona.
constexpr std::array<std::string_view, 6> kTips{
    "",
    "Be creative: the new instruction may differ a lot from the basic one.",
    "Keep the instruction clear and concise.",
    "Make the instruction very informative and descriptive.",
    "Let the instruction describe a high-stakes situation in which the task must be solved.",
    "Let the instruction give the model a persona that suits the task (\"You are a ...\")."};

/// `text (str), label (one of positive, negative)`.
std::string list_fields(const std::vector<Field>& fields) {
  std::vector<std::string> shown;
  for (const auto& field : fields) {
    const auto options = field.type.options();
    std::string text = fmt::format("`{}`", field.name);
    if (!options.empty()) text += fmt::format(" (one of: {})", fmt::join(options, ", "));
    if (field.description != fmt::format("${{{}}}", field.name)) text += ", " + field.description;
    shown.push_back(std::move(text));
  }
  return fmt::format("{}", fmt::join(shown, "; "));
}

std::string describe_module(const Predictor& predictor) {
  return fmt::format("A call that reads {} and writes {}.", list_fields(predictor.signature.inputs),
                     list_fields(predictor.signature.outputs));
}

std::string describe_program(const std::vector<const Predictor*>& predictors) {
  std::string text = predictors.size() == 1
                         ? std::string("One call to a language model.")
                         : fmt::format("{} calls to a language model.", predictors.size());
  for (std::size_t p = 0; p < predictors.size(); ++p)
    text +=
        fmt::format("\n{}. {}: {}", p + 1, predictors[p]->name, predictors[p]->signature.text());
  return text;
}

/// Bootstrapped demos out of set `first` and those behind it, round to the one before it.
std::string show_demos(const std::vector<std::vector<Demo>>& sets, std::size_t first) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < sets.size(); ++i)
    for (const auto& demo : sets[(first + i) % sets.size()]) {
      if (shown.size() == kShownDemos) break;
      auto text = field_lines(demo.fields);
      if (demo.augmented && std::find(shown.begin(), shown.end(), text) == shown.end())
        shown.push_back(std::move(text));
    }
  return shown.empty() ? "No demos are known." : fmt::format("{}", fmt::join(shown, "\n"));
}

/// The last of a predictor's choices behind its own instruction, a line each.
std::string show_history(const std::vector<std::string>& choices) {
  const std::size_t shown = std::min(kShownProposals, choices.size() - 1);
  if (shown == 0) return "None was proposed before.";
  return fmt::format(
      "{}", fmt::join(choices.end() - static_cast<std::ptrdiff_t>(shown), choices.end(), "\n"));
}

std::string summarise(std::span<const Example> train, const ProposerOptions& options,
                      Writer& writer) {
  const auto first_look =
      Signature::parse("examples -> observations",
                       "Look at these examples from a data set and write down what holds for most "
                       "of them: topics, content, form, and what task they may be meant for.");
  const auto next_look = Signature::parse(
      "examples, prior_observations -> observations",
      "Look at these further examples from a data set. Add to the prior observations what else "
      "holds for most examples, or write COMPLETE if nothing is missing.");
  const auto sum_up = Signature::parse("observations -> summary",
                                       "Summarise these observations about a data set in two or "
                                       "three sentences that keep only what matters most.");
  const auto batch = [&](std::size_t from) {
    std::vector<std::string> shown;
    for (const auto& example :
         train.subspan(from, std::min(options.summary_batch, train.size() - from)))
      shown.push_back(field_lines(example.fields));
    return Value(fmt::format("{}", fmt::join(shown, "\n")));
  };

  std::string observations = writer.write(first_look, Record{{"examples", batch(0)}});
  if (observations.empty()) return "";
  int skips = 0;
  for (std::size_t b = 1; b < options.summary_batches && skips < kMostSkips; ++b) {
    const std::size_t from = b * options.summary_batch;
    if (from >= train.size()) break;
    const std::string more = writer.write(
        next_look, Record{{"examples", batch(from)}, {"prior_observations", observations}});
    std::string begin = more.substr(0, 8);
    for (char& c : begin) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (more.empty() || begin == "COMPLETE")
      ++skips;
    else
      observations += "\n" + more;
  }
  return strip_prefix(writer.write(sum_up, Record{{"observations", observations}}));
}

Signature proposal_signature(const ProposerOptions& options, bool summary, bool tip) {
  std::string inputs;
  if (summary) inputs += "dataset_description, ";
  if (options.program_summary) inputs += "program_description, module_description, ";
  if (options.demos) inputs += "task_demos, ";
  if (options.history) inputs += "previous_instructions, ";
  inputs += "basic_instruction";
  if (tip) inputs += ", tip";
  return Signature::parse(inputs + " -> proposed_instruction",
                          "Learn from what is given below about a task that a language model is to "
                          "solve. Then write a new instruction that will make it solve the task "
                          "better.");
}

/// A proposal that is still to be made.
struct Slot {
  std::size_t predictor;
  std::size_t demo_set;
  std::size_t number = 0;  ///< of the proposal among its predictor's
};

}  // namespace

Proposals propose(const Module& student, const DemoSets& demo_sets, std::span<const Example> train,
                  const std::vector<std::size_t>& wanted, const Call& proposer,
                  const ProposerOptions& options, Rng& rng) {
  const auto predictors = student.predictors();
  require(demo_sets.size() == predictors.size(), "every predictor has its demo sets");
  Proposals proposals;
  for (const auto* predictor : predictors)
    proposals.instructions.push_back({predictor->signature.instructions});
  require(wanted.size() == predictors.size(), "a number of instructions for every predictor");
  if (std::all_of(wanted.begin(), wanted.end(), [](std::size_t n) { return n == 0; }))
    return proposals;

  Writer writer(proposer, options.writer, rng.next());
  if (options.data_summary && !train.empty())
    proposals.data_summary = summarise(train, options, writer);
  Screen screen(train, options.writer.max_copied, strip_prefix);
  const auto accept = [&](std::size_t p, const Result<Prediction>& answer) {
    auto& known = proposals.instructions[p];
    auto text = screen.take(
        answer, "proposed_instruction",
        options.unique ? std::span<const std::string>(known) : std::span<const std::string>());
    if (text) known.push_back(*std::move(text));
    return text.has_value();
  };

  std::vector<Slot> missing;
  for (std::size_t p = 0; p < predictors.size(); ++p)
    for (std::size_t k = 0; k < wanted[p]; ++k)
      missing.push_back({p, demo_sets[p].empty() ? 0 : (k + 1) % demo_sets[p].size(), k});
  const auto ask = [&](std::span<const Slot> wanted_now, std::vector<Slot>& rejected) {
    // A signature has a tip or has none, so that there are two waves.
    std::array<std::vector<Slot>, 2> slots;
    std::array<std::vector<Record>, 2> inputs;
    for (const auto& slot : wanted_now) {
      const std::size_t own = options.own_tips.size();
      const std::string_view tip = own > 0        ? options.own_tips[slot.number % own]
                                   : options.tips ? kTips[rng.below(kTips.size())]
                                                  : "";
      const auto& predictor = *predictors[slot.predictor];
      Record input{{"dataset_description", proposals.data_summary},
                   {"program_description", describe_program(predictors)},
                   {"module_description", describe_module(predictor)},
                   {"task_demos", show_demos(demo_sets[slot.predictor], slot.demo_set)},
                   {"previous_instructions", show_history(proposals.instructions[slot.predictor])},
                   {"basic_instruction", predictor.signature.instructions},
                   {"tip", std::string(tip)}};
      slots[tip.empty() ? 0 : 1].push_back(slot);
      inputs[tip.empty() ? 0 : 1].push_back(std::move(input));
    }
    for (const std::size_t tip : {0u, 1u}) {
      if (inputs[tip].empty()) continue;
      const auto signature = proposal_signature(options, !proposals.data_summary.empty(), tip == 1);
      const auto answers = writer.write(signature, inputs[tip]);
      for (std::size_t i = 0; i < answers.size(); ++i)
        if (!accept(slots[tip][i].predictor, answers[i])) rejected.push_back(slots[tip][i]);
    }
  };
  if (options.history) std::ranges::stable_sort(missing, {}, &Slot::number);
  for (int attempt = 0; attempt < options.writer.attempts && !missing.empty(); ++attempt) {
    std::vector<Slot> rejected;
    const std::span<const Slot> all = missing;
    for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
      end = begin + 1;
      while (end < all.size() && (!options.history || all[end].number == all[begin].number)) ++end;
      ask(all.subspan(begin, end - begin), rejected);
    }
    missing = std::move(rejected);
  }
  screen.check();
  proposals.counts = screen.counts();
  return proposals;
}

}  // namespace theta

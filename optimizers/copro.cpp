#include "optimizers/copro.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace theta {
namespace {

std::vector<std::string> instructions_of(const Module& program) {
  std::vector<std::string> all;
  for (const auto* predictor : program.predictors())
    all.push_back(predictor->signature.instructions);
  return all;
}

/// An instruction that was tried in one predictor, with the best score it was part of.
struct Attempt {
  std::string instruction;
  double score;
};

class CoordinateAscent {
 public:
  CoordinateAscent(const Module& student, const Task& task, const CoproOptions& options)
      : task_(task),
        options_(options),
        contest_("copro", task),
        writer_({task.proposer, task.stop}, options_.writer, options.seed),
        screen_(task.train, options.writer.max_copied),
        program_(student.clone()),
        attempts_(student.predictors().size()) {
    options.limits.check(student);
  }

  Compiled run() {
    enter();
    if (contest_.over()) return std::move(contest_).result();
    for (std::size_t p = 0; p < attempts_.size(); ++p) {
      attempts_[p] = {{instructions_of(*program_)[p], scores_.begin()->second}};
      if (!options_.limits.freezes(*predictor(p), "instruction")) free_.push_back(p);
    }
    for (std::size_t round = 0; round < options_.depth && !contest_.over(); ++round) {
      std::vector<std::vector<std::string>> proposed;
      if (!contest_.step([&] { proposed = propose(round == 0); })) break;
      for (std::size_t i = 0; i < free_.size(); ++i) climb(free_[i], proposed[i]);
    }
    return std::move(contest_).result(screen_.counts());
  }

 private:
  const Predictor* predictor(std::size_t p) const {
    return static_cast<const Module&>(*program_).predictors()[p];
  }
  void set(std::size_t p, const std::string& instruction) {
    auto& signature = program_->predictors()[p]->signature;
    signature = signature.with_instructions(instruction);
  }

  /// The score of program_, evaluated unless it has been; nullopt as Contest::enter().
  std::optional<double> enter() {
    const auto key = instructions_of(*program_);
    if (const auto found = scores_.find(key); found != scores_.end()) return found->second;
    const auto scores = contest_.enter([&] { return program_->clone(); });
    if (!scores) return std::nullopt;
    return scores_[key] = mean(*scores);
  }

  /// Tries new instructions of one predictor and leaves its best in program_. With several
  /// predictors the old ones are tried again beside what the others have become.
  void climb(std::size_t p, const std::vector<std::string>& proposed) {
    for (const auto& instruction : proposed) attempts_[p].push_back({instruction, -1});
    const std::size_t first = attempts_.size() > 1 ? 0 : attempts_[p].size() - proposed.size();
    for (std::size_t i = first; i < attempts_[p].size() && !contest_.over(); ++i) {
      set(p, attempts_[p][i].instruction);
      if (const auto score = enter())
        attempts_[p][i].score = std::max(attempts_[p][i].score, *score);
    }
    const auto best =
        std::max_element(attempts_[p].begin(), attempts_[p].end(),
                         [](const Attempt& a, const Attempt& b) { return a.score < b.score; });
    set(p, best->instruction);
  }

  /// The best of what was tried, worst first.
  std::string history(std::size_t p) const {
    std::vector<Attempt> best = attempts_[p];
    std::stable_sort(best.begin(), best.end(),
                     [](const Attempt& a, const Attempt& b) { return a.score > b.score; });
    best.resize(std::min(best.size(), options_.breadth));
    std::string text;
    int number = 0;
    for (auto attempt = best.rbegin(); attempt != best.rend(); ++attempt)
      text += fmt::format("{}. Instruction: {}\nScore: {:.1f}\n", ++number, attempt->instruction,
                          100 * attempt->score);
    return text;
  }

  /// New instructions of the predictors in free_. All that are still missing share a wave.
  std::vector<std::vector<std::string>> propose(bool first) {
    const auto signature =
        first
            ? Signature::parse("basic_instruction -> proposed_instruction",
                               "Improve the instruction that a language model is given for a "
                               "task. Write one that will make it solve the task better; be bold.")
            : Signature::parse("attempted_instructions -> proposed_instruction",
                               "A language model was given several instructions for one task. "
                               "Below they stand in the order of their scores, up to 100, the "
                               "best last. Write a new instruction that will score even higher; "
                               "be bold.");
    std::vector<std::vector<std::string>> proposed(free_.size());
    const std::size_t wanted = options_.breadth - (first ? 1 : 0);
    for (int attempt = 0; attempt < options_.writer.attempts; ++attempt) {
      std::vector<Record> inputs;
      std::vector<std::size_t> owners;  // of the inputs, in free_
      for (std::size_t i = 0; i < free_.size(); ++i)
        for (std::size_t k = proposed[i].size(); k < wanted; ++k) {
          inputs.push_back(first ? Record{{"basic_instruction", attempts_[free_[i]][0].instruction}}
                                 : Record{{"attempted_instructions", history(free_[i])}});
          owners.push_back(i);
        }
      if (inputs.empty()) break;
      const auto answers = writer_.write(signature, inputs);
      for (std::size_t k = 0; k < answers.size(); ++k) {
        const std::size_t i = owners[k];
        auto known = proposed[i];
        for (const auto& tried : attempts_[free_[i]]) known.push_back(tried.instruction);
        const auto kept = [&](std::string text) {
          return options_.limits.keeping(attempts_[free_[i]][0].instruction, std::move(text));
        };
        auto text = screen_.take(answers[k], "proposed_instruction", known,
                                 [&](const std::string& t) { return fits(free_[i], kept(t)); });
        if (text) proposed[i].push_back(kept(*std::move(text)));
      }
    }
    screen_.check();
    return proposed;
  }

  bool fits(std::size_t p, const std::string& instruction) const {
    const auto program = program_->clone();
    auto& signature = program->predictors()[p]->signature;
    signature = signature.with_instructions(instruction);
    return options_.limits.admits(*program, task_.model);
  }

  const Task& task_;
  const CoproOptions& options_;
  Contest contest_;
  Writer writer_;
  Screen screen_;
  std::unique_ptr<Module> program_;                    ///< every predictor at its best so far
  std::vector<std::vector<Attempt>> attempts_;         ///< by predictor
  std::vector<std::size_t> free_;                      ///< predictors whose instruction may change
  std::map<std::vector<std::string>, double> scores_;  ///< of every program that was evaluated
};

}  // namespace

Compiled Copro::search(const Module& student, const Task& task) {
  return CoordinateAscent(student, task, options_).run();
}

}  // namespace theta

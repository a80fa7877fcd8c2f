#include "optimizers/shorten.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/statistics.hpp"
#include "modules/evaluate.hpp"
#include "optimizers/prompt_limits.hpp"

namespace theta {
namespace {

constexpr std::size_t kBlock = 20;  ///< examples asked before a deletion is looked at again

/// A line of an instruction, or a sentence of one that has several.
struct Piece {
  std::string text;
  std::size_t breaks = 0;  ///< line breaks before it; none: a space
};

std::vector<Piece> pieces(const std::string& instruction) {
  std::vector<Piece> all(1);
  for (std::size_t i = 0; i < instruction.size(); ++i) {
    const char c = instruction[i];
    const bool sentence = c == ' ' && all.back().text.ends_with('.') &&
                          i + 1 < instruction.size() &&
                          std::isupper(static_cast<unsigned char>(instruction[i + 1]));
    if (c == '\n' || sentence) {
      if (!all.back().text.empty()) all.emplace_back();
      all.back().breaks += c == '\n';
    } else {
      all.back().text += c;
    }
  }
  if (all.back().text.empty()) all.pop_back();
  return all;
}

/// Put together again; what is deleted leaves its line breaks behind.
std::string joined(const std::vector<Piece>& pieces, const std::vector<bool>& deleted) {
  std::string text;
  std::size_t breaks = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    breaks = std::max(breaks, pieces[i].breaks);
    if (deleted[i]) continue;
    if (!text.empty()) text += breaks > 0 ? std::string(breaks, '\n') : " ";
    text += pieces[i].text;
    breaks = 0;
  }
  return text;
}

/// What may be deleted of a program: demo `index` of a predictor, or a piece of its instruction but
/// the first, which says what the task is.
struct Unit {
  std::size_t predictor;
  bool is_demo;
  std::size_t index;
};

class Debugging {
 public:
  Debugging(const Module& program, const Task& task, const PromptLimits& limits,
            const ShortenOptions& options)
      : program_(program), task_(task), options_(options) {
    const auto predictors = program.predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p) {
      pieces_.push_back(pieces(predictors[p]->signature.instructions));
      if (!limits.freezes(*predictors[p], "demos"))
        for (std::size_t i = 0; i < predictors[p]->demos.size(); ++i)
          units_.push_back({p, true, i});
      if (!limits.freezes(*predictors[p], "instruction"))
        for (std::size_t i = 1; i < pieces_[p].size(); ++i)
          if (!is_kept(p, i, predictors[p]->signature.instructions, limits))
            units_.push_back({p, false, i});
    }
  }

  Shortened run() {
    std::vector<std::size_t> kept(units_.size());
    std::iota(kept.begin(), kept.end(), std::size_t{0});
    Shortened made;
    if (const auto own = scores_of_all(program_)) {
      before_ = *own;
      made.before = made.score = mean(before_);
      if (!kept.empty()) minimise(kept, made);
    }
    made.program = built(kept);
    made.deleted = units_.size() - kept.size();
    made.evaluations = evaluations_;
    return made;
  }

 private:
  /// Whether an instruction loses what is to be kept of it with one of its pieces.
  bool is_kept(std::size_t p, std::size_t piece, const std::string& own,
               const PromptLimits& limits) const {
    std::vector<bool> deleted(pieces_[p].size());
    deleted[piece] = true;
    const std::string rest = joined(pieces_[p], deleted);
    return limits.keeping(own, rest) != rest;
  }

  /// ddmin on complements: what is kept shrinks for as long as the rest can go.
  void minimise(std::vector<std::size_t>& kept, Shortened& made) {
    if (holds({}, made)) {
      kept.clear();
      return;
    }
    for (std::size_t n = 2; !kept.empty() && !over_;) {
      n = std::min(n, kept.size());
      bool smaller = false;
      for (std::size_t chunk = 0; chunk < n && !smaller && !over_; ++chunk) {
        const auto begin = kept.begin() + static_cast<std::ptrdiff_t>(chunk * kept.size() / n);
        const auto end = kept.begin() + static_cast<std::ptrdiff_t>((chunk + 1) * kept.size() / n);
        std::vector<std::size_t> rest(kept.begin(), begin);
        rest.insert(rest.end(), end, kept.end());
        if (rest.empty() || !holds(rest, made)) continue;
        kept = std::move(rest);
        smaller = true;
      }
      if (smaller)
        n = std::max<std::size_t>(2, n - 1);
      else if (n >= kept.size())
        return;
      else
        n *= 2;
    }
  }

  std::unique_ptr<Module> built(const std::vector<std::size_t>& kept) const {
    auto program = program_.clone();
    const auto predictors = program->predictors();
    std::vector<bool> deleted(units_.size(), true);
    for (const auto u : kept) deleted[u] = false;
    for (std::size_t p = 0; p < predictors.size(); ++p) {
      std::vector<bool> no_piece(pieces_[p].size()), no_demo(predictors[p]->demos.size());
      for (std::size_t u = 0; u < units_.size(); ++u)
        if (units_[u].predictor == p)
          (units_[u].is_demo ? no_demo : no_piece)[units_[u].index] = deleted[u];
      std::vector<Demo> demos;
      for (std::size_t i = 0; i < no_demo.size(); ++i)
        if (!no_demo[i]) demos.push_back(predictors[p]->demos[i]);
      predictors[p]->demos = std::move(demos);
      predictors[p]->signature =
          predictors[p]->signature.with_instructions(joined(pieces_[p], no_piece));
    }
    return program;
  }

  /// Asks a block of examples. Nothing where the budget does not reach or it was stopped.
  std::optional<Scores> ask(const Module& program, std::size_t begin, std::size_t end) {
    const auto n = static_cast<std::int64_t>(end - begin);
    if (over_ || evaluations_ + n > options_.max_evaluations) {
      over_ = true;
      return std::nullopt;
    }
    try {
      evaluations_ += n;
      return scores_of(evaluate(program, std::span(task_.validation).subspan(begin, end - begin),
                                task_.metric, {task_.model, task_.stop}));
    } catch (const Interrupted&) {
      over_ = true;
      return std::nullopt;
    }
  }

  std::optional<Scores> scores_of_all(const Module& program) {
    return ask(program, 0, task_.validation.size());
  }

  /// Whether the program that keeps these units stays within the margin.
  bool holds(const std::vector<std::size_t>& kept, Shortened& made) {
    const auto program = built(kept);
    std::vector<double> differences;
    std::vector<std::string> groups;
    double sum = 0;
    for (std::size_t begin = 0; begin < before_.size(); begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, before_.size());
      const auto scores = ask(*program, begin, end);
      if (!scores) return false;
      for (std::size_t j = begin; j < end; ++j)
        if (const auto& after = (*scores)[j - begin]; after && before_[j]) {
          differences.push_back(*after - *before_[j]);
          groups.push_back(task_.validation[j].group.empty() ? task_.validation[j].id
                                                             : task_.validation[j].group);
          sum += *after;
        }
      if (differences.empty()) return false;
      if (paired_difference(differences, groups).interval().high < -options_.within) return false;
    }
    const bool within = theta::mean(differences) >= -options_.within;
    if (within) made.score = sum / static_cast<double>(differences.size());
    return within;
  }

  const Module& program_;
  const Task& task_;
  const ShortenOptions& options_;
  std::vector<std::vector<Piece>> pieces_;  ///< of each predictor's instruction
  std::vector<Unit> units_;
  Scores before_;
  std::int64_t evaluations_ = 0;
  bool over_ = false;
};

}  // namespace

Shortened shorten(const Module& program, const Task& task, const PromptLimits& limits,
                  const ShortenOptions& options) {
  return Debugging(program, task, limits, options).run();
}

}  // namespace theta

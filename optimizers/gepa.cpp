#include "optimizers/gepa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "core/rng.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

constexpr std::size_t kMergeExamples = 5;  ///< that a merged program must do well on
constexpr int kMergeAttempts = 10;         ///< at finding a pair that can be merged
constexpr std::size_t kMergeOverlap = 5;   ///< least examples that both parents were scored on
constexpr double kLightCandidates = 6;     ///< dspy.GEPA's `auto="light"`
constexpr std::int64_t kMinibatch = 35;    ///< of MIPROv2, whose budget it takes over
constexpr std::int64_t kFullEvery = 5;

/// dspy.GEPA's budget, teleprompt/gepa/gepa.py auto_budget.
std::int64_t light_budget(std::size_t predictors, std::size_t validation) {
  const auto trials = static_cast<std::int64_t>(std::max(
      4 * static_cast<double>(predictors) * std::log2(kLightCandidates), 1.5 * kLightCandidates));
  const auto full = 1 + (trials + 1) / kFullEvery + 1 + (trials < kFullEvery ? 1 : 0);
  return full * static_cast<std::int64_t>(validation) +
         5 * static_cast<std::int64_t>(kLightCandidates) + trials * kMinibatch;
}

/// Training examples in minibatches: every epoch a new shuffle, filled up to whole minibatches.
class Minibatches {
 public:
  Minibatches(std::size_t examples, std::size_t size) : examples_(examples), size_(size) {}

  std::vector<std::size_t> next(Rng& rng) {
    if (at_ == order_.size()) {
      order_.resize(examples_);
      std::iota(order_.begin(), order_.end(), 0);
      rng.shuffle(order_);
      for (std::size_t i = 0; order_.size() % size_ != 0; ++i) order_.push_back(order_[i]);
      at_ = 0;
    }
    const auto from = order_.begin() + static_cast<std::ptrdiff_t>(at_);
    at_ += size_;
    return {from, from + static_cast<std::ptrdiff_t>(size_)};
  }

 private:
  const std::size_t examples_, size_;
  std::vector<std::size_t> order_;
  std::size_t at_ = 0;
};

/// What a reflection is shown of one run: what the predictor read and wrote, how it was scored, and
/// the metric's words.
std::string feedback(const Example& example, const Result<Prediction>& prediction,
                     const Grade& grade, std::size_t predictor, const Signature& signature) {
  std::string text;
  Record right;
  const Step* step = nullptr;
  if (prediction)
    for (const auto& s : prediction->trace)
      if (s.predictor == predictor) step = &s;
  // Where nothing could be read, what the program was to be given is all that is known.
  Record inputs = step ? step->inputs : Record{};
  for (const auto& [name, value] : example.fields) {
    const bool asked =
        std::ranges::find(signature.inputs, name, &Field::name) != signature.inputs.end();
    if (!step && asked) inputs.set(name, value);
    if (!inputs.find(name)) right.set(name, value);
  }
  text += "Inputs:\n" + field_lines(inputs);
  if (step) text += "Answer:\n" + field_lines(step->outputs);
  if (!prediction) text += "Answer: none that could be read: " + prediction.error().message + "\n";
  text += fmt::format("Feedback: this was scored {:.2g} of 1.", grade.score);
  if (!grade.feedback.empty()) text += " " + grade.feedback;
  if (grade.score < 1 && !right.empty()) text += " Right would have been:\n" + field_lines(right);
  return text + "\n";
}

std::size_t draw_weighted(std::span<const double> weights, Rng& rng) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (sum <= 0) return rng.below(weights.size());
  double left = rng.uniform() * sum;
  for (std::size_t i = 0; i + 1 < weights.size(); ++i)
    if ((left -= weights[i]) < 0) return i;
  return weights.size() - 1;
}

/// A program of the pool.
struct Member {
  std::unique_ptr<Module> program;
  std::vector<std::string> instructions;  ///< by predictor
  double mean;
  std::vector<std::size_t> parents;
  std::size_t turn = 0;  ///< of the predictors in free_ that is rewritten next
};

class Evolution {
 public:
  Evolution(const Module& student, const Task& task, const GepaOptions& options)
      : task_(task),
        options_(options),
        contest_("gepa", task),
        writer_({task.proposer, task.stop}, options_.writer, options.seed),
        screen_(task.train, options.writer.max_copied),
        rng_(options.seed),
        minibatches_(task.train.size(), options.minibatch_size) {
    options.limits.check(student);
    if (task.train.empty()) throw UserError("gepa reflects on training examples; there are none");
    const auto predictors = student.predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p)
      if (!options.limits.freezes(*predictors[p], "instruction")) free_.push_back(p);
  }

  Compiled run(const Module& student) {
    join(student.clone(), {});
    // A child costs two minibatches and a full evaluation; where that is not to be had, nothing
    // can come of another step.
    const std::size_t most = 2 * options_.minibatch_size + task_.validation.size();
    while (!contest_.over() && !free_.empty() && contest_.affords(most) && contest_.score() < 1)
      if (!try_merge()) reflect();
    return std::move(contest_).result(screen_.counts());
  }

 private:
  /// Evaluates a program on validation and takes it into the pool.   @return whether it is there.
  bool join(std::unique_ptr<Module> program, std::vector<std::size_t> parents) {
    auto scores = contest_.enter([&] { return program->clone(); });
    if (!scores) return false;
    std::vector<std::string> instructions;
    for (const auto* predictor : program->predictors())
      instructions.push_back(predictor->signature.instructions);
    std::size_t turn = 0;
    for (const auto parent : parents) turn = std::max(turn, pool_[parent].turn);
    scores_.push_back(*std::move(scores));
    pool_.push_back({std::move(program), std::move(instructions), mean(scores_.back()),
                     std::move(parents), turn});
    return true;
  }

  std::size_t draw_parent() {
    std::map<std::size_t, double> wins;
    for (const auto& front : pareto_fronts(scores_))
      for (const auto member : front) ++wins[member];
    std::vector<std::size_t> members;
    std::vector<double> weights;
    for (const auto& [member, n] : wins) members.push_back(member), weights.push_back(n);
    return members[draw_weighted(weights, rng_)];
  }

  void reflect() {
    const std::size_t parent = draw_parent();
    std::vector<Example> minibatch;
    for (const auto i : minibatches_.next(rng_)) minibatch.push_back(task_.train[i]);
    const auto before = contest_.sample(*pool_[parent].program, minibatch);
    if (!before || contest_.over()) return;
    const bool perfect = std::all_of(before->scores.begin(), before->scores.end(),
                                     [](double score) { return score >= 1; });
    if (options_.skip_perfect && perfect) return;

    const std::size_t p = free_[pool_[parent].turn++ % free_.size()];
    std::unique_ptr<Module> child;
    contest_.step([&] { child = rewrite(*pool_[parent].program, p, minibatch, *before); });
    if (!child) return;
    const auto after = contest_.sample(*child, minibatch);
    if (!after || contest_.over() || !better(scores_of(*after), scores_of(*before))) return;
    if (join(std::move(child), {parent}) && merges_ + merges_due_ < options_.max_merges)
      ++merges_due_;
    found_ = true;
  }

  /// The parent with a new instruction for predictor p; null if none can be used.
  std::unique_ptr<Module> rewrite(const Module& parent, std::size_t p,
                                  const std::vector<Example>& minibatch, const Evaluation& seen) {
    static const auto signature = Signature::parse(
        "current_instruction, examples_with_feedback -> new_instruction",
        "A language model followed the current instruction on some examples of a task. Find out "
        "from its answers and the feedback what the task is, which of its facts and strategies the "
        "instruction leaves out, and what went wrong. Then write a new instruction that says it "
        "all in general terms, without quoting the examples.");
    std::string examples;
    for (std::size_t i = 0; i < minibatch.size(); ++i)
      if (seen.status[i] != Outcome::Status::kFailed)
        examples += fmt::format(
            "Example {}\n{}\n", i + 1,
            feedback(minibatch[i], seen.predictions[i], {seen.scores[i], seen.feedback[i]}, p,
                     parent.predictors()[p]->signature));
    auto child = parent.clone();
    auto& predictor = *child->predictors()[p];
    const std::string own = predictor.signature.instructions;
    const Record input{{"current_instruction", own}, {"examples_with_feedback", examples}};
    for (int attempt = 0; attempt < options_.writer.attempts; ++attempt) {
      const auto answers = writer_.write(signature, {&input, 1});
      const auto text = screen_.take(
          answers.at(0), "new_instruction", {&own, 1}, [&](const std::string& instruction) {
            predictor.signature =
                predictor.signature.with_instructions(options_.limits.keeping(own, instruction));
            return options_.limits.admits(*child, task_.model);
          });
      if (!text) continue;
      return child;
    }
    screen_.check();
    return nullptr;
  }

  std::set<std::size_t> ancestors(std::size_t member) const {
    std::set<std::size_t> all;
    for (const auto parent : pool_[member].parents) {
      all.insert(parent);
      all.merge(ancestors(parent));
    }
    return all;
  }

  /// Whether a merge of i and j says something new: some predictor changed in one of them only.
  bool complementary(std::size_t ancestor, std::size_t i, std::size_t j) const {
    for (const auto p : free_) {
      const auto& [a, x, y] = std::tie(pool_[ancestor].instructions[p], pool_[i].instructions[p],
                                       pool_[j].instructions[p]);
      if ((x == a || y == a) && x != y) return true;
    }
    return false;
  }

  struct Merge {
    std::size_t i, j, ancestor;
    auto operator<=>(const Merge&) const = default;
  };

  /// Two programs of the fronts, neither the other's ancestor, and an ancestor of both that is no
  /// better than either.
  std::optional<Merge> draw_merge() {
    std::set<std::size_t> on_front;
    for (const auto& front : pareto_fronts(scores_)) on_front.insert(front.begin(), front.end());
    const std::vector<std::size_t> members(on_front.begin(), on_front.end());
    if (members.size() < 2) return std::nullopt;
    for (int attempt = 0; attempt < kMergeAttempts; ++attempt) {
      const auto drawn = rng_.sample(members.size(), 2);
      const auto [i, j] = std::minmax(members[drawn[0]], members[drawn[1]]);
      const auto of_i = ancestors(i), of_j = ancestors(j);
      if (of_j.contains(i)) continue;
      std::vector<Merge> possible;
      std::vector<double> weights;
      for (const auto ancestor : of_i) {
        const Merge merge{i, j, ancestor};
        const double least = std::min(pool_[i].mean, pool_[j].mean);
        if (!of_j.contains(ancestor) || merged_.contains(merge) || pool_[ancestor].mean > least ||
            !complementary(ancestor, i, j))
          continue;
        possible.push_back(merge);
        weights.push_back(pool_[ancestor].mean);
      }
      if (!possible.empty()) return possible[draw_weighted(weights, rng_)];
    }
    return std::nullopt;
  }

  std::unique_ptr<Module> merge_of(const Merge& merge) {
    const auto &i = pool_[merge.i], &j = pool_[merge.j], &ancestor = pool_[merge.ancestor];
    auto program = ancestor.program->clone();
    const auto predictors = program->predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p) {
      const auto& [a, x, y] =
          std::tie(ancestor.instructions[p], i.instructions[p], j.instructions[p]);
      const bool from_i =
          x == y || y == a || (x != a && (i.mean != j.mean ? i.mean > j.mean : rng_.below(2) == 0));
      predictors[p]->signature = predictors[p]->signature.with_instructions(from_i ? x : y);
    }
    return program;
  }

  /// Validation examples of both parents' scores: some that i does better on, some j, some neither.
  std::vector<std::size_t> merge_examples(const Merge& merge) {
    std::array<std::vector<std::size_t>, 3> kinds;
    std::vector<std::size_t> both;
    for (std::size_t e = 0; e < task_.validation.size(); ++e) {
      const auto &x = scores_[merge.i][e], &y = scores_[merge.j][e];
      if (!x || !y) continue;
      both.push_back(e);
      kinds[*x > *y ? 0 : *y > *x ? 1 : 2].push_back(e);
    }
    if (both.size() < kMergeOverlap) return {};
    std::vector<std::size_t> chosen;
    for (const auto& kind : kinds) {
      const auto n =
          std::min({kind.size(), (kMergeExamples + 2) / 3, kMergeExamples - chosen.size()});
      for (const auto k : rng_.sample(kind.size(), n)) chosen.push_back(kind[k]);
    }
    std::erase_if(both,
                  [&](std::size_t e) { return std::ranges::find(chosen, e) != chosen.end(); });
    for (const auto k : rng_.sample(both.size(), kMergeExamples - chosen.size()))
      chosen.push_back(both[k]);
    return chosen;
  }

  /// @return whether a merge took this step.
  bool try_merge() {
    if (merges_due_ == 0 || !found_) return false;
    found_ = false;
    const auto merge = draw_merge();
    if (!merge) return false;
    merged_.insert(*merge);
    auto program = merge_of(*merge);
    const auto examples = merge_examples(*merge);
    if (examples.empty() || !options_.limits.admits(*program, task_.model)) return false;

    std::vector<Example> batch;
    Scores of_i, of_j;
    for (const auto e : examples) {
      batch.push_back(task_.validation[e]);
      of_i.push_back(scores_[merge->i][e]);
      of_j.push_back(scores_[merge->j][e]);
    }
    const auto evaluation = contest_.sample(*program, batch);
    if (!evaluation || contest_.over()) return true;
    const Scores merged = scores_of(*evaluation);
    if (better(of_i, merged) || better(of_j, merged)) return true;
    --merges_due_;
    ++merges_;
    join(std::move(program), {merge->i, merge->j});
    return true;
  }

  const Task& task_;
  const GepaOptions& options_;
  Contest contest_;
  Writer writer_;
  Screen screen_;
  Rng rng_;
  Minibatches minibatches_;
  std::vector<std::size_t> free_;  ///< predictors whose instruction may change
  std::vector<Member> pool_;
  std::vector<Scores> scores_;  ///< of pool_, on validation
  std::set<Merge> merged_;      ///< tried before
  std::size_t merges_due_ = 0, merges_ = 0;
  bool found_ = false;  ///< the last step brought a new program
};

}  // namespace

std::vector<std::vector<std::size_t>> pareto_fronts(const std::vector<Scores>& scores) {
  require(!scores.empty(), "a pool has a program");
  std::vector<std::set<std::size_t>> fronts;
  for (std::size_t e = 0; e < scores.front().size(); ++e) {
    double best = -1;
    for (const auto& of : scores)
      if (of[e]) best = std::max(best, *of[e]);
    std::set<std::size_t> front;
    for (std::size_t c = 0; c < scores.size(); ++c)
      if (scores[c][e] == best) front.insert(c);
    if (!front.empty()) fronts.push_back(std::move(front));
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return mean(scores[a]) < mean(scores[b]); });
  // One that is alone in a front stays; removing one can only make others indispensable.
  for (const auto c : order) {
    const bool dominated = std::all_of(fronts.begin(), fronts.end(), [c](const auto& front) {
      return !front.contains(c) || front.size() > 1;
    });
    if (dominated)
      for (auto& front : fronts) front.erase(c);
  }
  std::vector<std::vector<std::size_t>> result;
  for (const auto& front : fronts) result.emplace_back(front.begin(), front.end());
  return result;
}

Compiled Gepa::search(const Module& student, const Task& task) {
  check_task(task);
  Task own = task;
  if (own.max_evaluations == 0)
    own.max_evaluations = light_budget(student.predictors().size(), task.validation.size());
  return Evolution(student, own, options_).run(student);
}

}  // namespace theta

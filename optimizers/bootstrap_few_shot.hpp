#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "optimizers/optimizer.hpp"

namespace theta {

/// DSPy's LabeledFewShot: every predictor gets `k` training examples as demos, drawn by
/// `Random(0)`, or the first `k`. dspy 3.4.1, teleprompt/vanilla.py.
///
/// A demo holds the example's fields that the predictor's signature has; examples without any of
/// its inputs or of its outputs show nothing and are left out after the draw.
std::unique_ptr<Module> with_labeled_demos(const Module& student, std::span<const Example> train,
                                           std::size_t k, bool sample = true);

/// Every predictor picks the `k` training examples that are most like its input, among those that
/// hold all that it reads and its last output; it has no other demos.
std::unique_ptr<Module> with_nearest_demos(const Module& student, std::span<const Example> train,
                                           std::size_t k);

/// The student without demos.
std::unique_ptr<Module> without_demos(const Module& student);

/// Defaults of dspy 3.4.1, teleprompt/bootstrap.py.
struct BootstrapOptions {
  std::size_t max_bootstrapped = 4;
  std::size_t max_labeled = 16;  ///< bootstrapped demos count towards it
  std::size_t max_rounds = 1;    ///< attempts an example; those after the first sample at 1.0
  double threshold = 0;          ///< > 0: a success scores at least this; else, anything above 0
  std::size_t wave = 0;          ///< examples asked at a time; 0: as many as successes are missing
};

struct Bootstrapped {
  std::unique_ptr<Module> program;
  std::size_t successes = 0;   ///< examples that became demos
  std::size_t attempts = 0;    ///< of those, and of the examples before the last of them
  std::size_t failed = 0;      ///< attempts that the service failed
  std::size_t unparsable = 0;  ///< attempts whose answer could not be parsed
};

/// DSPy's BootstrapFewShot: the student, with demos made of the runs in which the teacher got
/// training examples right, filled up with labelled ones.
///
/// The teacher is the student with labelled demos (itself, if max_labeled is 0) on `teacher`'s
/// model; it never sees the example at hand among its demos. Examples are taken in the order of
/// `train` until enough succeeded. They are asked in waves, but judged in order, so that programs
/// that answer each input alike get the same demos for every wave size. Where a predictor was
/// called several times for an example, one call is kept: the last with probability 1/2, else an
/// earlier one.
/// @throws RunError if the service failed every attempt.
Bootstrapped bootstrap(const Module& student, std::span<const Example> train, const Metric& metric,
                       const Call& teacher, const BootstrapOptions& options);

struct LabeledFewShotOptions {
  std::size_t k = 16;
  bool sample = true;
};

/// with_labeled_demos() if that is better on validation than the student.
class LabeledFewShot final : public Optimizer {
 public:
  explicit LabeledFewShot(LabeledFewShotOptions options = {}) : options_(options) {}
  std::string name() const override { return "labeled_few_shot"; }
  Compiled search(const Module& student, const Task& task) override;

 private:
  LabeledFewShotOptions options_;
};

struct KnnFewShotOptions {
  std::size_t k = 4;
};

/// DSPy's KNNFewShot with labelled demos: with_nearest_demos() if that is better on validation than
/// the student.
class KnnFewShot final : public Optimizer {
 public:
  explicit KnnFewShot(KnnFewShotOptions options = {}) : options_(options) {}
  std::string name() const override { return "knn_few_shot"; }
  Compiled search(const Module& student, const Task& task) override;

 private:
  KnnFewShotOptions options_;
};

/// bootstrap() if that is better on validation than the student.
class BootstrapFewShot final : public Optimizer {
 public:
  explicit BootstrapFewShot(BootstrapOptions options = {}) : options_(options) {}
  std::string name() const override { return "bootstrap_few_shot"; }
  Compiled search(const Module& student, const Task& task) override;

 private:
  BootstrapOptions options_;
};

}  // namespace theta

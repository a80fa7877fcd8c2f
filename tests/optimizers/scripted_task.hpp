#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/predict.hpp"
#include "modules/program.hpp"
#include "optimizers/optimizer.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {

/// A task whose optimum is known. Item j of 100 validation examples is answered rightly iff
/// 37 j mod 100 < 100 quality, so that a program's validation score is its quality: that of its
/// instruction, and `demo_bonus` more with two demos or more. Items from 1000 on are for training;
/// every even one is answered rightly, and the better the quality is than .5, the more odd ones.
/// The gate keeps no example from the search, which so has all 100.
struct ScriptedTask {
  static constexpr const char* kOwn = "Answer.";
  static constexpr const char* kBest = "Say yes to even items.";

  std::map<std::string, double> quality{{kOwn, .4}, {"Decide.", .5}, {"Think.", .6}, {kBest, .8}};
  double demo_bonus = .1;
  std::vector<std::string> written{"Decide.", "Think.", kBest, "", kOwn};  ///< by the proposer
  std::function<bool(int item)> service_fails = [](int) { return false; };
  /// Items that the student alone answers rightly, its own instruction without demos.
  std::function<bool(int item)> spoiled = [](int) { return false; };
  std::string refused;  ///< an instruction that a filter takes

  ScriptedModel model;
  ScriptedModel teacher{[this](const Request& request) { return answer(request); }};
  ScriptedModel proposer{
      [this](const Request& request) { return say(written[request.seed % written.size()]); }};
  std::shared_ptr<const Adapter> adapter = make_terse_adapter();

  /// @param unit  of the model: where it is recorded, so many answers are kept at a time, and above
  ///              1 candidates are evaluated one after another
  explicit ScriptedTask(std::size_t unit = 100)
      : model([this](const Request& request) { return answer(request); }, {.unit = unit}) {}

  Predict student() const {
    return Predict(Signature::parse("text -> label: Literal['yes', 'no']", kOwn), {.own_adapter = adapter});
  }

  Task task() {
    Task task{{}, {}, make_metric("exact_match", make_field("label")), model, proposer, teacher};
    task.gate.fresh = 0;
    for (int j = 0; j < 20; ++j) task.train.push_back(example(1000 + j));
    for (int j = 0; j < 100; ++j) task.validation.push_back(example(j));
    return task;
  }

  static Example example(int item) {
    return {std::to_string(item),
            "",
            {{"text", "item " + std::to_string(item)}, {"label", truth(item)}}};
  }
  static std::string truth(int item) { return item % 2 == 0 ? "yes" : "no"; }

  /// The last number behind `item `.
  static int item_of(const std::string& text) {
    return std::stoi(text.substr(text.rfind("item ") + 5));
  }

  Result<Response> answer(const Request& request) const {
    const std::string& text = request.messages.back().content;
    const int item = item_of(text);
    if (service_fails(item)) return Error{Fault::kService, "timed out"};
    const std::string instruction = text.substr(0, text.find('\n'));
    if (!refused.empty() && instruction == refused) return Error{Fault::kRefused, "filtered"};
    if (request.answer_prefix == "Note:")
      return say(quality.contains(instruction) || text.find("\nNote:") != std::string::npos
                     ? "sure"
                     : "unsure");
    double q = quality.contains(instruction) ? quality.at(instruction) : 0;
    std::size_t demos = 0;
    for (auto at = text.find("\nLabel:"); at != std::string::npos;
         at = text.find("\nLabel:", at + 1))
      ++demos;
    if (spoiled(item))
      return say(instruction == kOwn && demos == 0 ? truth(item) : truth(item + 1));
    if (demos >= 2) q += demo_bonus;
    const auto note = text.rfind("Note:");
    if (note != std::string::npos && text.substr(note).starts_with("Note: sure")) q += .2;
    const bool training = item >= 1000;
    const bool right =
        (training && item % 2 == 0) || 37 * item % 100 < 100 * (training ? q - .5 : q) - 1e-6;
    return say(right ? truth(item) : truth(item + 1));
  }
};

/// Two calls: a note on the text, then the label from both. Demos or an instruction of the task
/// make the note a sure one, and that makes .2 more of the labels right.
inline Program two_steps(const std::shared_ptr<const Adapter>& adapter) {
  Program program;
  program.add(Predict(Signature::parse("text -> note", "Take a note."), Format{.own_adapter = adapter}));
  program.add(Predict(
      Signature::parse("note, text -> label: Literal['yes', 'no']", ScriptedTask::kOwn), Format{.own_adapter = adapter}));
  return program;
}

}  // namespace theta

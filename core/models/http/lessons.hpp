#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/models/http/chat_reading.hpp"
#include "core/models/http/cut_prompts.hpp"
#include "core/models/http/request_form.hpp"

namespace theta {

/// Where what was learnt of a model is kept from one start of a run to the next.
struct LessonsKept {
  std::string known = {};                        ///< what was kept; empty: nothing
  std::function<void(const std::string&)> keep;  ///< called on the client's thread; may be empty
};

/// What the servers of a model were found to want, beside what its config says: another form of
/// requests, log-probabilities of fewer tokens or none, no stop texts while it thinks. Each is found
/// out once, by an answer, said once in the log, and holds for all requests from then on. Thread-safe.
class Lessons {
 public:
  enum class Thinks { kUnknown, kNo, kYes };
  /// What may be wrong with a request that was refused without a word about its form.
  enum class Doubt { kNone, kBegunAnswer, kLogprobs };

  /// @param model   that messages name
  /// @param own     the form that the config gives
  /// @param listed  tokens that are asked for with their log-probabilities
  /// @throws RunError if what was kept cannot be read.
  Lessons(std::string model, RequestForm own, int listed, LessonsKept kept);

  /// How a request is put from here on: null where it is as usual.
  std::shared_ptr<const RequestForm> form() const;
  int listed() const;  ///< 0: options are named
  Thinks thinks() const;
  /// One line for each lesson.
  std::vector<std::string> lines() const;

  /// Learns from a refusal of a request's form.
  /// @param body  that was refused   @param form  that it was put in; null: the usual
  /// @return whether the request is to be put anew.
  bool learn_of_form(const ServerError& error, const std::string& body, const RequestForm* form);
  /// Learns that a model thinks, or by a request that tried it out that it does not. One that a stop
  /// text stopped in a thought is not sent stop texts again.
  void learn_of_thoughts(const ChatReading& reading, bool tried_out);
  /// A server that never sends log-probabilities is not asked for them for ever. An answer or two
  /// without are no proof of one: the questions that they were asked for are named alone. One that
  /// refuses so many may list fewer.
  void learn_of_logprobs(const ChatReading& reading, int listed);
  /// Whether a doubt is worth a request that tries it out: once a model.
  bool is_open(Doubt doubt) const;
  /// What became of the request that tried it out.
  void settle(Doubt doubt, bool confirmed);
  /// Learns from the server's count whether it cuts prompts.
  void learn_of_cuts(const Request& request, std::int64_t prompt_tokens);

 private:
  // With mutex_ held.
  void add_form(const std::function<void(RequestForm&)>& change);
  void say(std::string line);
  void keep() const;

  const std::string model_;
  const RequestForm own_;
  const LessonsKept kept_;
  mutable std::mutex mutex_;
  RequestForm learnt_;
  std::shared_ptr<const RequestForm> form_;  ///< of both
  int repairs_ = 0;
  int listed_;
  Thinks thinks_ = Thinks::kUnknown;
  int without_logprobs_ = 0;  ///< answers, before the first that had some
  bool had_logprobs_ = false;
  bool begun_settled_ = false, logprobs_settled_ = false;
  CutPrompts cuts_;
  std::vector<std::string> lines_;
};

}  // namespace theta

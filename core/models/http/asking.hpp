#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/models/http/chat_body.hpp"
#include "core/models/http/chat_reading.hpp"
#include "core/models/http/client.hpp"
#include "core/models/http/model.hpp"

namespace theta {

/// One wave on its way to a model's servers, in passes: what turns out unscored in one is asked for
/// less, or named, in the next; and so is an answer that a thought left no room for, or a request
/// that was refused for its form. What may be mended in a way that is not sure is kept back until one
/// request has tried it out.
class HttpModel::Asking {
 public:
  Asking(HttpModel& model, Dialect dialect, std::span<const Request> wave,
         const OnAnswer& on_answer);
  ~Asking();

  /// @param failed  attempts that the first request's answer lists as its own
  void run(std::vector<FailedAttempt> failed, std::stop_token stop);

 private:
  struct Item;
  using Held = std::vector<std::pair<Item, Result<Response>>>;

  std::string body(Item& item) const;
  double cost(const Item& item) const;
  HttpReading read(Item& item, int status, std::string_view body);
  HttpReading stands(Item& item, int status, ChatReading read);
  bool is_put_anew(Item& item, const ChatReading& read);
  void estimate_tokens(Response& answer, const Item& item);
  std::string advice(int status, const Item& item) const;
  void receive(Item item, Result<Response> answer);
  Item asked_anew(Item item, Response answer) const;
  Item& ask_anew(std::pair<Item, Result<Response>>& one);
  void settle_thoughts();
  void settle_doubts();
  void deliver(Item& item, Result<Response> answer);

  HttpModel& model_;
  const Dialect dialect_;
  const std::span<const Request> wave_;
  const OnAnswer& on_answer_;
  std::vector<Item> next_;  ///< of the pass to come
  Held may_think_, doubted_;
};

}  // namespace theta

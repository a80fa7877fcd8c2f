#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "core/config.hpp"
#include "core/models/language_model.hpp"
#include "core/records/store.hpp"

namespace theta {

/// Dollars a million tokens.
struct Price {
  double prompt = 0;
  double generated = 0;
  double of(const Usage& usage) const {
    return (static_cast<double>(usage.prompt_tokens) * prompt +
            static_cast<double>(usage.generated_tokens) * generated) /
           1e6;
  }
};

/// `price: {prompt: 0.15, generated: 0.6}`
Price read_price(const Config& price);

/// What a run may spend on answers, each counted once however often it is asked for.
struct Budget {
  std::optional<std::int64_t> calls;
  std::optional<std::int64_t> tokens;  ///< prompt and generated
  std::optional<double> money;         ///< dollars
  std::optional<double> minutes;       ///< that the run goes on, restarts added up
};

/// `budget: {calls: 1000, tokens: 2000000, money: 1.5, minutes: 60}`
Budget read_budget(const Config& budget);

/// What a run has spent of its budget. Thread-safe.
class Ledger {
 public:
  explicit Ledger(Budget budget) : budget_(budget) {}

  /// What the run's record holds of a model's answers was spent before.
  void open(const std::string& identity, const Usage& kept, const Price& price);

  /// How many of these calls may be made. They count as made.
  std::size_t admit(std::size_t calls);
  void add(const Usage& usage, const Price& price);
  /// Whether no more may be spent on calls that were admitted.
  bool exhausted() const;
  /// A call was not made that the run asked for.
  void refuse();
  /// Seconds that the run has gone on.
  void set_seconds(double seconds);

  /// `the budget of 1000 calls is spent`; none before the run asks for what it does not have. Of
  /// minutes, none before they are over.
  std::optional<std::string> spent() const;

 private:
  std::optional<std::string> used_up() const;  // but for calls
  bool out_of_time() const;

  const Budget budget_;
  mutable std::mutex mutex_;  // guards what follows
  std::set<std::string> opened_;
  std::int64_t calls_ = 0, tokens_ = 0;
  double money_ = 0, seconds_ = 0;
  bool refused_ = false;  // calls beyond the budget were asked for
};

/// A model whose calls stop when the budget is spent: a process never exceeds calls; tokens and
/// money only by the answer that reaches them. What a server is then still asked is broken off, and
/// like an answer that nobody could read it may be on the server's bill all the same.
class BudgetedModel final : public ModelInFront {
 public:
  /// The references outlive this.
  BudgetedModel(LanguageModel& inner, Ledger& ledger, const Store& store, Price price);

  /// @throws Interrupted when the budget is spent; answers given so far stand.
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;

 private:
  Ledger& ledger_;
  const Price price_;
};

}  // namespace theta

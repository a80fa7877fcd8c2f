#include "experiments/runs/budget.hpp"

#include <fmt/format.h>

namespace theta {
namespace {

std::optional<double> read_amount(const Config& mapping, std::string_view key) {
  const auto value = mapping.find(key);
  if (!value) return std::nullopt;
  const double amount = value->number();
  if (amount <= 0) value->fail(fmt::format("'{}' must be above 0", key));
  return amount;
}

std::optional<std::int64_t> read_count(const Config& mapping, std::string_view key) {
  if (!mapping.find(key)) return std::nullopt;
  return mapping.integer(key, 1, 1);
}

}  // namespace

Price read_price(const Config& price) {
  Price out;
  for (const auto& [key, value] : {std::pair{"prompt", &out.prompt}, {"generated", &out.generated}})
    if (const auto amount = price.find(key)) {
      *value = amount->number();
      if (*value < 0) amount->fail(fmt::format("'{}' must be at least 0", key));
    }
  return out;
}

Budget read_budget(const Config& budget) {
  return {read_count(budget, "calls"), read_count(budget, "tokens"), read_amount(budget, "money"),
          read_amount(budget, "minutes")};
}

void Ledger::open(const std::string& identity, const Usage& kept, const Price& price) {
  const std::lock_guard lock(mutex_);
  if (!opened_.insert(identity).second) return;
  calls_ += kept.calls;
  tokens_ += kept.prompt_tokens + kept.generated_tokens;
  money_ += price.of(kept);
}

std::size_t Ledger::admit(std::size_t calls) {
  const std::lock_guard lock(mutex_);
  std::size_t admitted = used_up() ? 0 : calls;
  if (budget_.calls)
    admitted = std::min(
        admitted, static_cast<std::size_t>(std::max<std::int64_t>(0, *budget_.calls - calls_)));
  calls_ += static_cast<std::int64_t>(admitted);
  return admitted;
}

void Ledger::add(const Usage& usage, const Price& price) {
  const std::lock_guard lock(mutex_);
  tokens_ += usage.prompt_tokens + usage.generated_tokens;
  money_ += price.of(usage);
}

void Ledger::refuse() {
  const std::lock_guard lock(mutex_);
  refused_ = true;
}

void Ledger::set_seconds(double seconds) {
  const std::lock_guard lock(mutex_);
  seconds_ = seconds;
}

bool Ledger::exhausted() const {
  const std::lock_guard lock(mutex_);
  return used_up().has_value();
}

std::optional<std::string> Ledger::spent() const {
  const std::lock_guard lock(mutex_);
  if (!refused_ && !out_of_time()) return std::nullopt;
  if (auto why = used_up()) return why;
  require(budget_.calls.has_value(), "what is refused is beyond a budget");
  return fmt::format("the budget of {} calls is spent", *budget_.calls);
}

bool Ledger::out_of_time() const { return budget_.minutes && seconds_ >= 60 * *budget_.minutes; }

std::optional<std::string> Ledger::used_up() const {
  if (budget_.tokens && tokens_ >= *budget_.tokens)
    return fmt::format("the budget of {} tokens is spent", *budget_.tokens);
  if (budget_.money && money_ >= *budget_.money)
    return fmt::format("the budget of {} dollars is spent", *budget_.money);
  if (out_of_time()) return fmt::format("the budget of {} minutes is spent", *budget_.minutes);
  return std::nullopt;
}

BudgetedModel::BudgetedModel(LanguageModel& inner, Ledger& ledger, const Store& store, Price price)
    : ModelInFront(inner), ledger_(ledger), price_(price) {
  const std::string identity = inner.identity();
  ledger_.open(identity, store.kept(identity), price);
}

void BudgetedModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                             std::stop_token stop) {
  std::size_t admitted = ledger_.admit(wave.size());
  if (inner_.unit() > 1 && admitted < wave.size()) admitted = 0;  // half a unit is another one
  std::stop_source own;
  const std::stop_callback forward(stop, [&] { own.request_stop(); });
  const auto settle = [&](std::size_t i, Result<Response> answer) {
    ledger_.add(usage_of(answer), price_);
    on_answer(i, std::move(answer));
    if (inner_.unit() == 1 && ledger_.exhausted()) own.request_stop();
  };
  try {
    if (admitted > 0) inner_.complete(wave.first(admitted), settle, own.get_token());
  } catch (const Interrupted&) {
    if (ledger_.exhausted() && !stop.stop_requested()) ledger_.refuse();
    throw;
  }
  if (admitted == wave.size()) return;
  ledger_.refuse();
  throw Interrupted(ledger_.spent().value_or("the budget is spent"));
}

}  // namespace theta

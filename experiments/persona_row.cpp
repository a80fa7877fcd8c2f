#include "experiments/persona_row.hpp"

#include <fmt/format.h>

#include <utility>

namespace theta {
namespace {

/// The outcomes of a judgement: one an order.
void add(PersonaRow& row, const User& user, const Question& question, const Judgement& judgement,
         double contrast) {
  row.usage += judgement.usage;
  const auto keep = [&](int variant, const Verdict& verdict) {
    row.outcomes.push_back({row.name, row.model, question.pair->id, user.id, variant,
                            judgement.score(contrast), verdict.margin(contrast), judgement.status,
                            judgement.error});
    row.named += judgement.named;
    if (judgement.named || judgement.no_contrast.empty()) return;
    if (row.uncompared++ == 0) row.why_uncompared = judgement.no_contrast;
  };
  keep(question.chosen_first ? 0 : 1, judgement.asked);
  if (judgement.turned) keep(1, *judgement.turned);
}

}  // namespace

void judge_user(const Judge& judge, const User& user, std::span<PersonaRow> rows,
                const Call& call) {
  std::vector<Question> questions;
  std::vector<std::pair<PersonaRow*, double>> askers;  // and the contrast
  for (PersonaRow& row : rows) {
    const auto found = row.personas.find(user.id);
    const bool plain = row.personas.empty();
    require(plain || found != row.personas.end(), "a row has a persona for everybody");
    if (!plain && !found->second) {
      for (const PreferencePair& pair : user.test)
        for (const int variant : {0, 1})
          row.outcomes.push_back({row.name, row.model, pair.id, user.id, variant, 0, 0,
                                  Outcome::Status::kFailed, found->second.error().message});
      continue;
    }
    const auto demos = row.demos.find(user.id);
    for (const PreferencePair& pair : user.test)
      for (const bool chosen_first : {true, false}) {
        if (judge.options().both_orders && !chosen_first) continue;  // asked with the other
        questions.push_back({&pair, chosen_first, plain ? "" : found->second->persona,
                             demos == row.demos.end() ? nullptr : &demos->second});
        askers.emplace_back(&row, plain ? 0 : found->second->contrast);
      }
  }
  const auto judgements = judge.judge(questions, call);
  for (std::size_t i = 0; i < judgements.size(); ++i)
    add(*askers[i].first, user, questions[i], judgements[i], askers[i].second);
}

std::vector<std::string> PersonaRow::remarks(Judging judging) const {
  std::vector<std::string> out;
  if (named > 0)
    out.push_back(fmt::format("{}, {}: {} of {} judgements were named, not scored{}", name, model,
                              named, outcomes.size(),
                              judging == Judging::kContrast && !personas.empty()
                                  ? ": contrast fell back to the plain choice"
                                  : ""));
  if (uncompared > 0)
    out.push_back(
        fmt::format("{}, {}: {} of {} judgements have nothing to be compared with, the first "
                    "because of {}: contrast fell back to the plain choice",
                    name, model, uncompared, outcomes.size(), why_uncompared));
  std::size_t unwritten = 0;
  std::string why;
  for (const auto& [user, found] : personas) {
    if (!found || found->unwritten.empty()) continue;
    if (unwritten++ == 0) why = found->unwritten;
  }
  if (unwritten > 0)
    out.push_back(fmt::format(
        "{}, {}: no persona of Θ's could be used for {} of {} people, the first because of: {}",
        name, model, unwritten, personas.size(), why));
  return out;
}

}  // namespace theta

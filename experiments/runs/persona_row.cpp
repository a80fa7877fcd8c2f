#include "experiments/runs/persona_row.hpp"

#include <fmt/format.h>

#include <algorithm>

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

/// A question that is asked for a row.
struct Asked {
  PersonaRow* row;
  const User* user;
  double contrast;
};

/// Adds the questions about a user under a row; where the persona was lost, failed outcomes.
void ask_about(const User& user, PersonaRow& row, std::vector<Question>& questions,
               std::vector<Asked>& asked) {
  const auto found = row.personas.find(user.id);
  const bool plain = row.personas.empty();
  require(plain || found != row.personas.end(), "a row has a persona for everybody");
  if (!plain && !found->second) {
    for (const PreferencePair& pair : user.test)
      for (const int variant : {0, 1})
        row.outcomes.push_back({row.name, row.model, pair.id, user.id, variant, 0, 0,
                                Outcome::Status::kFailed, found->second.error().message});
    return;
  }
  for (const PreferencePair& pair : user.test)
    for (const bool chosen_first : {true, false}) {
      if (row.judge->options().both_orders && !chosen_first) continue;  // asked with the other
      questions.push_back({&pair, chosen_first, plain ? "" : found->second->persona,
                           plain ? nullptr : &found->second->demos});
      asked.push_back({&row, &user, plain ? 0 : found->second->contrast});
    }
}

}  // namespace

void judge_rows(std::span<const User> users, std::span<PersonaRow> rows, const Call& call) {
  std::vector<const Judge*> judges;
  for (const PersonaRow& row : rows)
    if (std::ranges::find(judges, row.judge.get()) == judges.end())
      judges.push_back(row.judge.get());
  for (const Judge* judge : judges) {
    std::vector<Question> questions;
    std::vector<Asked> asked;
    for (const User& user : users)
      for (PersonaRow& row : rows)
        if (row.judge.get() == judge) ask_about(user, row, questions, asked);
    const auto judgements = judge->judge(questions, call);
    for (std::size_t i = 0; i < judgements.size(); ++i)
      add(*asked[i].row, *asked[i].user, questions[i], judgements[i], asked[i].contrast);
  }
}

void PersonaRow::add_personas(const SynthesizeMe& module, std::span<const User> people,
                              const Call& call) {
  std::vector<const User*> users;
  for (const User& user : people) users.push_back(&user);
  auto found = module.personas(users, call);
  for (std::size_t i = 0; i < users.size(); ++i)
    personas.emplace(users[i]->id, std::move(found[i]));
}

std::vector<std::string> PersonaRow::remarks() const {
  std::vector<std::string> out;
  if (named > 0)
    out.push_back(fmt::format("{}, {}: {} of {} judgements were named, not scored{}", name, model,
                              named, outcomes.size(),
                              judge->options().judging == Judging::kContrast && !personas.empty()
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

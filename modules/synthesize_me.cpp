#include "modules/synthesize_me.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "modules/copy_guard.hpp"
#include "modules/counts.hpp"
#include "modules/demo_choice.hpp"
#include "modules/prototypes.hpp"
#include "modules/self_test.hpp"

namespace theta {
namespace {

constexpr const char* kUser = "user";
constexpr const char* kProbability = "probability";

/// What a user's context pairs hold.
std::vector<Example> texts_of(const User& user) {
  std::vector<Example> texts;
  for (const PreferencePair& pair : user.context)
    texts.push_back(
        {pair.id,
         user.id,
         {{"context", pair.context}, {"chosen", pair.chosen}, {"rejected", pair.rejected}}});
  return texts;
}

/// The places of the personas that quote nobody, or of the one that quotes least.
std::vector<std::size_t> without_copies(const std::vector<std::string>& personas,
                                        const CopyGuard& guard, PersonaCounts& counts) {
  std::vector<std::size_t> copied;
  for (const std::string& persona : personas) copied.push_back(guard.copied(persona));
  const std::size_t least = copied.empty() ? 0 : *std::ranges::min_element(copied);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < personas.size(); ++i) {
    const bool keeps = copied[i] == least && (least == 0 || kept.empty());
    if (keeps) kept.push_back(i);
    if (copied[i] == 0) continue;
    ++(keeps ? counts.kept_copies : counts.copied);
    counts.longest_copy = std::max(counts.longest_copy, static_cast<std::int64_t>(copied[i]));
  }
  return kept;
}

PersonaCounts counts_of(int samples, const WrittenPersonas& written) {
  const auto number = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  return {.asked = samples,
          .failed = number(written.failed),
          .unparsable = number(written.unparsable),
          .refused = number(written.refused),
          .not_fit = number(written.not_fit),
          .repeated = number(written.repeated),
          .written = number(written.personas.size())};
}

void count(const Verified& verified, PersonaCounts& counts) {
  counts.judged += static_cast<std::int64_t>(verified.judged);
  counts.named += static_cast<std::int64_t>(verified.named);
  counts.no_contrast += static_cast<std::int64_t>(verified.no_contrast);
}

constexpr NamedCount<PersonaCounts> kCounts[] = {
    {"asked", &PersonaCounts::asked},
    {"failed", &PersonaCounts::failed},
    {"unparsable", &PersonaCounts::unparsable},
    {"refused", &PersonaCounts::refused},
    {"not_fit", &PersonaCounts::not_fit},
    {"repeated", &PersonaCounts::repeated},
    {"written", &PersonaCounts::written},
    {"copied", &PersonaCounts::copied},
    {"kept_copies", &PersonaCounts::kept_copies},
    {"longest_copy_bytes", &PersonaCounts::longest_copy, true},
    {"judgements", &PersonaCounts::judged},
    {"named", &PersonaCounts::named},
    {"no_contrast", &PersonaCounts::no_contrast}};

}  // namespace

PersonaCounts& PersonaCounts::operator+=(const PersonaCounts& other) {
  add(*this, other, kCounts);
  return *this;
}

std::vector<std::pair<std::string, std::int64_t>> PersonaCounts::list() const {
  return listed(*this, kCounts);
}

void PersonaTally::add(const PersonaCounts& counts) {
  const std::lock_guard lock(mutex_);
  counts_ += counts;
}

PersonaCounts PersonaTally::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::optional<FoundPersona> PersonaMemo::find(const Key& key, const std::string& user) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [known, personas] : known_)
    if (known == key) {
      const auto found = personas.find(user);
      return found == personas.end() ? std::nullopt : std::optional(found->second);
    }
  return std::nullopt;
}

void PersonaMemo::put(const Key& key, const std::string& user, const FoundPersona& found) {
  const std::lock_guard lock(mutex_);
  auto same = std::ranges::find(known_, key, [](const auto& one) { return one.first; });
  if (same == known_.end()) same = known_.insert(known_.end(), {key, {}});
  same->second.insert_or_assign(user, found);
}

std::shared_ptr<const People> people_by_id(std::span<const User> users) {
  auto people = std::make_shared<People>();
  for (const User& user : users)
    if (!people->emplace(user.id, user).second)
      throw UserError("two people have the id `" + user.id + "`");
  return people;
}

SynthesizeMe::SynthesizeMe(Predict theta, Judge judge, SynthesizeMeOptions options,
                           std::shared_ptr<const People> people)
    : theta_(std::move(theta)),
      judge_(std::move(judge)),
      options_(std::move(options)),
      people_(std::move(people)) {
  theta_.predictors()[0]->name = "theta";
  if (!options_.tune_theta && !options_.tune_judge)
    throw UserError("there is nothing to tune where both Θ and the judge are frozen");
  std::set<std::string> names{kUser, kProbability};
  const auto claim = [&](const std::string& name) {
    if (!names.insert(name).second)
      throw UserError("a field of Θ or the judge is named `" + name +
                      "`, as another is, of theirs or of SynthesizeMe's (user, probability): give "
                      "it a name of its own in the signature");
  };
  for (const Field& field : judge_.options().signature.inputs) claim(field.name);
  claim(answer().name);
  claim(theta_.signature().inputs.at(0).name);
  claim(theta_.signature().outputs.back().name);
}

std::vector<Predictor*> SynthesizeMe::predictors() {
  std::vector<Predictor*> tuned;
  if (options_.tune_theta) tuned.push_back(theta_.predictors()[0]);
  if (options_.tune_judge) tuned.push_back(&judge_.predictor());
  return tuned;
}

Predict SynthesizeMe::theta() const {
  Predict alone = theta_;
  alone.predictors()[0]->name = "predict";
  return alone;
}

Call SynthesizeMe::judging(const Call& call) const {
  return {.model = judge_model_ ? *judge_model_ : call.model, .stop = call.stop};
}

void SynthesizeMe::tell(const PersonaCounts& counts) const {
  if (tally_) tally_->add(counts);
}

std::vector<Result<FoundPersona>> SynthesizeMe::personas(std::span<const User* const> users,
                                                         const Call& call) const {
  // Where answers stand alone, a repeated request is answered from the record.
  const LanguageModel& judge_model = judging(call).model;
  if (call.model.unit() == 1 && judge_model.unit() == 1) return ask_for_personas(users, call);
  const PersonaMemo::Key key{*theta().predictors()[0], judge_.predictor(),
                             call.model.identity() + "\n" + judge_model.identity(),
                             call.temperature, call.rollout};
  std::vector<const User*> unknown;
  std::vector<std::optional<FoundPersona>> known;
  for (const User* user : users)
    if (!known.emplace_back(memo_->find(key, user->id))) unknown.push_back(user);
  auto asked = ask_for_personas(unknown, call);
  std::vector<Result<FoundPersona>> found;
  auto next = asked.begin();
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (known[i]) {
      known[i]->usage = {};
      found.emplace_back(*std::move(known[i]));
      continue;
    }
    if (*next) memo_->put(key, users[i]->id, **next);
    found.push_back(std::move(*next++));
  }
  return found;
}

std::vector<std::string> SynthesizeMe::share(std::span<const std::string> personas,
                                             std::size_t most, std::span<const User* const> users,
                                             std::span<Result<FoundPersona>> found,
                                             const Call& call) const {
  if (personas.empty() || most == 0) return {};
  std::vector<std::string> candidates(personas.begin(), personas.end());
  candidates.emplace_back();
  std::vector<PersonaTest> tests;
  for (const User* user : users) tests.push_back({user->context, candidates});
  const auto tested = verify_personas(judge_, tests, options_.contrasts, judging(call));
  PersonaCounts counts;
  std::vector<std::vector<double>> fits;
  std::vector<double> none;
  for (const auto& verified : tested) {
    if (!verified) continue;
    count(*verified, counts);
    std::vector<double>& row = fits.emplace_back();
    for (const Verification& one : verified->each) row.push_back(one.fit);
    none.push_back(row.back());
    row.pop_back();
  }
  tell(counts);
  std::vector<std::size_t> taken = prototypes(fits, none, most);
  std::vector<std::string> shared;
  for (const std::size_t k : taken) shared.push_back(personas[k]);
  taken.push_back(personas.size());  // none at all
  for (std::size_t u = 0; u < users.size(); ++u) {
    if (!found[u] || !tested[u]) continue;  // what was found before stands
    const auto best =
        std::ranges::max_element(taken, {}, [&](std::size_t k) { return tested[u]->each[k].fit; });
    const Verification& kept = tested[u]->each[*best];
    found[u]->usage += tested[u]->usage;
    if (candidates[*best] != found[u]->persona) found[u]->outputs = {};
    found[u]->persona = candidates[*best];
    found[u]->contrast = kept.contrast;
    found[u]->fit = kept.fit;
    found[u]->reasoning = kept.reasoning;
  }
  return shared;
}

std::vector<Result<FoundPersona>> SynthesizeMe::ask_for_personas(std::span<const User* const> users,
                                                                 const Call& call) const {
  const auto histories = histories_of(judge_, users, options_.writing, judging(call));
  std::vector<UserHistory> known;
  for (const auto& history : histories)
    if (history) known.push_back(*history);
  PersonaWriting writing = options_.writing;
  if (!options_.verify) writing.samples = 1;
  auto answers = write_personas(theta_, known, writing, call);
  std::vector<Result<WrittenPersonas>> written;  // of all users
  auto next = answers.begin();
  for (const auto& history : histories) {
    if (!history) {
      written.emplace_back(history.error());
      continue;
    }
    if (*next) tell(counts_of(writing.samples, **next));
    written.push_back(std::move(*next++));
  }
  std::vector<Result<FoundPersona>> found = kept(users, written, call);
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (!found[i]) continue;
    found[i]->history = histories[i]->text;
    if (written[i]->personas.empty()) found[i]->unwritten = written[i]->why;
    found[i]->usage += histories[i]->usage;
    found[i]->usage += written[i]->usage;
  }
  add_demos(users, found, call);
  if (options_.abstain) abstain(users, found, call);
  return found;
}

SynthesizeMe::Candidates SynthesizeMe::candidates_of(const User& user,
                                                     const WrittenPersonas& written,
                                                     PersonaCounts& counts) const {
  Candidates out;
  const CopyGuard guard(texts_of(user), options_.max_copied);
  for (const std::size_t k : without_copies(written.personas, guard, counts)) {
    out.personas.push_back(written.personas[k]);
    out.outputs.push_back(written.outputs[k]);
  }
  if (!options_.verify) return out;
  for (const std::string& other : options_.pool)
    if (std::ranges::find(out.personas, other) == out.personas.end()) out.personas.push_back(other);
  out.personas.emplace_back();
  return out;
}

std::vector<Result<FoundPersona>> SynthesizeMe::kept(
    std::span<const User* const> users, const std::vector<Result<WrittenPersonas>>& written,
    const Call& call) const {
  PersonaCounts counts;
  std::vector<Candidates> candidates(users.size());
  std::vector<PersonaTest> tests;
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (!written[i]) continue;
    candidates[i] = candidates_of(*users[i], *written[i], counts);
    if (options_.verify) tests.push_back({users[i]->context, candidates[i].personas});
  }
  const auto tested = verify_personas(judge_, tests, options_.contrasts, judging(call));

  std::vector<Result<FoundPersona>> found;
  auto test = tested.begin();
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (!written[i]) {
      found.emplace_back(written[i].error());
      continue;
    }
    FoundPersona one;
    std::size_t best = 0;
    if (options_.verify) {
      const Result<Verified>& verified = *test++;
      if (!verified) {
        found.emplace_back(verified.error());
        continue;
      }
      count(*verified, counts);
      const auto most = std::ranges::max_element(verified->each, {}, &Verification::fit);
      best = static_cast<std::size_t>(most - verified->each.begin());
      one = {.contrast = most->contrast,
             .fit = most->fit,
             .reasoning = most->reasoning,
             .usage = verified->usage};
    }
    const auto& [personas, outputs] = candidates[i];
    if (best < personas.size()) one.persona = personas[best];
    if (best < outputs.size()) one.outputs = outputs[best];
    one.samples.assign(personas.begin(),
                       personas.begin() + static_cast<std::ptrdiff_t>(outputs.size()));
    found.emplace_back(std::move(one));
  }
  tell(counts);
  return found;
}

void SynthesizeMe::add_demos(std::span<const User* const> users,
                             std::span<Result<FoundPersona>> found, const Call& call) const {
  if (options_.demos == 0) return;
  if (!options_.choose_demos) {
    for (std::size_t u = 0; u < users.size(); ++u) {
      if (!found[u]) continue;
      const auto& pairs = users[u]->context;
      for (std::size_t i = 0; i < std::min(pairs.size(), options_.demos); ++i)
        found[u]->demos.push_back(
            judge_.demo(pairs[i], pairs[i].flip, found[u]->persona,
                        found[u]->reasoning.empty() ? "" : found[u]->reasoning[i]));
    }
    return;
  }
  std::vector<DemoQuestion> questions;
  for (std::size_t u = 0; u < users.size(); ++u)
    if (found[u]) questions.push_back({users[u], found[u]->persona, found[u]->contrast});
  auto choices =
      theta::choose_demos(judge_, questions, options_.demos, options_.folds, judging(call));
  auto choice = choices.begin();
  for (Result<FoundPersona>& one : found) {
    if (!one) continue;
    Result<DemoChoice>& chosen = *choice++;
    if (!chosen) {
      one = chosen.error();
      continue;
    }
    one->demos = std::move(chosen->demos);
    one->usage += chosen->usage;
  }
}

void SynthesizeMe::abstain(std::span<const User* const> users,
                           std::span<Result<FoundPersona>> found, const Call& call) const {
  SynthesizeMe without = *this;
  without.options_.abstain = false;
  const auto tested = self_test(without, users, options_.folds, call);
  for (std::size_t u = 0; u < users.size(); ++u) {
    if (!found[u]) continue;
    if (!tested[u] && tested[u].error().fault == Fault::kService) {
      found[u] = tested[u].error();
      continue;
    }
    if (tested[u]) found[u]->usage += tested[u]->usage;
    if (tested[u] && tested[u]->helps()) continue;
    found[u]->abstained = true;
    found[u]->persona.clear();
    found[u]->demos.clear();
    found[u]->outputs = {};
    found[u]->contrast = 0;
  }
}

SynthesizeMe::Asked SynthesizeMe::people_of(std::span<const Record> inputs) const {
  Asked out;
  std::map<std::string, std::size_t> places;  // by id
  for (const Record& input : inputs) {
    const std::string id = input.text(kUser);
    const auto [place, is_new] = places.try_emplace(id, out.users.size());
    out.owner.push_back(place->second);
    if (!is_new) continue;
    const auto known = people_->find(id);
    if (known == people_->end())
      throw UserError("nobody is known as `" + id +
                      "`: SynthesizeMe is asked about the people that it was given");
    out.users.push_back(&known->second);
  }
  return out;
}

std::vector<Result<Prediction>> SynthesizeMe::run(std::span<const Record> inputs,
                                                  const Call& call) const {
  const auto [users, owner] = people_of(inputs);
  const auto found = personas(users, call);
  std::vector<PreferencePair> pairs;
  pairs.reserve(inputs.size());  // questions point into them
  std::vector<Question> questions;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& one = found[owner[i]];
    if (!one) continue;
    pairs.push_back(judge_.pair_of(inputs[i]));
    questions.push_back({&pairs.back(), true, one->persona, &one->demos});
  }
  const auto judgements = judge_.judge(questions, judging(call));

  PersonaCounts counts;
  std::vector<Result<Prediction>> predictions;
  std::vector<bool> counted(users.size());
  std::size_t next = 0;
  for (const std::size_t user : owner) {
    const auto& one = found[user];
    if (!one) {
      predictions.emplace_back(one.error());
      continue;
    }
    const Judgement& judgement = judgements[next];
    ++counts.judged;
    counts.named += judgement.named;
    counts.no_contrast += !judgement.no_contrast.empty();
    if (judgement.status == Outcome::Status::kScored)
      predictions.emplace_back(prediction(*one, questions[next], judgement));
    else
      predictions.emplace_back(error_of(judgement));
    ++next;
    if (counted[user]) continue;  // what a persona took is that of the first question about it
    counted[user] = true;
    Usage usage = usage_of(predictions.back());
    usage += one->usage;
    set_usage(predictions.back(), usage);
  }
  tell(counts);
  return predictions;
}

Prediction SynthesizeMe::prediction(const FoundPersona& found, const Question& question,
                                    const Judgement& judgement) const {
  const auto choice = [&](bool first) { return answer().type.options()[first ? 0 : 1]; };
  const double margin = judgement.margin(found.contrast);
  const double first = judgement.probability(found.contrast);
  const Signature& theta = theta_.signature();
  Prediction out;
  out.fields.set(theta.outputs.back().name, found.persona);
  out.fields.set(answer().name, choice(margin >= 0));
  out.fields.set(kProbability, std::max(first, 1 - first));
  out.option_logprobs = {log_sigmoid(margin), log_sigmoid(-margin)};
  out.usage = judgement.usage;
  out.named = judgement.named;
  out.note = judgement.no_contrast;
  if (options_.tune_theta && !found.outputs.empty())
    out.trace.push_back({0, {{theta.inputs.at(0).name, found.history}}, found.outputs});
  if (options_.tune_judge) {
    Record outputs;
    if (!judgement.reasoning.empty()) outputs.set("reasoning", judgement.reasoning);
    outputs.set(answer().name, choice(judgement.asked.margin(found.contrast) >= 0));
    out.trace.push_back(
        {options_.tune_theta ? std::size_t{1} : 0, judge_.inputs(question), outputs});
  }
  return out;
}

Example SynthesizeMe::example(const User& user, const PreferencePair& pair,
                              const FoundPersona* found) const {
  Example out{pair.id, user.id, {{kUser, user.id}}};
  for (const auto& [name, value] : judge_.demo(pair, pair.flip, "").fields)
    out.fields.set(name, value);
  if (found) {
    const Signature& theta = theta_.signature();
    out.fields.set(theta.inputs.at(0).name, found->history);
    out.fields.set(theta.outputs.back().name, found->persona);
    out.fields.set(judge_.options().persona.name, found->persona);
  }
  return out;
}

Metric make_agreement(Field answer) {
  return [answer = std::move(answer)](const Example& example, const Prediction& prediction) {
    if (std::get<double>(prediction.fields.at(kProbability)) == 0.5) return 0.5;
    return prediction.fields.at(answer.name) == example.fields.at(answer.name) ? 1.0 : 0.0;
  };
}

SynthesizeMe with_predictors(SynthesizeMe module, const Module& tuned) {
  const auto mine = module.predictors();
  const auto theirs = tuned.predictors();
  require(mine.size() == theirs.size(), "modules with the same predictors");
  for (std::size_t p = 0; p < mine.size(); ++p) *mine[p] = *theirs[p];
  return module;
}

}  // namespace theta

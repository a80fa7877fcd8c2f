#include "experiments/runs/reward_data.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "core/result.hpp"
#include "core/utf8.hpp"
#include "modules/reward/features.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kMostContext = 1500;  ///< bytes before an answer: the last, as embedders cut

using Pairs = std::vector<const PreferencePair*>;

/// A text as it is embedded.
std::string embedded(const PreferencePair& pair, const std::string& answer, bool context) {
  if (!context || pair.context.empty()) return answer;
  std::string asked = pair.context;
  if (asked.size() > kMostContext) {
    std::size_t from = asked.size() - kMostContext;
    while (from < asked.size() && (asked[from] & '\xC0') == '\x80') ++from;  // inside a character
    asked.erase(0, from);
  }
  return asked + "\n\n" + answer;
}

/// Context, and both texts in alphabetical order.
using Question = std::tuple<std::string, std::string, std::string>;
Question question_of(const PreferencePair& pair) {
  const auto [first, second] = std::minmax(pair.chosen, pair.rejected);
  return {pair.context, first, second};
}

std::vector<const User*> people_to_fit(const Users& users) {
  std::vector<const User*> out;
  for (const auto* split : {&users.train, &users.validation})
    for (const User& user : *split) out.push_back(&user);
  return out;
}

Pairs all_pairs(const User& user) {
  Pairs out;
  for (const auto* pairs : {&user.context, &user.test})
    for (const PreferencePair& pair : *pairs) out.push_back(&pair);
  return out;
}

/// Vectors by text; an empty text has none.
class Vectors {
 public:
  Vectors(const std::vector<std::string>& texts, const Embed& embed) {
    const auto vectors = embed ? embed(texts) : word_vectors(texts, texts);
    for (std::size_t i = 0; i < texts.size(); ++i)
      by_text_[texts[i]] = Eigen::Map<const Eigen::VectorXf>(vectors[i].data(),
                                                             static_cast<Index>(vectors[i].size()))
                               .cast<double>();
    width_ = by_text_.empty() ? 0 : by_text_.begin()->second.size();
  }

  VectorXd of(const std::string& text) const {
    return text.empty() ? VectorXd::Zero(width_) : by_text_.at(text);
  }
  Index width() const { return width_; }

 private:
  std::map<std::string, VectorXd> by_text_;
  Index width_ = 0;
};

/// Differences of embeddings and of styles, a row a pair.
struct Differences {
  Differences(const Pairs& pairs, const Vectors& vectors, bool context)
      : embeddings(static_cast<Index>(pairs.size()), vectors.width()),
        styles(static_cast<Index>(pairs.size()), kStyles) {
    for (Index i = 0; i < embeddings.rows(); ++i) {
      const PreferencePair& pair = *pairs[static_cast<std::size_t>(i)];
      embeddings.row(i) = (vectors.of(embedded(pair, pair.chosen, context)) -
                           vectors.of(embedded(pair, pair.rejected, context)))
                              .transpose();
      styles.row(i) = (style_of(pair.chosen) - style_of(pair.rejected)).transpose();
    }
  }

  MatrixXd embeddings, styles;
};

/// What is known of people about its mean over those who are fitted, with a mean square length of 1.
class Known {
 public:
  Known(const std::vector<const User*>& fitted, const Vectors& vectors) : vectors_(vectors) {
    mean_ = VectorXd::Zero(vectors.width());
    for (const User* user : fitted)
      mean_ += vectors.of(user->demographics) / static_cast<double>(fitted.size());
    double square = 0;
    for (const User* user : fitted)
      square += (vectors.of(user->demographics) - mean_).squaredNorm() /
                static_cast<double>(fitted.size());
    if (square > 0) scale_ = 1 / std::sqrt(square);
  }

  VectorXd of(const User& user) const {
    if (user.demographics.empty()) return VectorXd::Zero(vectors_.width());  // as the mean person
    return scale_ * (vectors_.of(user.demographics) - mean_);
  }

 private:
  const Vectors& vectors_;
  VectorXd mean_;
  double scale_ = 1;
};

/// Whose choices are fitted, and which.
struct Fitted {
  std::vector<const User*> people;
  Pairs pairs;
  std::vector<std::size_t> person, prompt;
  std::size_t left_out = 0;
};

Fitted choose_fitted(const Users& users, bool shared_pairs) {
  std::set<Question> of_test;
  for (const User& user : users.test)
    for (const PreferencePair& pair : user.test) of_test.insert(question_of(pair));
  Fitted fitted;
  std::map<Question, std::size_t> prompts;  // a pair without context is one of its own
  for (const User* user : people_to_fit(users)) {
    bool first = true;
    for (const PreferencePair* pair : all_pairs(*user)) {
      const Question question = question_of(*pair);
      if (!shared_pairs && of_test.contains(question)) {
        ++fitted.left_out;
        continue;
      }
      if (std::exchange(first, false)) fitted.people.push_back(user);
      fitted.pairs.push_back(pair);
      fitted.person.push_back(fitted.people.size() - 1);
      fitted.prompt.push_back(
          prompts
              .try_emplace(pair->context.empty() ? question : Question{pair->context, "", ""},
                           prompts.size())
              .first->second);
    }
  }
  return fitted;
}

}  // namespace

std::vector<std::string> texts_to_embed(const Users& users, const RewardDataOptions& options) {
  std::set<std::string> texts;
  for (const auto* split : {&users.train, &users.validation, &users.test})
    for (const User& user : *split) {
      for (const PreferencePair* pair : all_pairs(user))
        for (const std::string& answer : {pair->chosen, pair->rejected})
          texts.insert(embedded(*pair, answer, options.context));
      if (options.demographics) texts.insert(user.demographics);
    }
  texts.erase("");
  return {texts.begin(), texts.end()};
}

RewardData make_reward_data(const Users& users, const RewardDataOptions& options,
                            const Embed& embed) {
  Fitted fitted = choose_fitted(users, options.shared_pairs);
  if (fitted.pairs.empty())
    throw UserError(fitted.left_out == 0
                        ? "rewards are fitted on the choices of `train` and `validation` people: "
                          "there are none"
                        : "every choice of training people is between texts that a test person is "
                          "asked about: rewards have nothing to be fitted on");
  const Vectors vectors(texts_to_embed(users, options), embed);
  const auto differences = [&](const Pairs& pairs) {
    return Differences(pairs, vectors, options.context);
  };
  const Differences train = differences(fitted.pairs);
  const PairFeatures features(train.embeddings, train.styles,
                              static_cast<Index>(options.directions));
  RewardData data;
  data.left_out = fitted.left_out;
  data.fitted.D = features.features(train.embeddings, train.styles);
  data.fitted.person = std::move(fitted.person);
  data.fitted.prompt = std::move(fitted.prompt);
  data.fitted.first_block = features.of_embeddings();
  std::optional<Known> known;
  if (options.demographics) known.emplace(fitted.people, vectors);
  if (known) {
    data.fitted.attributes.resize(static_cast<Index>(fitted.people.size()), vectors.width());
    for (std::size_t u = 0; u < fitted.people.size(); ++u)
      data.fitted.attributes.row(static_cast<Index>(u)) = known->of(*fitted.people[u]).transpose();
  }
  const auto features_of = [&](const std::vector<PreferencePair>& pairs) {
    Pairs all;
    for (const PreferencePair& pair : pairs) all.push_back(&pair);
    const Differences some = differences(all);
    return features.features(some.embeddings, some.styles);
  };
  for (const User& user : users.test) {
    data.newcomers.push_back({features_of(user.context), known ? known->of(user) : VectorXd()});
    data.asked.push_back(features_of(user.test));
  }
  return data;
}

}  // namespace theta

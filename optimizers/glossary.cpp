#include "optimizers/glossary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/rng.hpp"
#include "core/tfidf.hpp"
#include "modules/text.hpp"
#include "optimizers/training_rows.hpp"

namespace theta {
namespace {

constexpr std::size_t kShownBytes = 300;    ///< of a row in a question
constexpr std::size_t kMeaningBytes = 160;  ///< of what a glossary says of a label
constexpr std::size_t kMarkingWords = 6;
constexpr double kTelling = 1.64;  ///< standard errors, see telling(): P < .05
constexpr std::size_t kFewRows =
    2;                        ///< that a word marks a label by, and an answer's form is told by
constexpr double kMost = .9;  ///< of the answers that have what a form says
constexpr std::size_t kShownAnswers = 3;
constexpr std::size_t kWordsOfForm = 12;  ///< answers with more are texts of any length

Signature question() {
  return Signature::parse(
      "texts, label, other_labels -> meaning",
      "All of the texts were given the same label, and none of the other labels. Say in one phrase "
      "of at most twelve words what such texts are about or ask for, so that new texts with this "
      "label can be told from those with the other labels. Do not quote the texts.");
}

/// One line of what the proposer said of a label, without its name in front.
std::string meaning(std::string_view said, const std::string& label) {
  std::string text(strip(said.substr(0, said.find('\n'))));
  for (const std::string& opening : {"`" + label + "`", "\"" + label + "\"", label})
    if (text.starts_with(opening + ":")) text = strip(text.substr(opening.size() + 1));
  while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
  if (plain_words(text) == plain_words(label)) return "";
  return shorten(text, kMeaningBytes);
}

std::string glossary(const std::string& field, const std::vector<std::string>& labels,
                     const std::vector<std::string>& meanings) {
  std::string text = fmt::format("What each `{}` stands for:", field);
  for (std::size_t l = 0; l < labels.size(); ++l)
    text += fmt::format("\n- {}{}{}", labels[l], meanings[l].empty() ? "" : ": ", meanings[l]);
  return text;
}

bool says_something(const std::vector<std::string>& meanings) {
  return std::ranges::any_of(meanings, [](const auto& text) { return !text.empty(); });
}

/// Appends a text to the instruction; choice 0 is none.
PromptPart addition(std::string name, std::size_t predictor, std::vector<std::string> texts) {
  auto apply = [texts](Predictor& p, std::size_t choice) {
    const std::string& text = texts.at(choice);
    if (!text.empty())
      p.signature = p.signature.with_instructions(p.signature.instructions + "\n\n" + text);
  };
  return {std::move(name), predictor, std::move(texts), std::move(apply)};
}

/// A predictor with labels, what its rows say of them, and the glossaries so far.
struct Labelled {
  std::size_t predictor;
  std::string field;
  std::vector<std::string> labels;
  TrainingRows rows;
  std::vector<std::vector<std::size_t>> of;        ///< rows by label
  std::vector<std::vector<std::string>> meanings;  ///< [written glossary][label]
};

/// What the proposer is asked of one label for one glossary.
struct Asked {
  Labelled* of;
  std::size_t glossary, label;
};

/// The question about a label that shows its rows from `begin` on.
Record ask(const Labelled& task, std::size_t label, std::size_t begin, std::size_t shown) {
  std::vector<std::string> texts, others;
  const auto& rows = task.of[label];
  for (std::size_t i = begin; i < std::min(begin + shown, rows.size()); ++i)
    texts.push_back("- " + shorten(task.rows.inputs[rows[i]], kShownBytes));
  for (const auto& other : task.labels)
    if (other != task.labels[label]) others.push_back(other);
  return {{"texts", fmt::format("{}", fmt::join(texts, "\n"))},
          {"label", task.labels[label]},
          {"other_labels", fmt::format("{}", fmt::join(others, ", "))}};
}

/// Has the proposer write the glossaries of all tasks in one wave.
ProposalCounts write(std::vector<Labelled>& tasks, std::span<const Example> train,
                     const Call& proposer, const WriterOptions& options,
                     const GlossaryOptions& glossary, Rng& rng) {
  std::vector<Asked> asked;
  std::vector<Record> inputs;
  for (auto& task : tasks) {
    for (auto& rows : task.of) rng.shuffle(rows);
    task.meanings.assign(glossary.written, std::vector<std::string>(task.labels.size()));
    for (std::size_t g = 0; g < glossary.written; ++g)
      for (std::size_t l = 0; l < task.labels.size(); ++l)
        if (const std::size_t begin = g * glossary.rows; begin < task.of[l].size()) {
          asked.push_back({&task, g, l});
          inputs.push_back(ask(task, l, begin, glossary.rows));
        }
  }
  if (asked.empty()) return {};
  Screen screen(train, options.max_copied, strip_prefix);
  // Other rows give other glossaries: nothing is left to chance beside.
  WriterOptions greedy = options;
  greedy.temperature = 0;
  const auto answers = Writer(proposer, greedy, rng.next()).write(question(), inputs);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto& [task, g, l] = asked[i];
    if (const auto said = screen.take(answers[i], "meaning", {}))
      task->meanings[g][l] = meaning(*said, task->labels[l]);
  }
  // Where the rows of a label do not go round, the first glossary's word for it stands in the rest.
  for (auto& task : tasks)
    for (std::size_t g = 1; g < glossary.written; ++g)
      for (std::size_t l = 0; l < task.labels.size(); ++l)
        if (task.meanings[g][l].empty()) task.meanings[g][l] = task.meanings[0][l];
  screen.check();
  return screen.counts();
}

std::vector<std::string> glossaries(const Labelled& task, bool read_off) {
  std::vector<std::string> texts{""};
  const auto add = [&](const std::vector<std::string>& meanings) {
    auto text = glossary(task.field, task.labels, meanings);
    if (says_something(meanings) && std::ranges::find(texts, text) == texts.end())
      texts.push_back(std::move(text));
  };
  for (const auto& meanings : task.meanings) add(meanings);
  if (read_off) {
    std::vector<std::string> meanings;
    for (const auto& words : marking_words(task.rows.inputs, task.of, kMarkingWords))
      meanings.push_back(words.empty() ? "" : fmt::format("often has {}", fmt::join(words, ", ")));
    add(meanings);
  }
  return texts;
}

std::vector<std::string> forms(const TrainingRows& rows) {
  std::vector<std::string> texts{""};
  std::set<std::string> shown;
  for (const auto& answer : rows.answers)
    if (shown.size() < kShownAnswers && !answer.empty()) shown.insert(shorten(answer, kShownBytes));
  const std::string form = form_of(rows.answers);
  const std::string look = fmt::format("Answers look like these: {}", fmt::join(shown, " | "));
  if (!form.empty()) texts.push_back(form);
  if (!form.empty() && shown.size() > 1) texts.push_back(form + " " + look);
  return texts;
}

/// How far the odds of a word in `n` rows, of which `with` hold it, are above those in the `others`:
/// the log odds ratio over its standard error, half a row added to each count (Haldane 1940).
double telling(std::size_t with, std::size_t n, std::size_t others_with, std::size_t others) {
  const std::array<std::size_t, 4> counts{with, n - with, others_with, others - others_with};
  std::array<double, 4> x{};
  std::ranges::transform(counts, x.begin(),
                         [](std::size_t c) { return static_cast<double>(c) + .5; });
  return std::log(x[0] * x[3] / (x[1] * x[2])) /
         std::sqrt(1 / x[0] + 1 / x[1] + 1 / x[2] + 1 / x[3]);
}

/// `2019-04-02` as `9999-99-99`, a word as `a`.
std::string pattern(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isdigit(byte))
      out += '9';
    else if (byte >= 0x80 || std::isalpha(byte))
      out += out.ends_with('a') ? "" : "a";
    else
      out += c;
  }
  return out;
}

}  // namespace

Choices glossary_parts(const Module& student, std::span<const Example> train,
                       const std::vector<bool>& open, const Call& proposer,
                       const WriterOptions& writer, const GlossaryOptions& options, Rng& rng) {
  const auto predictors = student.predictors();
  require(open.size() == predictors.size(), "every predictor is open or not");
  Choices parts;
  std::vector<Labelled> tasks;
  for (std::size_t p = 0; p < predictors.size(); ++p) {
    const Signature& signature = predictors[p]->signature;
    const Field& answer = signature.outputs.back();
    TrainingRows rows(train, signature);
    if (!open[p] || rows.rows.size() < kFewRows) continue;
    auto labels = answer.type.options();
    if (!labels.empty() && labels.size() <= options.most_labels) {
      auto of = rows.by_label(labels);
      tasks.push_back({p, answer.name, std::move(labels), std::move(rows), std::move(of), {}});
    } else if (answer.type.kind == Type::Kind::kStr && options.read_off) {
      if (auto texts = forms(rows); texts.size() > 1)
        parts.parts.push_back(addition("form", p, std::move(texts)));
    }
  }
  parts.counts = write(tasks, train, proposer, writer, options, rng);
  for (const auto& task : tasks)
    if (auto texts = glossaries(task, options.read_off); texts.size() > 1)
      parts.parts.push_back(addition("glossary", task.predictor, std::move(texts)));
  return parts;
}

std::string form_of(std::span<const std::string> answers) {
  if (answers.size() < kFewRows) return "";
  const auto share = [&](auto&& holds) {
    return static_cast<double>(std::ranges::count_if(answers, holds)) >=
           kMost * static_cast<double>(answers.size());
  };
  std::map<std::string, std::size_t> patterns;
  std::vector<std::size_t> lengths;
  for (const auto& answer : answers) {
    ++patterns[pattern(answer)];
    lengths.push_back(plain_words(answer).size());
  }
  const auto usual =
      std::ranges::max_element(patterns, {}, [](const auto& item) { return item.second; });
  const bool has_digits = usual->first.find('9') != std::string::npos;
  if (has_digits && share([&](const auto& a) { return pattern(a) == usual->first; })) {
    const auto shown =
        std::ranges::find_if(answers, [&](const auto& a) { return pattern(a) == usual->first; });
    return fmt::format("Answer in exactly the form of {} and with nothing else.", *shown);
  }
  std::ranges::sort(lengths);
  const std::size_t longest =
      lengths[static_cast<std::size_t>(kMost * static_cast<double>(lengths.size() - 1))];
  if (longest > kWordsOfForm) return "";
  std::string form =
      longest == 1 ? "Answer with one word" : fmt::format("Answer with at most {} words", longest);
  const auto lower = [](const std::string& a) {
    return std::ranges::none_of(a, [](unsigned char c) { return std::isupper(c); });
  };
  if (share(lower)) form += ", in lower case";
  const auto unended = [](const std::string& a) { return !a.ends_with('.'); };
  return form + (share(unended) ? ", without a full stop and with nothing else." : ".");
}

std::vector<std::vector<std::string>> marking_words(std::span<const std::string> texts,
                                                    const std::vector<std::vector<std::size_t>>& of,
                                                    std::size_t most) {
  std::map<std::string, std::vector<std::size_t>> rows;  // with the word, by label
  std::size_t all = 0;
  for (std::size_t l = 0; l < of.size(); ++l) {
    all += of[l].size();
    for (const auto i : of[l]) {
      const auto words = plain_words(texts[i]);
      for (const auto& word : std::set<std::string>(words.begin(), words.end())) {
        auto& count = rows[word];
        count.resize(of.size());
        ++count[l];
      }
    }
  }
  std::vector<std::vector<std::string>> marking(of.size());
  for (std::size_t l = 0; l < of.size(); ++l) {
    std::vector<std::pair<double, std::string>> found;
    for (const auto& [word, count] : rows) {
      const std::size_t with = std::accumulate(count.begin(), count.end(), std::size_t{0});
      if (count[l] < kFewRows) continue;
      const double z = telling(count[l], of[l].size(), with - count[l], all - of[l].size());
      if (z > kTelling) found.emplace_back(-z, word);
    }
    std::ranges::sort(found);
    for (std::size_t i = 0; i < std::min(most, found.size()); ++i)
      marking[l].push_back(found[i].second);
  }
  return marking;
}

}  // namespace theta

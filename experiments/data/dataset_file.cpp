#include "experiments/data/dataset_file.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/ascii.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/runs/made_up.hpp"

namespace theta {
namespace {

/// A file whose rows go to splits.
struct Part {
  std::filesystem::path file;
  const char* prefix;                           ///< of its rows' ids
  std::optional<Split> split;                   ///< of all of them; nullopt: each says its own
  std::vector<std::uint32_t> unit_of_row = {};  ///< Units of its rows; kLeftOut for the others
};
constexpr std::uint32_t kLeftOut = UINT32_MAX;

/// What is drawn: rows, or where there is a group column the groups.
struct Units {
  std::vector<Split> said;  ///< where rows or files say it, else kUnused
  std::unordered_map<std::string, std::uint32_t> by_group;

  std::uint32_t add(Split split) {
    said.push_back(split);
    return static_cast<std::uint32_t>(said.size() - 1);
  }
  /// The unit of a group, in its split: a group may have rows in several.
  std::uint32_t of_group(const std::string& group, Split split) {
    const auto [at, is_new] =
        by_group.try_emplace(fmt::format("{} {}", static_cast<int>(split), group), 0);
    if (is_new) at->second = add(split);
    return at->second;
  }
};

std::optional<Split> read_split_name(std::string_view said) {
  const std::string name = ascii::lower(said);
  if (name == "train" || name == "training") return Split::kTrain;
  if (name == "validation" || name == "valid" || name == "val" || name == "dev")
    return Split::kValidation;
  if (name == "test" || name == "testing") return Split::kTest;
  return std::nullopt;
}

/// Looks at every row of a part, of which it keeps the unit alone.
void scan(Part& part, const Columns& columns, const Signature& signature, Units& units,
          std::vector<std::string>& remarks) {
  std::size_t n_elsewhere = 0;
  std::string elsewhere;
  const auto put = [&](std::size_t row, const Example& example, const std::string& name) {
    part.unit_of_row.resize(row + 1, kLeftOut);
    Split split = part.split.value_or(Split::kUnused);
    if (!columns.split.empty()) {
      const auto said = read_split_name(name);
      if (!said) {
        if (n_elsewhere++ == 0) elsewhere = name;
        return;
      }
      split = *said;
    }
    part.unit_of_row[row] =
        columns.group.empty() ? units.add(split) : units.of_group(example.group, split);
  };
  for_each_example(part.file, columns, signature, part.prefix, remarks, put);
  if (n_elsewhere > 0)
    remarks.push_back(fmt::format("{}: {} rows are in no split: `{}` says `{}`",
                                  part.file.filename().string(), n_elsewhere, columns.split,
                                  shortened(elsewhere, 40)));
}

/// Makes the rows that are drawn into examples.
void take(const Part& part, const Columns& columns, const Signature& signature,
          const std::vector<Split>& splits, Dataset& data) {
  const auto split_of_row = [&](std::size_t row) {
    const std::uint32_t unit = row < part.unit_of_row.size() ? part.unit_of_row[row] : kLeftOut;
    return unit == kLeftOut ? Split::kUnused : splits[unit];
  };
  std::vector<std::string> said_before;
  for_each_example(
      part.file, columns, signature, part.prefix, said_before,
      [&](std::size_t row, Example example, const std::string&) {
        split_of(data, split_of_row(row)).push_back(std::move(example));
      },
      [&](std::size_t row) { return split_of_row(row) != Split::kUnused; });
}

std::string what_is_drawn(const Columns& columns) {
  return columns.group.empty() ? "rows" : "groups by `" + columns.group + "`";
}

/// Draws from what the rows or the files themselves say.
std::vector<Split> draw_from_said(std::vector<Split> said, const SplitFiles& source,
                                  const std::string& what, std::vector<std::string>& remarks) {
  const auto units_of = [&](Split split) {
    std::vector<std::size_t> units;
    for (std::size_t i = 0; i < said.size(); ++i)
      if (said[i] == split) units.push_back(i);
    return units;
  };
  /// Gives `n` units of a split, by the seed, to another.
  const auto move = [&](Split from, std::size_t n, Split to, const char* name) {
    const std::vector<std::size_t> units = units_of(from);
    if (n > units.size())
      throw UserError(
          fmt::format("{} {} of {} were asked for, there are {}", n, what, name, units.size()));
    Rng rng(derive_seed(source.seed, fmt::format("{} of {}", static_cast<int>(to), name)));
    for (const std::size_t i : rng.sample(units.size(), n)) said[units[i]] = to;
  };
  const std::size_t n_train = units_of(Split::kTrain).size();
  if (units_of(Split::kValidation).empty() && n_train > 0) {
    constexpr std::size_t kShare = 5;
    const std::size_t n = source.sizes.validation > 0 ? source.sizes.validation
                          : source.always_validates   ? n_train / kShare
                                                      : 0;
    move(Split::kTrain, n, Split::kValidation, "train");
    if (n > 0 && source.sizes.validation == 0)
      remarks.push_back(fmt::format(
          "validation: {} of the {} {} of train, drawn by the seed; `split: {{validation: N}}` "
          "gives another number",
          n, n_train, what));
  }
  for (const auto& [split, size, name] :
       {std::tuple{Split::kTrain, source.sizes.train, "train"},
        {Split::kValidation, source.sizes.validation, "validation"},
        {Split::kTest, source.sizes.test, "test"}}) {
    const std::size_t there = units_of(split).size();
    if (size == 0) continue;
    if (size > there)
      throw UserError(
          fmt::format("{} {} of {} were asked for, there are {}", size, what, name, there));
    move(split, there - size, Split::kUnused, name);
  }
  return said;
}

/// Reads the parts once to see what there is, and once for what `draw` makes of it.
template <typename Draw>
Dataset load_parts(std::vector<Part> parts, const Columns& columns, const Signature& signature,
                   const Draw& draw) {
  Dataset data;
  Units units;
  for (Part& part : parts) scan(part, columns, signature, units, data.remarks);
  units.by_group.clear();
  std::vector<Split> splits;
  try {
    splits = draw(std::move(units.said), data.remarks);
  } catch (const UserError& e) {
    throw UserError(fmt::format("{}: {}", parts.front().file.string(), e.what()));
  }
  for (const Part& part : parts) take(part, columns, signature, splits, data);
  return data;
}

Dataset split_file(const WholeFile& source, const Columns& columns, const Signature& signature) {
  const std::string what = what_is_drawn(columns);
  return load_parts(
      {{source.file, "", std::nullopt}}, columns, signature,
      [&](std::vector<Split> said, std::vector<std::string>& remarks) {
        if (columns.split.empty())
          return draw_split(said.size(), source.sizes, derive_seed(source.seed, "split"), what);
        return draw_from_said(
            std::move(said), {.sizes = source.sizes, .seed = source.seed, .always_validates = true},
            what, remarks);
      });
}

Dataset read_split_files(const SplitFiles& source, const Columns& columns,
                         const Signature& signature) {
  std::vector<Part> parts;
  for (const auto& [file, prefix, split] : {std::tuple{source.train, "train:", Split::kTrain},
                                            {source.validation, "validation:", Split::kValidation},
                                            {source.test, "test:", Split::kTest}})
    if (!file.empty()) parts.push_back({file, prefix, split});
  if (parts.empty()) return {};
  return load_parts(std::move(parts), columns, signature,
                    [&](std::vector<Split> said, std::vector<std::string>& remarks) {
                      return draw_from_said(std::move(said), source, what_is_drawn(columns),
                                            remarks);
                    });
}

Dataset make_up(const SplitSizes& sizes, const Signature& signature) {
  Dataset data;
  std::size_t n = 0;
  for (const auto& [split, size] : {std::pair{&data.train, sizes.train},
                                    {&data.validation, sizes.validation},
                                    {&data.test, sizes.test}})
    for (std::size_t i = 0; i < size; ++i) {
      Example& example = split->emplace_back();
      example.id = example.group = std::to_string(++n);
      for (const auto* fields : {&signature.inputs, &signature.outputs})
        for (const Field& field : *fields) example.fields.set(field.name, made_up(field.type, n));
    }
  return data;
}

SentimentOptions read_sentiment(const Config& config, const Signature& signature) {
  const SentimentOptions defaults;
  SentimentOptions options;
  options.threshold = read_share(config, "threshold", defaults.threshold, 0, 4);
  options.agreement = read_share(config, "agreement", defaults.agreement, 0, 1);
  options.max_words = read_size(config, "max_words", defaults.max_words, 1);
  options.sizes = read_split_sizes(config, defaults.sizes);
  options.seed = read_seed(config);
  for (const std::size_t size : {options.sizes.train, options.sizes.validation, options.sizes.test})
    if (size % 2 != 0) config.fail("the sentiment task is balanced: its split sizes must be even");
  for (const char* field : {"sentence", "sentiment"}) {
    if (signature.find(field) == nullptr) {
      config.fail(
          fmt::format("the sentiment data fill the fields `sentence` and `sentiment`; the "
                      "signature has no `{}`",
                      field));
    }
  }
  return options;
}

SplitFiles read_split_files_options(const Config& config) {
  SplitFiles files;
  for (const auto& [name, path] : {std::pair{"train", &files.train},
                                   {"validation", &files.validation},
                                   {"test", &files.test}}) {
    if (const auto file = config.find(name)) *path = path_of(*file);
  }
  const auto same = [](const std::filesystem::path& a, const std::filesystem::path& b) {
    return !a.empty() && a.lexically_normal() == b.lexically_normal();
  };
  if (same(files.train, files.validation) || same(files.train, files.test) ||
      same(files.validation, files.test)) {
    config.fail("two splits name the same file; use `file` and `split` to divide one");
  }
  return files;
}

/// `split:` beside files, or of rows that say their split: how many of each are used.
void read_drawn_sizes(const Config& data, SplitSizes& sizes, std::uint64_t& seed) {
  const auto split = data.find("split");
  if (!split) return;
  sizes = read_split_sizes(*split, {});
  seed = read_seed(*split);
}

}  // namespace

DataOptions read_data_options(const Config& data, const Signature& signature) {
  const auto sentiment = data.find("sentiment");
  const auto file = data.find("file");
  const auto files = data.find("files");
  const auto splits = data.find("splits");
  if (sentiment.has_value() + file.has_value() + files.has_value() + splits.has_value() != 1)
    data.fail("give exactly one of `sentiment`, `file`, `files` and `splits`");
  DataOptions options;
  if (sentiment) {
    options.source = read_sentiment(*sentiment, signature);
  } else {
    options.columns = read_columns(data, signature);
    if (file) {
      const Config split = data.at("split");
      options.columns.split = dotted_path(split.text("column", ""));
      options.source = WholeFile{path_of(*file), read_split_sizes(split, {}), read_seed(split)};
    } else {
      SplitFiles source = read_split_files_options(files ? *files : *splits);
      source.always_validates = files.has_value();
      read_drawn_sizes(data, source.sizes, source.seed);
      options.source = std::move(source);
    }
  }
  data.finish();
  const auto* whole = std::get_if<WholeFile>(&options.source);
  if (whole && whole->sizes.test == 0 && options.columns.split.empty()) {
    data.at("split").fail(
        "give the numbers of `train`, `validation` and `test` rows: nothing is left to test");
  }
  return options;
}

Dataset load_dataset(const DataOptions& options, const Signature& signature) {
  Dataset data;
  if (const auto* made_up = std::get_if<MadeUpRows>(&options.source))
    return make_up(made_up->sizes, signature);
  if (const auto* sentiment = std::get_if<SentimentOptions>(&options.source)) {
    data = sentiment_task(load_hutto(hutto_folder()).sentences, *sentiment);
  } else if (const auto* whole = std::get_if<WholeFile>(&options.source)) {
    data = split_file(*whole, options.columns, signature);
  } else {
    data = read_split_files(std::get<SplitFiles>(options.source), options.columns, signature);
  }
  check_disjoint(data);
  if (const std::size_t n_shared = count_shared_content(data); n_shared > 0) {
    data.remarks.push_back(fmt::format(
        "{} rows of validation and test have the content of a row in an earlier split", n_shared));
  }
  return data;
}

}  // namespace theta

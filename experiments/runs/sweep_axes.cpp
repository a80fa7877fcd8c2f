#include "experiments/runs/sweep_axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/config_node.hpp"
#include "core/result.hpp"
#include "core/rng.hpp"

namespace theta {
namespace {

/// One value of an axis: what it changes in the config.
struct Choice {
  std::vector<Change> changes = {};
  std::string name = {};  ///< of a list's item; empty: what it changes names it
};

/// An axis counts only where the config, as the axes before have it, holds one of these values.
struct Condition {
  struct Test {
    std::string path;
    Position where;
    std::vector<std::string> values;  ///< canonical JSON
  };
  std::vector<Test> tests = {};
  bool met = false;  ///< in some setting
};

/// Numbers to draw from, both ends included.
struct Range {
  double low = 0, high = 1;
  bool integer = false, log = false;
};

/// A key of `random`, which draws one of the values or from the range.
struct Drawn {
  std::string path;
  Position where;   ///< of the key
  Position values;  ///< what is drawn stands there
  std::vector<Config> of = {};
  Range range = {};
  Condition when = {};
};

struct Axis {
  std::string title = {};  ///< for people; empty: its keys
  std::vector<Choice> choices = {};
  Condition when = {};
  // Of `random`, in place of choices.
  std::vector<Drawn> drawn = {};
  std::int64_t draws = 0;
  std::uint64_t seed = 0;
};

// --- reading ------------------------------------------------------------------------------------

/// A plain scalar that is not written in the file, but stands for what is at a position there.
Config scalar_at(const std::string& text, const Position& at) {
  const auto before = [](int n) { return static_cast<std::size_t>(std::max(0, n - 1)); };
  return Config::parse(
      std::string(before(at.line), '\n') + std::string(before(at.column), ' ') + text, at.file);
}

void check_not_empty(std::size_t n, const Config& at) {
  if (n == 0) at.fail("an axis without a value leaves nothing to run");
}

/// `when: {optimizers.0.name: mipro}`, or of several values: `{optimizers.0.name: [mipro, gepa]}`.
Condition read_condition(const Config& axis) {
  Condition condition;
  if (const auto when = axis.find("when"))
    for (const auto& [path, value] : when->entries()) {
      Condition::Test test{path, when->position_of(path), {}};
      for (const Config& one : value.is_sequence() ? value.items() : std::vector{value})
        test.values.push_back(one.canonical({}));
      condition.tests.push_back(std::move(test));
    }
  return condition;
}

Choice read_changes(const Config& item) {
  Choice choice;
  for (const auto& [path, value] : item.entries())
    choice.changes.push_back({path, value, item.position_of(path)});
  return choice;
}

Axis read_list(const Config& list) {
  Axis axis{.title = "list"};
  if (list.is_map()) {
    for (const auto& [name, item] : list.entries()) {
      axis.choices.push_back(read_changes(item));
      axis.choices.back().name = name;
    }
  } else {
    for (const Config& item : list.items()) axis.choices.push_back(read_changes(item));
  }
  check_not_empty(axis.choices.size(), list);
  return axis;
}

/// Values of several keys that go together: the first of each, the second of each, ..
Axis read_zip(const Config& zip) {
  Axis axis;
  for (const auto& [path, values] : zip.entries()) {
    const std::vector<Config> items = values.items();
    check_not_empty(items.size(), values);
    if (axis.choices.empty()) axis.choices.resize(items.size());
    if (items.size() != axis.choices.size())
      values.fail(fmt::format("'{}' has {} values and '{}' {}: what is zipped has as many", path,
                              items.size(), axis.choices.front().changes.front().path,
                              axis.choices.size()));
    for (std::size_t i = 0; i < items.size(); ++i)
      axis.choices[i].changes.push_back({path, items[i], zip.position_of(path)});
  }
  check_not_empty(axis.choices.size(), zip);
  return axis;
}

Axis read_values(const std::string& path, const Config& values, const Position& where) {
  Axis axis;
  for (const Config& value : values.items()) axis.choices.push_back({{{path, value, where}}});
  check_not_empty(axis.choices.size(), values);
  return axis;
}

/// A key of the grid: its values, or `{values: .., when: ..}`.
Axis read_grid_key(const std::string& path, const Config& given, const Position& where) {
  if (!given.is_map()) return read_values(path, given, where);
  Axis axis = read_values(path, given.at("values"), where);
  axis.when = read_condition(given);
  return axis;
}

Range read_range(const Config& given) {
  Range range{given.at("low").number(), given.at("high").number(), given.boolean("integer", false),
              given.boolean("log", false)};
  if (range.low >= range.high) given.at("high").fail("'high' is not above 'low'");
  if (range.log && range.low <= 0) given.at("low").fail("a logarithmic scale begins above 0");
  if (range.integer)
    for (const char* end : {"low", "high"}) given.at(end).integer();
  return range;
}

/// A key of `random`: values, `{values: .., when: ..}` or `{low, high, integer, log, when}`.
Drawn read_drawn(const std::string& path, const Config& given, const Position& where) {
  Drawn drawn{path, where, given.position()};
  if (!given.is_map() || given.find("values")) {
    const Config values = given.is_map() ? given.at("values") : given;
    drawn.of = values.items();
    check_not_empty(drawn.of.size(), values);
  } else {
    drawn.range = read_range(given);
  }
  if (given.is_map()) drawn.when = read_condition(given);
  return drawn;
}

Axis read_random(const Config& random) {
  Axis axis;
  random.at("draws");
  axis.draws = random.integer("draws", 1, 1, kMostRuns);
  axis.seed = static_cast<std::uint64_t>(random.integer("seed", 0));
  const Config keys = random.at("keys");
  for (const auto& [path, given] : keys.entries())
    axis.drawn.push_back(read_drawn(path, given, keys.position_of(path)));
  check_not_empty(axis.drawn.size(), keys);
  return axis;
}

/// A list of seeds; or how many, from 1 on.
Axis read_seed_values(const Config& seeds, const Position& where) {
  if (!seeds.is_scalar()) return read_values("seed", seeds, where);
  const std::int64_t n = seeds.integer();
  if (n < 1 || n > static_cast<std::int64_t>(kMostRuns))
    seeds.fail(fmt::format("a sweep has 1 to {} seeds, not {}", kMostRuns, n));
  Axis axis;
  for (std::int64_t seed = 1; seed <= n; ++seed)
    axis.choices.push_back({{{"seed", scalar_at(std::to_string(seed), seeds.position()), where}}});
  return axis;
}

/// Seeds, or `{values: .., also: ..}` with further keys that take them.
Axis read_seeds(const Config& seeds, const Position& where) {
  if (!seeds.is_map()) return read_seed_values(seeds, where);
  Axis axis = read_seed_values(seeds.at("values"), where);
  for (const Config& path : seeds.at("also").items())
    for (Choice& choice : axis.choices)
      choice.changes.push_back({path.text(), choice.changes.front().value, path.position()});
  return axis;
}

// --- checks -------------------------------------------------------------------------------------

/// The keys of an axis, with where they stand.
std::vector<std::pair<std::string, Position>> keys_of(const Axis& axis) {
  std::vector<std::pair<std::string, Position>> keys;
  for (const Choice& choice : axis.choices)
    for (const Change& change : choice.changes) keys.emplace_back(change.path, change.where);
  for (const Drawn& drawn : axis.drawn) keys.emplace_back(drawn.path, drawn.where);
  return keys;
}

/// No two axes may change the same key, as the later would undo the earlier.
void check_distinct(const std::vector<Axis>& axes) {
  std::map<std::string, std::size_t> axis_of;
  for (std::size_t a = 0; a < axes.size(); ++a)
    for (const auto& [path, where] : keys_of(axes[a]))
      if (axis_of.emplace(path, a).first->second != a)
        fail_at(where, "'" + path + "' is on another axis of this sweep already");
}

/// What a condition looks at must be settled before.
void check_order(const std::vector<Axis>& axes) {
  std::set<std::string> later;
  const auto check = [&](const Condition& when) {
    for (const auto& test : when.tests)
      if (later.contains(test.path))
        fail_at(test.where, "'" + test.path + "' is not settled yet: its axis comes later");
  };
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    for (auto drawn = axis->drawn.rbegin(); drawn != axis->drawn.rend(); ++drawn) {
      later.insert(drawn->path);
      check(drawn->when);
    }
    for (const auto& [path, where] : keys_of(*axis)) later.insert(path);
    check(axis->when);
  }
}

/// A condition that is never met is a misspelt one.
void check_met(const std::vector<Axis>& axes) {
  const auto check = [](const Condition& when) {
    if (!when.tests.empty() && !when.met)
      fail_at(when.tests.front().where, "no run of this sweep meets this condition");
  };
  for (const Axis& axis : axes) {
    check(axis.when);
    for (const Drawn& drawn : axis.drawn) check(drawn.when);
  }
}

// --- expanding ----------------------------------------------------------------------------------

/// What stands at a dotted path; nothing where it leads nowhere.
std::optional<Config> value_at(Config at, const std::string& path) {
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find('.', from), path.size());
    const std::string part = path.substr(from, to - from);
    if (at.is_sequence()) {
      const std::vector<Config> items = at.items();
      std::size_t i = 0;
      while (i < items.size() && std::to_string(i) != part) ++i;
      if (i == items.size()) return std::nullopt;
      at = items[i];
    } else {
      const auto child = at.is_map() ? at.find(part) : std::nullopt;
      if (!child) return std::nullopt;
      at = *child;
    }
    from = to + 1;
  }
  return at;
}

/// Whether an axis counts where the axes before have made these changes.
bool counts(Condition& when, const Config& base, const std::vector<Change>& changes) {
  if (when.tests.empty()) return true;
  const Config config = with_changes(base, changes);
  const bool holds = std::ranges::all_of(when.tests, [&](const Condition::Test& test) {
    const auto value = value_at(config, test.path);
    return value && std::ranges::find(test.values, value->canonical({})) != test.values.end();
  });
  when.met = when.met || holds;
  return holds;
}

/// Every value has a stream of its own: a further key or draw leaves the others what they are.
Config draw_value(const Drawn& drawn, std::uint64_t seed, std::uint64_t draw) {
  Rng rng(derive_seed(derive_seed(seed, drawn.path), draw));
  if (!drawn.of.empty()) return drawn.of[rng.below(drawn.of.size())];
  const auto& [low, high, integer, log] = drawn.range;
  // Half a step more at both ends gives the outermost integers their share.
  const double step = integer ? .5 : 0, u = rng.uniform();
  const auto scaled = [&](double x) { return log ? std::log(x) : x; };
  const double from = scaled(low - step), to = scaled(high + step);
  const double at = log ? std::exp(from + u * (to - from)) : from + u * (to - from);
  const double within = std::clamp(integer ? std::round(at) : at, low, high);
  return scalar_at(integer ? fmt::format("{:.0f}", within) : fmt::format("{:.4g}", within),
                   drawn.values);
}

/// As many draws as are wanted, no two alike.
std::vector<Choice> draw(Axis& axis, const Config& base, const std::vector<Change>& before) {
  constexpr std::uint64_t kTries = 100;
  std::vector<Choice> choices;
  std::set<std::string> known;
  const auto wanted = static_cast<std::size_t>(axis.draws);
  for (std::uint64_t i = 0; i < kTries * wanted && choices.size() < wanted; ++i) {
    std::vector<Change> changes = before;
    std::string text;
    for (Drawn& drawn : axis.drawn) {
      if (!counts(drawn.when, base, changes)) continue;
      changes.push_back({drawn.path, draw_value(drawn, axis.seed, i), drawn.where});
      text += drawn.path + "=" + changes.back().value.canonical({}) + "\n";
    }
    if (!known.insert(text).second) continue;
    changes.erase(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(before.size()));
    choices.push_back({std::move(changes)});
  }
  if (choices.size() < wanted)
    fail_at(axis.drawn.front().where,
            fmt::format("of {} draws no more than {} differ: lower 'draws', or give more values",
                        kTries * wanted, choices.size()));
  return choices;
}

/// A value as a label shows it: where it may be a secret, as it is written.
std::string text_of(const Change& change) {
  const auto within = [&](const char* section) {
    return change.path.find(section) != change.path.npos;
  };
  const Config& value = change.value;
  if (within(".headers") || within(".query") || within(".parameters"))
    return value.is_scalar() ? value.written() : value.canonical({}, {"**"});
  return value.is_scalar() ? value.text() : value.canonical({});
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts)
    if (!text.empty()) out += (out.empty() ? "" : ", ") + text;
  return out;
}

/// Keys by as much of their end as tells them apart: `optimizers.0.surrogate` is `surrogate`.
std::map<std::string, std::string> short_names(const std::vector<Axis>& axes) {
  std::set<std::string> paths;
  for (const Axis& axis : axes)
    for (const auto& [path, where] : keys_of(axis)) paths.insert(path);
  std::map<std::string, std::string> names;
  for (const std::string& path : paths) {
    const auto is_shared = [&](const std::string& name) {
      return std::ranges::any_of(paths, [&](const std::string& other) {
        return other != path && (other == name || other.ends_with("." + name));
      });
    };
    std::size_t dot = path.rfind('.');
    while (dot != path.npos && dot > 0 && is_shared(path.substr(dot + 1)))
      dot = path.rfind('.', dot - 1);
    names[path] = dot == path.npos ? path : path.substr(dot + 1);
  }
  return names;
}

class Expansion {
 public:
  /// The references outlive this.
  Expansion(const Config& base, const Config& section, std::vector<Axis>& axes,
            const std::optional<Axis>& seeds)
      : base_(base), section_(section), axes_(axes), seeds_(seeds), names_(short_names(axes)) {}

  /// The settings that go on from one of the first `a` axes.
  void expand(std::size_t a, const Setting& before) {
    if (a == axes_.size()) return add_seeds(before);
    Axis& axis = axes_[a];
    if (!axis.drawn.empty()) {
      for (const Choice& choice : draw(axis, base_, before.changes))
        expand(a + 1, with(before, axis, choice));
    } else if (counts(axis.when, base_, before.changes)) {
      for (const Choice& choice : axis.choices) expand(a + 1, with(before, axis, choice));
    } else {
      expand(a + 1, before);
    }
  }
  std::vector<Setting> take() { return std::move(settings_); }

 private:
  Setting with(Setting setting, const Axis& axis, const Choice& choice) const {
    std::vector<std::string> keys, values, texts;
    for (const Change& change : choice.changes) {
      setting.changes.push_back(change);
      keys.push_back(names_.at(change.path));
      values.push_back(text_of(change));
      texts.push_back(keys.back() + "=" + values.back());
      if (!axis.drawn.empty()) setting.values.push_back({keys.back(), values.back()});
    }
    const std::string text = choice.name.empty() ? joined(texts) : choice.name;
    setting.label = joined({setting.label, text});
    if (!axis.title.empty())
      setting.values.push_back({axis.title, text});
    else if (axis.drawn.empty())
      setting.values.push_back({joined(keys), joined(values)});
    return setting;
  }

  void add_seeds(Setting setting) {
    setting.group = groups_++;
    if (!seeds_) return add(std::move(setting));
    for (const Choice& choice : seeds_->choices) {
      Setting seeded = setting;
      seeded.changes.insert(seeded.changes.end(), choice.changes.begin(), choice.changes.end());
      add(std::move(seeded));
    }
  }

  void add(Setting setting) {
    if (settings_.size() == kMostRuns)
      section_.fail(fmt::format("a sweep has at most {} runs", kMostRuns));
    settings_.push_back(std::move(setting));
  }

  const Config& base_;
  const Config& section_;
  std::vector<Axis>& axes_;
  const std::optional<Axis>& seeds_;
  const std::map<std::string, std::string> names_;
  std::vector<Setting> settings_;
  std::size_t groups_ = 0;
};

}  // namespace

Config with_changes(const Config& base, const std::vector<Change>& changes) {
  Config config = base.copy();
  for (const Change& change : changes) config.set(change.path, change.value, change.where);
  return config;
}

std::vector<Setting> read_settings(const Config& base, const Config& section) {
  std::vector<Axis> axes;
  if (const auto list = section.find("list")) axes.push_back(read_list(*list));
  if (const auto zip = section.find("zip")) axes.push_back(read_zip(*zip));
  if (const auto grid = section.find("grid"))
    for (const auto& [path, values] : grid->entries())
      axes.push_back(read_grid_key(path, values, grid->position_of(path)));
  if (const auto random = section.find("random")) axes.push_back(read_random(*random));
  std::optional<Axis> seeds;
  if (const auto given = section.find("seeds"))
    seeds = read_seeds(*given, section.position_of("seeds"));
  section.finish();
  if (axes.empty() && !seeds)
    section.fail("a sweep needs a 'grid', a 'list', a 'zip', 'random' or 'seeds'");
  std::vector<Axis> all = axes;
  if (seeds) all.push_back(*seeds);
  check_distinct(all);
  check_order(all);
  Expansion expansion(base, section, axes, seeds);
  expansion.expand(0, {});
  check_met(axes);
  return expansion.take();
}

}  // namespace theta

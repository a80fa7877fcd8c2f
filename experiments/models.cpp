#include "experiments/models.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/models/http/model.hpp"
#include "core/models/llama/model.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/http_config.hpp"
#include "experiments/runs/counting_model.hpp"
#include "experiments/runs/model_pool.hpp"
#include "experiments/runs/model_server.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

LlamaOptions read_llama(const Config& model) {
  LlamaOptions options;
  options.path = path_of(model.at("path"));
  options.threads = read_int(model, "threads", options.threads, 1);
  options.gpu_layers = read_int(model, "gpu_layers", options.gpu_layers, -1);
  if (model.choice("mode", {"deterministic", "throughput"}, "deterministic") == "throughput") {
    options.mode = LlamaMode::kThroughput;
    options.sequences = 128;  // each is a branch that stays: a run needs more than a unit does
  }
  const auto size = [&](const char* key, std::size_t fallback) {
    return static_cast<std::size_t>(read_int(model, key, static_cast<int>(fallback), 1));
  };
  options.context = size("context", options.context);
  options.batch = size("batch", options.batch);
  options.sequences = size("sequences", options.sequences);
  options.unit = size("unit", options.unit);
  if (options.batch < options.sequences)
    (model.find("batch") ? model.at("batch") : model.at("sequences"))
        .fail(fmt::format("'batch' must be at least 'sequences', {}, not {}", options.sequences,
                          options.batch));
  if (options.context < options.sequences)
    (model.find("context") ? model.at("context") : model.at("sequences"))
        .fail(fmt::format("'context' must be at least 'sequences', {}, not {}", options.sequences,
                          options.context));
  options.chat_template = model.text("chat_template", "");
  options.convert = model.choice("convert", {"", "q4_0", "q8_0"}, "");
  if (!options.convert.empty()) options.converted = options.path.parent_path() / "converted";
  if (const auto adapters = model.find("lora"))
    for (const Config& adapter : adapters->items())
      options.lora.push_back({path_of(adapter.at("path")), adapter.number("scale", 1),
                              adapter.at("path").position().text()});
  return options;
}

/// A model that tells of what it is asked.
class OverheardModel final : public ModelInFront {
 public:
  OverheardModel(LanguageModel& inner, Role role, const Models::OnAsked& on_asked)
      : ModelInFront(inner), role_(std::move(role)), on_asked_(on_asked) {}

  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override {
    for (const Request& request : wave) on_asked_(role_, request);
    inner_.complete(wave, on_answer, std::move(stop));
  }

 private:
  const Role role_;
  const Models::OnAsked& on_asked_;
};

/// What is kept under a key, made if there is none yet: nothing is kept of what cannot be made.
template <typename Key, typename T, typename Make>
T& kept(std::map<Key, std::unique_ptr<T>>& all, const Key& key, const Make& make) {
  auto found = all.find(key);
  if (found == all.end()) found = all.emplace(key, make()).first;
  return *found->second;
}

}  // namespace

const std::vector<std::string> kMayHoldSecrets = {"headers.**", "query.**", "parameters.**",
                                                  "server.command.**"};

std::vector<std::string> secret_places() {
  std::vector<std::string> places;
  for (const std::string& place : kMayHoldSecrets) places.push_back("models.*." + place);
  return places;
}

const std::string& ModelTable::resolve(const std::string& role) const {
  const auto alias = aliases.find(role);
  return alias == aliases.end() ? role : alias->second;
}

Price ModelTable::price(const std::string& role) const {
  const auto found = prices.find(resolve(role));
  return found == prices.end() ? Price{} : found->second;
}

void ModelTable::stand_in(const std::string& role, const std::string& name) {
  if (!models.contains(role)) aliases.try_emplace(role, name);
}

ModelOptions read_model(const Config& model) {
  if (!model.is_map())
    model.fail("a model is a mapping with a 'path' (a GGUF file) or a 'base_url' (a server)");
  if (model.find("path")) return read_llama(model);
  if (model.find("base_url")) return read_http(model);
  for (const char* key : {"api_base", "url", "endpoint"})
    if (const auto given = model.find(key))
      given->fail(fmt::format("a server's address is its 'base_url', not its '{}'", key));
  model.fail("a model needs a 'path' (a GGUF file) or a 'base_url' (an OpenAI-compatible server)");
}

ModelTable read_models(const Config& models, const std::vector<std::string>& required,
                       const std::vector<std::string>& optional) {
  ModelTable table;
  std::vector<std::pair<std::string, Config>> aliases;
  const auto read = [&](const std::string& role, const Config& model) {
    if (model.is_scalar()) {
      aliases.emplace_back(role, model);
    } else {
      table.models.emplace(role, read_model(model));
      table.sources.emplace(role, model.canonical({"price"}, kMayHoldSecrets));
      if (const auto price = model.find("price")) table.prices.emplace(role, read_price(*price));
    }
  };
  for (const auto& role : required) read(role, models.at(role));
  for (const auto& role : optional)
    if (const auto model = models.find(role)) read(role, *model);
  // A model that no role is named for may stand in for one that is.
  for (const auto& [role, name] : aliases)
    if (const auto named = models.find(name.text());
        named && named->is_map() && !table.models.contains(name.text()))
      read(name.text(), *named);
  for (const auto& [role, name] : aliases) {
    if (!table.models.contains(name.text()))
      name.fail("'" + name.text() + "' is not a model of this config");
    table.aliases.emplace(role, name.text());
  }
  return table;
}

std::string model_name(const ModelOptions& options) {
  if (const auto* llama = std::get_if<LlamaOptions>(&options))
    return llama->path.filename().string();
  return std::get<HttpOptions>(options).model;
}

std::vector<DescribedModel> described(const ModelTable& table) {
  std::vector<DescribedModel> out;
  for (const auto& [name, options] : table.models) {
    std::string how = model_name(options);
    if (const auto* llama = std::get_if<LlamaOptions>(&options)) {
      if (!llama->convert.empty()) how += " as " + llama->convert;
      for (const LoraAdapter& lora : llama->lora)
        how += fmt::format(" with {} times {}", lora.scale, lora.path.filename().string());
      how += llama->mode == LlamaMode::kThroughput ? ", throughput mode" : ", deterministic mode";
    } else {
      how += " on a server";
    }
    out.push_back({name, how});
  }
  return out;
}

CacheOptions read_cache(const Config& cache) {
  if (!cache.is_map()) cache.fail("a cache is a mapping with a 'path' and a 'mode'");
  const std::string mode = cache.choice("mode", {"record", "replay", "off"}, "record");
  return {.path = path_of(cache.at("path")),
          .mode = mode == "record"   ? CacheMode::kRecord
                  : mode == "replay" ? CacheMode::kReplay
                                     : CacheMode::kOff};
}

std::unique_ptr<LanguageModel> make_model(const ModelOptions& options, ModelHost host) {
  if (const auto* llama = std::get_if<LlamaOptions>(&options))
    return std::make_unique<LlamaModel>(*llama);
  const auto& http = std::get<HttpOptions>(options);
  if (http.server) return std::make_unique<ServedModel>(http, std::move(host));
  return std::make_unique<HttpModel>(http, std::move(host.on_trouble), std::move(host.kept));
}

LessonsKept lessons_in(Store& store, const ModelOptions& options) {
  const auto* http = std::get_if<HttpOptions>(&options);
  if (http == nullptr) return {};
  const std::string key = "lessons " + identity_of(*http);
  return {store.meta(key).value_or(""),
          [&store, key](const std::string& lessons) { store.set_meta(key, lessons); }};
}

void log_trouble(const std::string& server, const std::string& why, double seconds) {
  if (why.empty())
    spdlog::warn("{}: answers again after {:.0f} s", server, seconds);
  else
    spdlog::warn("{}: no answer for {:.0f} s: {}", server, seconds, why);
}

OnTrouble show_trouble(Progress& progress) {
  return [&progress](const std::string& server, const std::string& why, double seconds) {
    progress.trouble(server, why, seconds);
    log_trouble(server, why, seconds);
  };
}

Models::Models(ModelTable table, Store& store, Progress& progress, Purpose purpose, ModelPool* pool,
               Ledger* ledger, std::shared_ptr<AnswerCache> cache, std::filesystem::path folder)
    : table_(std::move(table)),
      store_(store),
      progress_(progress),
      purpose_(purpose),
      pool_(pool),
      ledger_(ledger),
      cache_(std::move(cache)),
      folder_(std::move(folder)) {}

Models::~Models() = default;

bool Models::has(const std::string& role) const {
  return table_.models.contains(table_.resolve(role));
}

LanguageModel& Models::load(const std::string& name) {
  LanguageModel& model = load_own(name);
  if (ledger_ == nullptr) return model;
  return kept(budgeted_, name, [&] {
    return std::make_unique<BudgetedModel>(model, *ledger_, store_, table_.price(name));
  });
}

LanguageModel& Models::load_own(const std::string& name) {
  if (pool_ != nullptr && purpose_ == Purpose::kRun) return pool_->get(table_, name, progress_);
  return kept(loaded_, name, [&]() -> std::unique_ptr<LanguageModel> {
    ModelOptions options = table_.models.at(name);
    auto* llama = std::get_if<LlamaOptions>(&options);
    if (purpose_ != Purpose::kRun) {
      const bool tokenize = llama && purpose_ == Purpose::kCount;
      if (tokenize) llama->vocab_only = true;
      return std::make_unique<CountingModel>(tokenize ? make_model(options) : nullptr,
                                             model_name(options));
    }
    if (llama) progress_.note("loading " + model_name(options));
    auto model = make_model(options, {.on_trouble = show_trouble(progress_),
                                      .kept = lessons_in(store_, options),
                                      .note = [this](const auto& what) { progress_.note(what); },
                                      .logs = folder_.empty() ? folder_ : folder_ / "server"});
    if (llama) progress_.note("");
    return model;
  });
}

RecordedModel& Models::as(const std::string& part, const std::string& role) {
  const std::string& model = table_.resolve(role);
  const Role own{part, model};
  return kept(roles_, own, [&] {
    LanguageModel* asked = &load(model);
    if (on_asked_)
      asked = &kept(overheard_, own, [&]() -> std::unique_ptr<LanguageModel> {
        return std::make_unique<OverheardModel>(*asked, own, on_asked_);
      });
    return std::make_unique<RecordedModel>(
        *asked, store_, &progress_, cache_.get(),
        made_up() ? RecordedModel::Key::kNone : RecordedModel::Key::kRequest);
  });
}

void record_counters(Store& store, const std::string& name, const HostCounters& host) {
  store.add_timing(name + " attempts", static_cast<double>(host.attempts));
  store.add_timing(name + " asked tokens", static_cast<double>(host.asked_tokens));
  store.add_timing(name + " reused tokens", static_cast<double>(host.reused_tokens));
  store.add_timing(name + " computed tokens", static_cast<double>(host.computed_tokens));
  store.add_timing(name + " generated tokens", static_cast<double>(host.generated_tokens));
  store.add_timing(name + " prompt seconds", host.prompt_seconds);
  store.add_timing(name + " decode seconds", host.decode_seconds);
  store.add_timing(name + " queue seconds", host.queue_seconds);
}

void Models::record_timing() {
  for (const auto& [name, model] : loaded_) record_counters(store_, name, model->counters());
  for (const auto& [role, model] : roles_) {
    store_.add_timing(role.name + " store hits", static_cast<double>(model->store_hits()));
    store_.add_timing(role.name + " cache hits", static_cast<double>(model->cache_hits()));
  }
}

void Models::record_usage() {
  for (const auto& [role, model] : roles_)
    for (const std::string& line : model->lessons()) add_remark(store_, line);
  std::map<std::pair<std::string, std::string>, Usage> sums;  // two models may be one file
  for (const auto& [role, usage] : this->usage())
    sums[{role.name, model_name(options(role.model))}] += usage;
  for (const auto& [role, usage] : sums) store_.put_row(role.first, role.second, {}, usage);
}

void Models::stage(std::string name, bool measures) {
  for (const auto& [role, usage] : this->usage()) {
    const Usage asked = usage - before_stage_[role];
    if (asked.calls > 0) stages_.push_back({stage_, role, asked});
    before_stage_[role] = usage;
  }
  for (const auto& [role, model] : roles_) {
    auto [requests, why] = model->take_lost();
    if (requests > 0) lost_.push_back({stage_, role, requests, std::move(why), measures_});
  }
  stage_ = std::move(name);
  measures_ = measures;
}

std::vector<StageUsage> Models::usage_by_stage() {
  stage("");
  return stages_;
}

std::vector<StageLoss> Models::lost_by_stage() {
  stage("");
  return lost_;
}

std::map<Role, Usage> Models::usage() const {
  std::map<Role, Usage> out;
  for (const auto& [role, model] : roles_) out.emplace(role, model->asked());
  return out;
}

}  // namespace theta

#include "experiments/runs/model_pool.hpp"

namespace theta {

ModelPool::ModelPool(const std::filesystem::path& cache, Make make)
    : cache_(cache), make_(std::move(make)) {}

void ModelPool::expect(const ModelTable& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, source] : table.sources) ++entries_[source].needed;
}

void ModelPool::release(const ModelTable& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, source] : table.sources) {
    Entry& entry = entries_.at(source);
    if (--entry.needed > 0) continue;
    drop(entry);
    entries_.erase(source);
  }
}

LanguageModel& ModelPool::get(const ModelTable& table, const std::string& name,
                              Progress& progress) {
  // Held while it loads: another run that needs the model waits for it.
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(table.sources.at(name));
  if (!entry.model) {
    const ModelOptions& options = table.models.at(name);
    entry.name = model_name(options);
    progress.note("loading " + entry.name);
    entry.model = make_(options);
    entry.recorded = std::make_unique<RecordedModel>(*entry.model, cache_, nullptr, nullptr,
                                                     RecordedModel::Key::kWave);
  }
  return *entry.recorded;
}

void ModelPool::drop(Entry& entry) {
  if (!entry.model) return;
  record_counters(cache_, entry.name, entry.model->counters());
  entry.recorded.reset();
  entry.model.reset();
}

void ModelPool::close() {
  const std::lock_guard lock(mutex_);
  for (auto& [source, entry] : entries_) drop(entry);
}

}  // namespace theta

#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/models/language_model.hpp"
#include "core/progress.hpp"
#include "core/records/store.hpp"
#include "experiments/models.hpp"

namespace theta {

/// Models that runs side by side share: each is loaded once, its limits hold for all of them, and
/// what one has asked is answered to the others from the record that they share.
///
/// The record does not change an answer. Where a model's answers depend on the unit they were
/// computed in (LanguageModel::unit), a unit is found only whole, and units of two runs never mix.
/// Where answers stand alone, requests are found one by one, and one that is on its way is waited
/// for. Thread-safe.
class ModelPool {
 public:
  using Make = std::function<std::unique_ptr<LanguageModel>(const ModelOptions&)>;

  /// @param cache  the file of the record; one live owner.
  ModelPool(const std::filesystem::path& cache, Make make);

  /// A run to come needs these models: each stays loaded until release() was called as often.
  void expect(const ModelTable& table);
  void release(const ModelTable& table);

  /// The model `name` of the table, which is expected. Lives until it is released.
  LanguageModel& get(const ModelTable& table, const std::string& name, Progress& progress);

  /// The record.
  Store& record() { return cache_; }

  /// Unloads what is left and puts into the record what the models did for all runs, added up over
  /// restarts.
  void close();

 private:
  struct Entry {
    std::size_t needed = 0;
    std::string name;
    std::unique_ptr<LanguageModel> model;
    std::unique_ptr<RecordedModel> recorded;  ///< in front of it, what every run asks
  };
  void drop(Entry& entry);

  Store cache_;
  const Make make_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  ///< by the model's section in the config
};

}  // namespace theta

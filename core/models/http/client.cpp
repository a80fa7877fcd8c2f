#include "core/models/http/client.hpp"

#include <utility>

#include "core/models/http/engine.hpp"

namespace theta {

HttpClient::HttpClient(const HttpOptions& options, OnTrouble on_trouble)
    : engine_(std::make_unique<Engine>(options, std::move(on_trouble))) {}

HttpClient::~HttpClient() = default;

void HttpClient::run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer,
                     std::stop_token stop) {
  engine_->run(batch, on_answer, std::move(stop));
}

std::int64_t HttpClient::attempts() const { return engine_->attempts(); }

}  // namespace theta

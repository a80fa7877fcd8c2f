#include "core/records/request_json.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

TEST(RequestJson, IsReadBackWhole) {
  Request request;
  request.messages = {{"system", "Answer."}, {"user", "\xff is no UTF-8"}};
  request.answer_prefix = "Answer:";
  request.options = {" yes", " no"};
  request.grammar = "root ::= \"a\"";
  request.schema = R"({"type":"object"})";
  request.stop = {"\n\n"};
  request.max_tokens = 7;
  request.temperature = 0.7;
  request.top_p = 0.9;
  request.seed = 18446744073709551615U;
  EXPECT_EQ(request_of(canonical(request)), request);
  EXPECT_EQ(request_of(canonical({})), Request{});
}

}  // namespace
}  // namespace theta

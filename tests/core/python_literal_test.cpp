#include "core/python_literal.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/json_value.hpp"

namespace theta {
namespace {

/// The container as JSON; "no" where there is none.
std::string read(std::string_view text) {
  const auto container = read_container(text);
  return container ? write_json(*container) : "no";
}

TEST(ReadContainer, ReadsJson) {
  EXPECT_EQ(read(R"( [{"role": "user", "content": "a\/b \"c\" \u00e9"}] )"),
            R"([{"role": "user", "content": "a/b \"c\" é"}])");
  EXPECT_EQ(read("{}"), "{}");
}

TEST(ReadContainer, ReadsWhatPythonPrints) {
  EXPECT_EQ(read(R"([{'content': "It's", 'role': 'user', 'x': None, 'y': True, 'z': (1, -2.5,)}])"),
            R"([{"content": "It's", "role": "user", "x": null, "y": true, "z": [1, -2.5]}])");
  EXPECT_EQ(read(R"({'a': 'It\'s "\\" \n\t\x41\u00e9\U0001F600\ud83d\ude00\101\d'})"),
            R"({"a": "It's \"\\\" \n\tAé😀😀A\\d"})");
  EXPECT_EQ(read("[nan, False, 12345678901234567890123]"),
            "[null, false, 12345678901234567890123]");
}

TEST(ReadContainer, JoinsTextsThatStandSideBySide) {
  EXPECT_EQ(read("{'a': 'one '\n 'two' \" three\", 'b': 1}"), R"({"a": "one two three", "b": 1})");
}

TEST(ReadContainer, ReadsWhatNumpyPrints) {
  EXPECT_EQ(read("[{'a': 1}\n {'a': 2}]"), R"([{"a": 1}, {"a": 2}])");
  EXPECT_EQ(read("['one' 'two'\n 'three']"), R"(["one", "two", "three"])");
  EXPECT_EQ(read("array([{'a': 1},\n       {'a': 2}], dtype=object)"), R"([{"a": 1}, {"a": 2}])");
  EXPECT_EQ(read("{'x': array(['a'], dtype='<U1')}"), R"({"x": ["a"]})");
}

TEST(ReadContainer, ReadsNothingElse) {
  for (const std::string_view text : {"",
                                      "plain",
                                      "[laughs]",
                                      "[see below]",
                                      "{'a': It's}",
                                      "{'a': 'It's'}",
                                      "[{'a': 1}",
                                      "[{'a': 1} ...]",
                                      "['a''b']",
                                      "{'a' 1}",
                                      "{'a', 'b'}",
                                      "{1: 2}",
                                      "[1] and [2]",
                                      "'text'",
                                      "3",
                                      "[1 2",
                                      R"(['\N{DASH}'])",
                                      R"(['\ud83d'])",
                                      "[__import__('os')]",
                                      "[,]",
                                      "[1,,2]"})
    EXPECT_EQ(read(text), "no") << text;
}

TEST(ReadContainer, IsNotTiredByDeepNesting) {
  const std::string deep(100000, '[');
  EXPECT_EQ(read("{'a': " + deep + "}"), "no");
}

TEST(PythonRepr, PrintsJsonAsPythonDoes) {
  EXPECT_EQ(
      python_repr(parse_json(
          R"({"a": ["it's", "say \"x\"", "it's \"x\"", "b\\s"], "n": [1, 0.5, 1e16, true, null, {}]})")),
      R"({'a': ["it's", 'say "x"', 'it\'s "x"', 'b\\s'], 'n': [1, 0.5, 1e+16, True, None, {}]})");
  EXPECT_EQ(python_repr(parse_json(R"(["é日🙂", "\n\t\u0001\u00a0\u200b\ue000\udb40\udc01"])")),
            R"(['é日🙂', '\n\t\x01\xa0\u200b\ue000\U000e0001'])");
}

}  // namespace
}  // namespace theta

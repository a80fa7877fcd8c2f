#include "experiments/report/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

std::string table(const std::string& json, const std::string& name) {
  for (const auto& [own, text] : csv_tables(json))
    if (own == name) return text;
  return "there is no table " + name;
}

TEST(Csv, ListsOfObjectsAreTablesAndAllElseIsNone) {
  const std::string json =
      R"({"schema": 1, "remarks": ["x"], "none": [], "rows": [{"a": "x", "b": 1.5}, {"a": "y", "c": true}]})";
  ASSERT_EQ(csv_tables(json).size(), 1U);
  EXPECT_EQ(table(json, "rows"), "a,b,c\nx,1.5,\ny,,true\n");
}

TEST(Csv, QuotesWhatHoldsCommasQuotesAndLines) {
  EXPECT_EQ(table(R"({"rows": [{"a": "x, \"y\"\nz", "b": null, "c": [1, 2]}]})", "rows"),
            "a,b,c\n\"x, \"\"y\"\"\nz\",,\"[1,2]\"\n");
}

TEST(Csv, AListInARowIsATableThatNamesItsRow) {
  const std::string json =
      R"({"rows": [{"method": "m", "model": "t", "n": 1, "why": "w", "options": [{"option": "a", "chosen": 2}]},
                   {"method": "k", "model": "t", "n": 2, "why": "w", "options": [{"option": "b", "chosen": 3}]}]})";
  EXPECT_EQ(table(json, "rows"), "method,model,n,why\nm,t,1,w\nk,t,2,w\n");
  EXPECT_EQ(table(json, "rows.options"), "method,model,option,chosen\nm,t,a,2\nk,t,b,3\n");
}

TEST(Csv, ObjectsWithinAreColumnsButACandidateIsOne) {
  EXPECT_EQ(table(R"({"rows": [{"a": {"x": 1, "y": 2}, "candidate": {"choice": [1]}}]})", "rows"),
            "a.x,a.y,candidate\n1,2,\"{\"\"choice\"\":[1]}\"\n");
}

TEST(Csv, ObjectsByNameAreTables) {
  EXPECT_EQ(table(R"({"timing": {"model s": 2.5}})", "timing"), "name,value\nmodel s,2.5\n");
  EXPECT_EQ(table(R"({"gates": {"mipro": {"saved": true}}})", "gates"), "name,saved\nmipro,true\n");
  EXPECT_EQ(table(R"({"fronts": {"mipro": [{"n": 1}, {"n": 2}]}})", "fronts"),
            "name,n\nmipro,1\nmipro,2\n");
}

TEST(Csv, FilesAreTheOwnersAlone) {
  const TemporaryFolder folder;
  write_csv(R"({"rows": [{"a": 1}]})", folder.path() / "new");
  const auto file = folder.path() / "new" / "rows.csv";
  EXPECT_EQ(content(file), "a\n1\n");
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
}

}  // namespace
}  // namespace theta

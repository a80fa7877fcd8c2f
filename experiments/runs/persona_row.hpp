#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/records/store.hpp"
#include "modules/synthesize_me.hpp"

namespace theta {

/// One row of a persona experiment on its way: a method's personas for people, and what the judge
/// says with them of the pairs that they are tested on.
///
/// A person whose persona an outage took has failed judgements. One for whom Θ wrote nothing that
/// could be used is judged without a persona, or with another's where there is a pool; a judgement
/// that cannot be scored, or not be compared with that without persona, counts by its plain choice;
/// how many these are, remarks() says.
struct PersonaRow {
  std::string name;
  std::string model;  ///< the role: `teacher`, `student`
  std::shared_ptr<const Judge> judge;
  /// By user id; of nobody: the judge without a persona.
  std::map<std::string, Result<FoundPersona>> personas = {};
  Usage usage = {};
  std::vector<Outcome> outcomes = {};

  std::size_t named = 0;            ///< outcomes whose judgement was Judgement::named
  std::size_t uncompared = 0;       ///< without contrast for another reason
  std::string why_uncompared = {};  ///< the first of these reasons

  /// The personas that the module has for these people.
  void add_personas(const SynthesizeMe& module, std::span<const User> people, const Call& call);
  std::vector<std::string> remarks() const;
};

/// Judges the users' test pairs in both orders under every row and adds what comes of it to the
/// rows: one wave for all rows of one judge.
void judge_rows(std::span<const User> users, std::span<PersonaRow> rows, const Call& call);

}  // namespace theta

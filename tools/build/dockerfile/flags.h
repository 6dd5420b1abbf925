// SPDX-License-Identifier: MIT
// The flags of an instruction: "--name=value" in front of its arguments. Pure.
#pragma once
#include "store/base/error.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::dockerfile {

struct FlagWords {
    std::vector<std::string> words;  // with their dashes, quotes removed
    std::string_view arguments;      // the rest, without spaces around
};
// Takes the words that begin with "--"; a word "--" ends them.
[[nodiscard]] FlagWords take_flags(std::string_view text, char escape);

struct FlagKind {
    std::string_view name;
    enum class Value { truth, text, texts } value = Value::text;
    // Why this flag of docker's is not possible here; empty: it is.
    std::string_view refused = {};
};

class Flags {
public:
    // Errors: EINVAL for one that is not among `kinds` (with the nearest one), has no value, a
    // wrong one, or is given twice; EOPNOTSUPP for a refused one.
    static Result<Flags> parse(std::span<std::string const> words, std::span<FlagKind const> kinds);

    [[nodiscard]] std::string text(std::string const& name) const;  // empty when not given
    [[nodiscard]] std::vector<std::string> texts(std::string const& name) const;
    [[nodiscard]] std::optional<bool> truth(std::string const& name) const;

private:
    std::map<std::string, std::vector<std::string>> values_;
};

}  // namespace oblea::tools::dockerfile

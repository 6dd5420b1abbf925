// SPDX-License-Identifier: MIT
// What a .dockerignore leaves out of the context, and --exclude of COPY and ADD out of a source.
//
// Patterns are Go's filepath.Match for each part of a path, "**" is any number of parts; one that
// matches a folder is meant for all that is in it; "!" takes back what earlier ones left out. The
// last pattern that matches decides. Pure; const methods are safe from any thread.
// Spec: Dockerfile reference ".dockerignore file"; checked against moby/patternmatcher.
#pragma once
#include "store/base/error.h"
#include "store/base/path.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools::build {

class IgnorePatterns {
public:
    IgnorePatterns() = default;  // leaves nothing out

    // A .dockerignore: a pattern a line, "#" begins a comment. Errors: EINVAL naming the pattern.
    static Result<IgnorePatterns> parse_file(std::string_view text);
    // Errors: EINVAL naming the pattern.
    static Result<IgnorePatterns> parse(std::span<std::string const> patterns);

    // What is known of a folder, for judging what is in it; empty for the root.
    using State = std::vector<bool>;
    struct Verdict {
        bool excluded = false;
        State state;
    };
    // `parent` is the state of the folder that holds `path`.
    [[nodiscard]] Verdict judge(base::RelPath const& path, State const& parent) const;

    // The same from the root on.
    [[nodiscard]] bool excludes(base::RelPath const& path) const;

    // Whether something in this folder, which is excluded, may be taken back; so that it must be
    // looked for.
    [[nodiscard]] bool may_keep_below(base::RelPath const& folder) const;

    [[nodiscard]] bool empty() const { return patterns_.empty(); }

private:
    struct Part {
        enum class Kind {
            literal,
            any_character,  // ?
            any_name,       // *: all but '/'
            anything,       // ** at the end
            maybe_folders,  // **/: nothing, or what `folders` takes
            folders,        // any characters and a '/'
            set,            // [a-z]
        } kind = Kind::literal;
        char32_t character = 0;
        std::vector<std::pair<char32_t, char32_t>> ranges = {};
        bool negated = false;
    };
    struct Pattern {
        std::vector<Part> parts;
        bool takes_back = false;  // began with "!"
    };
    enum class Match { no, below, yes };  // below: more characters might match

    Status add(std::string_view text);
    static Result<std::vector<Part>> parse_parts(std::string_view text);
    static Result<Part> parse_set(std::u32string_view& rest, std::string_view whole);
    static Match match(std::vector<Part> const& parts, std::u32string_view path);

    std::vector<Pattern> patterns_;
};

}  // namespace oblea::tools::build

// SPDX-License-Identifier: MIT
// Image names: the grammar of docker's references and their two forms.
//
// Spec: distribution/reference (grammar, normalisation); distribution-spec "Pulling manifests".
#pragma once
#include "store/index/types.h"

#include <optional>
#include <string>
#include <string_view>

namespace oblea::store {

struct Reference {
    std::string domain;  // "docker.io", "localhost:5000"
    std::string path;    // "library/debian"
    std::optional<std::string> tag;
    std::optional<Digest> digest;

    // Normalises as docker does: `debian` is docker.io/library/debian. No tag is invented.
    // Errors: EINVAL with docker's words ("invalid reference format", "... must be lowercase",
    // ...).
    static Result<Reference> parse(std::string_view text);

    // Whether `text` may stand behind the colon.
    [[nodiscard]] static bool is_valid_tag(std::string_view text);

    // The same with tag "latest" where there is neither tag nor digest.
    [[nodiscard]] Reference with_default_tag() const;

    [[nodiscard]] std::string canonical() const;            // docker.io/library/debian:latest
    [[nodiscard]] std::string familiar() const;             // debian:latest
    [[nodiscard]] std::string repository() const;           // docker.io/library/debian
    [[nodiscard]] std::string familiar_repository() const;  // debian
};

}  // namespace oblea::store

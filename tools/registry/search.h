// SPDX-License-Identifier: MIT
// Looking for repositories at a registry: docker's search protocol, and the catalogue of registries
// that have none.
//
// The parsers are pure. Spec: docker "GET /v1/search"; distribution "Listing Repositories".
#pragma once
#include "store/image/reference.h"
#include "tools/registry/registry_session.h"

#include <string>
#include <string_view>
#include <vector>

namespace oblea::registry {

struct FoundRepository {
    std::string name;           // as one types it: "debian", "quay.io/team/app"
    std::string description{};  // may be empty; without control characters
    std::uint64_t stars = 0;
    bool official = false;
    bool automated = false;
    bool operator==(FoundRepository const&) const = default;
};

struct SearchTerm {
    std::string host;  // "docker.io", "localhost:5000"
    std::string text;
    // "debian" is looked for at Docker Hub, "HOST/x" at HOST, where HOST is what makes a name one
    // of another registry. Errors: EINVAL for an empty term.
    static Result<SearchTerm> parse(std::string_view typed);
};

// In the registry's order, at most `limit`. Errors: as Connection; EINVAL for an answer that is not
// understood.
Result<std::vector<FoundRepository>> search(RegistrySession& session, SearchTerm const& term,
                                            unsigned limit);

// Errors: EINVAL. `host` is put in front of names, except Docker Hub's.
Result<std::vector<FoundRepository>> parse_search_results(std::string_view body,
                                                          std::string const& host);
Result<std::vector<std::string>> parse_catalog(std::string_view body, std::string const& host);

}  // namespace oblea::registry

// SPDX-License-Identifier: MIT
#include "tools/registry/search.h"

#include "store/base/limits.h"
#include "tools/registry/client/registry_error.h"
#include "tools/registry/conf/registries_conf.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace oblea::registry {

namespace {

constexpr char const* kDockerHubIndex = "index.docker.io";
constexpr std::size_t kCatalogPageNames = 1000;

bool flag_of(nlohmann::json const& object, char const* key) {
    auto const at = object.find(key);
    return at != object.end() && at->is_boolean() && at->get<bool>();
}

std::string with_host(std::string const& name, std::string const& host) {
    return host == kDockerHub ? name : host + '/' + name;
}

std::unexpected<Error> not_understood(std::string const& host, char const* what) {
    return fail(Errno::einval, "", host + ": the answer is no " + what);
}

Result<std::string> read_body(HttpStream& stream, std::string const& host) {
    std::string text;
    base::Bytes buffer(65536);
    for (;;) {
        std::size_t const count = OBLEA_TRY(stream.read(buffer));
        if (count == 0) {
            return text;
        }
        if (text.size() + count > limits::kTagsPageBytesMax) {
            return fail(Errno::e2big, "", host + ": the answer is too long");
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

// Nothing when the registry has no search.
Result<std::optional<std::vector<FoundRepository>>>
search_by_index(Connection& connection, SearchTerm const& term, unsigned limit) {
    HttpRequest request = OBLEA_TRY(connection.request_for("/v1/search"));
    request.url = request.url.with_query({{"q", term.text}, {"n", std::to_string(limit)}});
    auto const stream = OBLEA_TRY(connection.send(request));
    unsigned const status = stream->head().status;
    bool const json = media_type_of(stream->head().headers.first("content-type")) != "text/html";
    if (term.host != kDockerHub && (status == 404 || status == 405 || !json)) {
        return std::optional<std::vector<FoundRepository>>{};
    }
    if (status != 200) {
        return connection.refused(*stream, Wanted::catalog, term.host);
    }
    std::string const body = OBLEA_TRY(read_body(*stream, term.host));
    return std::optional{OBLEA_TRY(parse_search_results(body, term.host))};
}

Result<std::vector<FoundRepository>> search_catalog(Connection& connection, SearchTerm const& term,
                                                    unsigned limit) {
    HttpRequest request = OBLEA_TRY(connection.request_for("/v2/_catalog"));
    request.url = request.url.with_query({{"n", std::to_string(kCatalogPageNames)}});
    std::set<std::string> seen{request.url.string()};
    std::vector<FoundRepository> found;
    for (;;) {
        auto const stream = OBLEA_TRY(connection.send(request));
        if (stream->head().status != 200) {
            return connection.refused(*stream, Wanted::catalog,
                                      term.host + " has neither a search nor a catalogue");
        }
        std::string const body = OBLEA_TRY(read_body(*stream, term.host));
        for (auto& name : OBLEA_TRY(parse_catalog(body, term.host))) {
            bool const meant = name.find(term.text) != std::string::npos;
            if (meant && found.size() < limit) {
                found.push_back({.name = with_host(name, term.host)});
            }
        }
        auto const next = parse_next_link(stream->head().headers.first("link"));
        if (!next.has_value() || found.size() == limit) {
            return found;
        }
        Url const target = OBLEA_TRY(request.url.resolve(*next));
        if (!target.same_origin(request.url) || !seen.insert(target.string()).second) {
            return fail(Errno::eloop, "",
                        term.host + ": the link to more repositories leads in a circle or to "
                                    "another server");
        }
        request.url = target;
    }
}

}  // namespace

Result<SearchTerm> SearchTerm::parse(std::string_view typed) {
    SearchTerm term{.host = kDockerHub, .text = std::string{typed}};
    auto const slash = typed.find('/');
    std::string_view const first = typed.substr(0, slash);
    bool const is_host = slash != std::string_view::npos &&
                         (first == "localhost" || first.find_first_of(".:") != first.npos);
    if (is_host) {
        term.host = first == kDockerHubIndex ? kDockerHub : std::string{first};
        term.text = std::string{typed.substr(slash + 1)};
    }
    if (term.host.empty() || (term.text.empty() && !is_host)) {
        return fail(Errno::einval, "", "the search term is empty");
    }
    return term;
}

Result<std::vector<FoundRepository>> parse_search_results(std::string_view body,
                                                          std::string const& host) {
    auto const document = nlohmann::json::parse(body, nullptr, false);
    auto const list = document.is_object() ? document.find("results") : document.end();
    if (!document.is_object() || list == document.end() || !(list->is_array() || list->is_null())) {
        return not_understood(host, "list of search results");
    }
    std::vector<FoundRepository> found;
    for (auto const& entry : *list) {
        if (!entry.is_object() || printable_field(entry, "name").empty()) {
            continue;
        }
        auto const stars = entry.find("star_count");
        found.push_back({.name = with_host(printable_field(entry, "name"), host),
                         .description = printable_field(entry, "description"),
                         .stars = stars != entry.end() && stars->is_number_unsigned()
                                      ? stars->get<std::uint64_t>()
                                      : 0,
                         .official = flag_of(entry, "is_official"),
                         .automated = flag_of(entry, "is_automated")});
    }
    return found;
}

Result<std::vector<std::string>> parse_catalog(std::string_view body, std::string const& host) {
    auto const document = nlohmann::json::parse(body, nullptr, false);
    auto const list = document.is_object() ? document.find("repositories") : document.end();
    if (!document.is_object() || list == document.end() || !(list->is_array() || list->is_null())) {
        return not_understood(host, "catalogue");
    }
    std::vector<std::string> names;
    for (auto const& name : *list) {
        // What is no name could not be pulled, and might be made to harm a terminal.
        if (name.is_string() &&
            store::Reference::parse("x.y/" + name.get<std::string>()).has_value()) {
            names.push_back(name.get<std::string>());
        }
    }
    return names;
}

Result<std::vector<FoundRepository>> search(RegistrySession& session, SearchTerm const& term,
                                            unsigned limit) {
    PlannedEndpoint planned = session.registry(term.host);
    if (term.host == kDockerHub) {
        planned.endpoint.host = kDockerHubIndex;
    }
    auto const connection = session.connection(planned, term.host, ClientOptions::Access::pull);
    auto found = OBLEA_TRY(search_by_index(*connection, term, limit));
    if (!found.has_value()) {
        return search_catalog(*connection, term, limit);
    }
    found->resize(std::min<std::size_t>(found->size(), limit));
    return *std::move(found);
}

}  // namespace oblea::registry

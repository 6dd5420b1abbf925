// SPDX-License-Identifier: MIT
#include "tools/registry/search.h"

#include "tools/cli/filters.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/registry_commands.h"
#include "tools/output/plain_text.h"
#include "tools/template/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace oblea::tools {

namespace {

using registry::FoundRepository;

constexpr unsigned kLimitDefault = 25;
constexpr unsigned kLimitMax = 100;
constexpr std::size_t kDescriptionColumns = 45;

struct SearchOptions {
    std::string term;
    unsigned limit = kLimitDefault;
    std::vector<std::string> filters;
    std::string format;
    std::string sort;
    bool no_trunc = false;
};

// What docker filters, after the registry has cut the list to its limit.
struct SearchFilter {
    std::optional<bool> official;
    std::optional<bool> automated;
    std::uint64_t stars = 0;

    [[nodiscard]] bool keeps(FoundRepository const& found) const {
        return official.value_or(found.official) == found.official &&
               automated.value_or(found.automated) == found.automated && found.stars >= stars;
    }
};

Result<SearchFilter> parse_filter(std::vector<std::string> const& words) {
    auto const filters = OBLEA_TRY(Filters::parse(words, {"is-automated", "is-official", "stars"}));
    SearchFilter filter;
    filter.official = OBLEA_TRY(filters.flag("is-official"));
    filter.automated = OBLEA_TRY(filters.flag("is-automated"));
    for (auto const& text : filters.of("stars")) {
        auto const stars = registry::parse_decimal(text);
        if (!stars.has_value()) {
            return fail(Errno::einval, "", "invalid filter 'stars=" + text + "'");
        }
        filter.stars = std::max(filter.stars, *stars);
    }
    return filter;
}

enum class Descriptions { cut, whole };

templates::Record record_of(FoundRepository const& found, Descriptions descriptions) {
    templates::Record record{.type = "*formatter.searchContext"};
    std::string const line = one_line(found.description);
    record.set("Name", found.name);
    record.set("Description", descriptions == Descriptions::whole
                                  ? line
                                  : cut_to_width(line, kDescriptionColumns));
    record.set("StarCount", std::to_string(found.stars));
    record.set("IsOfficial", found.official ? "[OK]" : "");
    record.set("IsAutomated", found.automated ? "[OK]" : "");
    return record;
}

Result<std::string> render(std::vector<FoundRepository> const& list, SearchOptions const& options) {
    std::vector<templates::Record> records;
    for (auto const& found : list) {
        records.push_back(
            record_of(found, options.no_trunc ? Descriptions::whole : Descriptions::cut));
    }
    return templates::render_rows(
        {.format = options.format,
         .default_table = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
         .titles = {{"Name", "NAME"},
                    {"Description", "DESCRIPTION"},
                    {"StarCount", "STARS"},
                    {"IsOfficial", "OFFICIAL"},
                    {"IsAutomated", "AUTOMATED"}}},
        records);
}

Result<int> search(Context& context, SearchOptions const& options) {
    if (options.limit < 1 || options.limit > kLimitMax) {
        return fail(
            Errno::einval, "",
            fmt::format("limit {} is outside the range of [1, {}]", options.limit, kLimitMax));
    }
    auto const filter = OBLEA_TRY(parse_filter(options.filters));
    auto const term = OBLEA_TRY(registry::SearchTerm::parse(options.term));
    Interrupt const interrupt;
    auto const session = OBLEA_TRY(open_registry_session(context, &interrupt.flag()));
    auto list = OBLEA_TRY(registry::search(*session, term, options.limit));
    std::erase_if(list, [&](FoundRepository const& found) { return !filter.keeps(found); });
    if (options.sort == "name") {
        std::ranges::stable_sort(list, {}, &FoundRepository::name);
    } else if (options.sort == "stars") {
        std::ranges::stable_sort(list, std::greater{}, &FoundRepository::stars);
    }
    context.print(OBLEA_TRY(render(list, options)));
    return exit_code::kSuccess;
}

}  // namespace

Command search_command() {
    auto options = std::make_shared<SearchOptions>();
    return {
        .name = "search",
        .aliases = {},
        .section = Command::Section::images,
        .summary = "Look for repositories at a registry",
        .description =
            "At Docker Hub, or at HOST for HOST/TERM. Registries without a search are asked for "
            "their catalogue, of which the names that contain TERM are shown.\n\n"
            "Filters: is-official=BOOL, is-automated=BOOL, stars=N (at least). As with docker they "
            "see what the limit has left.\n\n"
            "A format is a Go template over .Name, .Description, .StarCount and .IsOfficial.",
        .operands = {{.name = "TERM",
                      .help = "What to look for; HOST/TERM at another registry",
                      .target = &options->term}},
        .options = {{.names = "--limit",
                     .value_name = "N",
                     .help = "At most so many, 1 to 100; default 25",
                     .target = &options->limit},
                    {.names = "-f,--filter",
                     .value_name = "KEY=VALUE",
                     .help = "Only repositories that pass; may be given several times",
                     .target = &options->filters},
                    {.names = "--no-trunc",
                     .value_name = "",
                     .help = "Whole descriptions",
                     .target = &options->no_trunc},
                    {.names = "--format",
                     .value_name = "FORMAT",
                     .help = "table, table TEMPLATE, json, or a Go template",
                     .target = &options->format},
                    {.names = "--sort",
                     .value_name = "BY",
                     .help = "stars (most first) or name; default: as the registry sends them",
                     .target = &options->sort,
                     .choices = {"stars", "name"}}},
        .examples = {{"oblea search --filter is-official=true debian", "Docker's own"},
                     {"oblea search localhost:5000/app", "At a registry of your own"}},
        .run = [options](Context& context) { return search(context, *options); },
    };
}

}  // namespace oblea::tools

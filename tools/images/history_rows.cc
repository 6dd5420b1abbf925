// SPDX-License-Identifier: MIT
#include "tools/images/history_rows.h"

#include "tools/output/human.h"
#include "tools/output/plain_text.h"
#include "tools/template/rows.h"

#include <algorithm>
#include <array>
#include <ctime>

namespace oblea::tools {

namespace {

constexpr char const* kMissing = "<missing>";
constexpr std::size_t kCreatedByWidth = 45;
constexpr std::int64_t kNoDate = 946'684'800;  // 2000-01-01: what has no time is given one before

// RFC 3339 in the local time zone.
std::string local_rfc3339(std::int64_t seconds) {
    auto const parts = local_time(seconds);
    if (!parts.has_value()) {
        return std::to_string(seconds);
    }
    std::array<char, 64> text{};
    std::string result{text.data(),
                       std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S%z", &*parts)};
    return parts->tm_gmtoff == 0 ? result.replace(result.size() - 5, 5, "Z")
                                 : result.insert(result.size() - 2, ":");
}

std::string age_of(std::optional<std::int64_t> created, HistoryOptions const& options,
                   std::string const& exact) {
    if (!created.has_value() || *created <= kNoDate) {
        return "N/A";
    }
    return options.human == Human::yes ? human_duration(options.now - *created) + " ago" : exact;
}

std::string id_of(HistoryRow const& row, Truncate truncate) {
    auto const id = store::Digest::parse(row.id);
    return id.has_value() ? display_id(*id, truncate) : row.id;
}

templates::Record record_of(HistoryRow const& row, HistoryOptions const& options) {
    bool const whole = options.truncate == Truncate::no;
    auto const created = parse_rfc3339(row.entry.created);
    std::string const exact = created.has_value() ? local_rfc3339(*created) : "";
    std::string created_by = row.entry.created_by;
    std::ranges::replace(created_by, '\t', ' ');
    templates::Record record{.type = "*formatter.historyContext"};
    record.set("Comment", row.entry.comment);
    record.set("CreatedAt", exact);
    record.set("CreatedBy", whole ? created_by : cut_to_width(created_by, kCreatedByWidth));
    record.set("CreatedSince", age_of(created, options, exact));
    record.set("ID", id_of(row, options.truncate));
    record.set("Size", options.human == Human::yes ? human_size(row.size_bytes)
                                                   : std::to_string(row.size_bytes));
    return record;
}

}  // namespace

Result<std::vector<HistoryRow>> history_rows(store::Digest const& image,
                                             std::vector<HistoryEntry> const& history,
                                             std::span<std::uint64_t const> layer_bytes,
                                             std::span<Ancestor const> ancestors) {
    std::vector<HistoryRow> rows;
    std::size_t layer = 0;
    for (HistoryEntry const& entry : history) {
        HistoryRow row{.id = kMissing, .entry = entry};
        if (!entry.empty_layer) {
            if (layer >= layer_bytes.size()) {
                return fail(Errno::euclean, "", "too many non-empty layers in History section");
            }
            row.size_bytes = layer_bytes[layer++];
        }
        rows.push_back(std::move(row));
    }
    for (Ancestor const& ancestor : ancestors) {
        if (ancestor.history_length >= 1 && ancestor.history_length < rows.size()) {
            rows[ancestor.history_length - 1].id = ancestor.id.to_string();
        }
    }
    if (!rows.empty()) {
        rows.back().id = image.to_string();
    }
    std::ranges::reverse(rows);
    return rows;
}

Result<std::string> render_history(std::vector<HistoryRow> const& rows,
                                   HistoryOptions const& options) {
    std::vector<templates::Record> records;
    records.reserve(rows.size());
    for (auto const& row : rows) {
        records.push_back(record_of(row, options));
    }
    bool const plain = options.format.empty() || options.format == "table";
    bool const human = options.human == Human::yes;
    return templates::render_rows(
        {.format = plain && options.quiet == Quiet::yes ? "{{.ID}}" : options.format,
         .default_table = std::string{"{{.ID}}\t"} +
                          (human ? "{{.CreatedSince}}" : "{{.CreatedAt}}") +
                          "\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
         .titles = {{"Comment", "COMMENT"},
                    {"CreatedAt", "CREATED AT"},
                    {"CreatedBy", "CREATED BY"},
                    {"CreatedSince", "CREATED"},
                    {"ID", "IMAGE"},
                    {"Size", "SIZE"}}},
        records);
}

}  // namespace oblea::tools

// SPDX-License-Identifier: MIT
#include "tools/template/rows.h"

#include "tools/output/columns.h"
#include "tools/output/plain_text.h"
#include "tools/template/template.h"

#include <algorithm>
#include <vector>

namespace oblea::tools::templates {

namespace {

constexpr std::string_view kTable = "table";

std::string replace_all(std::string text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
        text.replace(at, what.size(), by);
    }
    return text;
}

std::string_view trim(std::string_view text) {
    std::size_t const first = std::min(text.find_first_not_of(' '), text.size());
    return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

struct Plan {
    bool table = false;
    std::string text;
};

Plan plan_of(RowFormat const& format) {
    std::string_view const asked = format.format;
    if (asked == "json") {
        return {.table = false, .text = "{{json .}}"};
    }
    bool const table = asked.empty() || asked.starts_with(kTable);
    std::string_view own = table ? asked.substr(std::min(kTable.size(), asked.size())) : asked;
    own = table ? trim(own) : own;
    std::string text{table && own.empty() ? std::string_view{format.default_table} : own};
    return {.table = table,
            .text = replace_all(replace_all(std::move(text), "\\t", "\t"), "\\n", "\n")};
}

// Control characters of names and commands must not reach a terminal raw; columns and lines stay.
std::string shown_row(std::string_view row) {
    std::string result;
    while (true) {
        std::size_t const end = row.find_first_of("\t\n");
        result += one_line(row.substr(0, end));
        if (end == std::string_view::npos) {
            return result;
        }
        result += row[end];
        row.remove_prefix(end + 1);
    }
}

// Docker's title of {{.Label "com.example.tier-name"}} is "tier name".
Result<Value> label_title(std::string const& label) {
    std::string title = label.substr(label.rfind('.') + 1);
    std::ranges::replace(title, '-', ' ');
    std::ranges::replace(title, '_', ' ');
    return Value(std::move(title));
}

Value titles_of(RowFormat const& format) {
    Record titles{.type = "titles", .unknown = Record::Unknown::no_value};
    for (auto const& [name, title] : format.titles) {
        titles.set(name, title);
    }
    titles.methods["Label"] = label_title;
    return titles;
}

}  // namespace

Error template_error(Error error) {
    if (error.code == Errno::einval && error.detail.starts_with("template:")) {
        error.detail = "template parsing error: " + error.detail;
    }
    return error;
}

Result<std::string> render_rows(RowFormat const& format, std::span<Record const> rows) {
    auto const plan = plan_of(format);
    auto const fail_with = [](Error const& error) {
        return std::unexpected<Error>(template_error(error));
    };
    auto const parsed = Template::parse(plan.text);
    if (!parsed.has_value()) {
        return fail_with(parsed.error());
    }
    std::string text;
    for (Record const& row : rows) {
        auto const line = parsed->execute(Value(row));
        if (!line.has_value()) {
            return fail_with(line.error());
        }
        text += (plan.table ? shown_row(*line) : *line) + '\n';
    }
    if (!plan.table) {
        return text;
    }
    auto const head = Template::parse(plan.text, header_functions());
    if (!head.has_value()) {
        return fail_with(head.error());
    }
    auto const titles = head->execute(titles_of(format));
    if (!titles.has_value()) {
        return fail_with(titles.error());
    }
    return align_columns(*titles + '\n' + text);
}

}  // namespace oblea::tools::templates

// SPDX-License-Identifier: MIT
// Lists of things (images, containers, layers) as --format asks for them.
//
// Pure, but for what the records' fields do. Spec: docker's "Format command and log output".
#pragma once
#include "tools/template/value.h"

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace oblea::tools::templates {

struct RowFormat {
    // As --format has it: "table", "table TEMPLATE", "json" or TEMPLATE; empty is "table". \t and
    // \n may be spelled out.
    std::string format;
    // What "table" alone means, with tabs between columns.
    std::string default_table;
    // Title of each field, for the head of a table.
    std::map<std::string, std::string> titles;
};

// One line for each record, and the titles above them in a table. Errors: EINVAL "template parsing
// error: ..." in docker's words; those of the fields.
Result<std::string> render_rows(RowFormat const& format, std::span<Record const> rows);

// Docker's message of a template that is wrong, parsing it or running it.
Error template_error(Error error);

}  // namespace oblea::tools::templates

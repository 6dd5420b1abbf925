// SPDX-License-Identifier: MIT
#include "tools/build/build_options.h"

#include "store/base/sys.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace oblea::tools::build {
namespace {

std::string absolute(std::string const& path) {
    std::error_code code;
    return std::filesystem::absolute(path, code).lexically_normal().string();
}

}  // namespace

Result<std::pair<std::string, SecretSource>> parse_secret(std::string_view typed) {
    auto const wrong = [&](std::string_view why) {
        return fail(Errno::einval, "",
                    fmt::format("\"{}\" is no secret: {}; write id=NAME,src=FILE or "
                                "id=NAME,env=VARIABLE",
                                typed, why));
    };
    std::string id;
    std::string type;
    SecretSource source;
    std::string_view rest = typed;
    while (!rest.empty()) {
        auto const end = std::min(rest.find(','), rest.size());
        std::string_view const field = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        auto const equals = std::min(field.find('='), field.size());
        std::string_view const key = field.substr(0, equals);
        std::string const value{field.substr(std::min(equals + 1, field.size()))};
        if (key == "id") {
            id = value;
        } else if (key == "src" || key == "source") {
            source.file = absolute(value);
        } else if (key == "env") {
            source.env = value;
        } else if (key == "type" && (value == "file" || value == "env")) {
            type = value;
        } else {
            return wrong(fmt::format("unknown field {}", field));
        }
    }
    if (id.empty()) {
        return wrong("id= is missing");
    }
    if (source.file.empty() && source.env.empty()) {
        // As docker: a variable of that name, else a file.
        bool const variable = type == "env" || (type.empty() && std::getenv(id.c_str()) != nullptr);
        (variable ? source.env : source.file) = variable ? id : absolute(id);
    } else if (type == "env" && !source.file.empty()) {
        source.env = std::filesystem::path{source.file}.filename().string();
        source.file.clear();
    }
    return std::pair{std::move(id), std::move(source)};
}

}  // namespace oblea::tools::build

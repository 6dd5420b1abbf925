// SPDX-License-Identifier: MIT
#include "store/image/config_changes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace oblea::store {

using nlohmann::json;

namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    auto const first = text.find_first_not_of(kSpaces);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

std::string upper_case(std::string_view text) {
    std::string upper{text};
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    });
    return upper;
}

// Words as the Dockerfile has them: quotes hold spaces, a backslash takes what follows as it is
// (not within single quotes).
Result<std::vector<std::string>> split_words(std::string_view text) {
    std::vector<std::string> words;
    bool inside = false;
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (quote == '\0' && kSpaces.find(c) != std::string_view::npos) {
            inside = false;
            continue;
        }
        if (!inside) {
            words.emplace_back();
            inside = true;
        }
        if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote && quote != '\0') {
            quote = '\0';
        } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
            words.back() += text[++i];
        } else {
            words.back() += c;
        }
    }
    if (quote != '\0') {
        return fail(Errno::einval, "", "a quote is not closed");
    }
    return words;
}

// An array of texts, when it is one.
std::optional<std::vector<std::string>> exec_form(std::string_view rest) {
    if (!rest.starts_with('[')) {
        return std::nullopt;
    }
    json const array = json::parse(rest, nullptr, false);
    if (!array.is_array() ||
        !std::ranges::all_of(array, [](json const& one) { return one.is_string(); })) {
        return std::nullopt;
    }
    return array.get<std::vector<std::string>>();
}

std::vector<std::string> command_form(std::string_view rest) {
    if (auto exec = exec_form(rest)) {
        return *std::move(exec);
    }
    return {"/bin/sh", "-c", std::string{rest}};
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// "NAME=VALUE NAME=VALUE ...", or the old form "NAME VALUE".
Result<Pairs> parse_pairs(std::string_view rest) {
    auto const first_space = rest.find_first_of(kSpaces);
    std::string_view const first = rest.substr(0, first_space);
    if (first.find('=') == std::string_view::npos) {
        if (first_space == std::string_view::npos) {
            return fail(Errno::einval, "", "must have two arguments");
        }
        Pairs pairs;
        pairs.emplace_back(std::string{first}, std::string{trimmed(rest.substr(first_space))});
        return pairs;
    }
    Pairs pairs;
    for (std::string const& word : OBLEA_TRY(split_words(rest))) {
        auto const equals = word.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(Errno::einval, "",
                        fmt::format("\"{}\" must be of the form NAME=VALUE", word));
        }
        pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    return pairs;
}

json& object_at(json& config, char const* key) {
    json& object = config[key];
    if (!object.is_object()) {
        object = json::object();
    }
    return object;
}

json& array_at(json& config, char const* key) {
    json& array = config[key];
    if (!array.is_array()) {
        array = json::array();
    }
    return array;
}

Status expose(json& config, std::string_view rest) {
    for (std::string port : OBLEA_TRY(split_words(rest))) {
        auto const slash = port.find('/');
        std::string_view const number = std::string_view{port}.substr(0, slash);
        bool const digits = !number.empty() && number.size() <= 5 &&
                            number.find_first_not_of("0123456789") == std::string_view::npos;
        if (!digits) {
            return fail(Errno::einval, "", fmt::format("invalid containerPort: {}", port));
        }
        if (slash == std::string::npos) {
            port += "/tcp";
        }
        object_at(config, "ExposedPorts")[port] = json::object();
    }
    return {};
}

Status set_workdir(json& config, std::string_view rest) {
    std::string folder = config.value("WorkingDir", std::string{});
    if (rest.starts_with('/')) {
        folder = rest;
    } else {
        folder = (folder.ends_with('/') ? folder : folder + "/") + std::string{rest};
    }
    config["WorkingDir"] = folder;
    return {};
}

Status apply(json& config, std::string const& word, std::string_view rest) {
    if (word == "CMD") {
        config["Cmd"] = command_form(rest);
    } else if (word == "ENTRYPOINT") {
        config["Entrypoint"] = command_form(rest);
    } else if (word == "ENV") {
        for (auto const& [name, value] : OBLEA_TRY(parse_pairs(rest))) {
            set_variable(config, name, value);
        }
    } else if (word == "LABEL") {
        for (auto const& [name, value] : OBLEA_TRY(parse_pairs(rest))) {
            object_at(config, "Labels")[name] = value;
        }
    } else if (word == "EXPOSE") {
        return expose(config, rest);
    } else if (word == "USER") {
        config["User"] = std::string{rest};
    } else if (word == "WORKDIR") {
        return set_workdir(config, rest);
    } else if (word == "VOLUME") {
        auto const exec = exec_form(rest);
        auto const folders = exec.has_value() ? *exec : OBLEA_TRY(split_words(rest));
        for (std::string const& folder : folders) {
            object_at(config, "Volumes")[folder] = json::object();
        }
    } else if (word == "ONBUILD") {
        array_at(config, "OnBuild").push_back(std::string{rest});
    } else {
        return fail(Errno::einval, "",
                    "is not a valid change command; there are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
                    "ONBUILD, USER, VOLUME and WORKDIR");
    }
    return {};
}

}  // namespace

void set_variable(json& config, std::string const& name, std::string const& value) {
    json& env = array_at(config, "Env");
    for (json& one : env) {
        if (one.is_string() && one.get_ref<std::string const&>().starts_with(name + "=")) {
            one = name + "=" + value;
            return;
        }
    }
    env.push_back(name + "=" + value);
}

Status apply_config_changes(json& config, std::span<std::string const> instructions) {
    for (std::string const& instruction : instructions) {
        std::string_view const text = trimmed(instruction);
        auto const space = text.find_first_of(kSpaces);
        std::string const word = upper_case(text.substr(0, space));
        std::string_view const rest =
            space == std::string_view::npos ? std::string_view{} : trimmed(text.substr(space));
        auto done = rest.empty() && !word.empty()
                        ? Status{fail(Errno::einval, "", "needs an argument")}
                        : apply(config, word, rest);
        OBLEA_TRY(with_context(std::move(done), [&] { return word.empty() ? "\"\"" : word; }));
    }
    return {};
}

}  // namespace oblea::store

// SPDX-License-Identifier: MIT
#include "tools/cli/settings.h"

#include "store/base/absence.h"
#include "store/base/sys.h"
#include "tools/cli/suggest.h"

#include <fmt/format.h>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace oblea::tools {

namespace {

constexpr std::size_t kFileBytesMax = 1U << 20U;

std::string environment(std::string const& name) {
    char const* const value = std::getenv(name.c_str());
    return value == nullptr ? std::string{} : std::string{value};
}

// The default of an option, as a word of the command line would give it.
std::vector<std::string> words_of(Option::Target const& target) {
    if (auto const* flag = std::get_if<bool*>(&target)) {
        return {**flag ? "true" : "false"};
    }
    if (auto const* number = std::get_if<unsigned*>(&target)) {
        return {std::to_string(**number)};
    }
    if (auto const* text = std::get_if<std::string*>(&target)) {
        return {**text};
    }
    if (auto const* list = std::get_if<std::vector<std::string>*>(&target)) {
        return **list;
    }
    auto const& maybe = *std::get<std::optional<std::string>*>(target);
    return maybe.has_value() ? std::vector{*maybe} : std::vector<std::string>{};
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        std::size_t const end = std::min(text.find(':'), text.size());
        if (end != 0) {
            parts.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

}  // namespace

// Walks through a parsed file.
struct Settings::Reader {
    Settings& settings;
    std::string const& file;

    [[nodiscard]] std::unexpected<Error> wrong(toml::source_region const& where,
                                               std::string const& what) const {
        return fail(Errno::einval, "", fmt::format("{}:{}: {}", file, where.begin.line, what));
    }

    [[nodiscard]] Result<std::string> word(toml::node const& node, std::string const& key) const {
        if (auto const text = node.value_exact<std::string>()) {
            return *text;
        }
        if (auto const number = node.value_exact<std::int64_t>()) {
            return std::to_string(*number);
        }
        if (auto const flag = node.value_exact<bool>()) {
            return std::string{*flag ? "true" : "false"};
        }
        return wrong(node.source(), key + " is neither text nor number nor true or false");
    }

    // Each element of an array, or the one value.
    [[nodiscard]] Result<std::vector<std::string>> list(toml::node const& node,
                                                        std::string const& key) const {
        std::vector<std::string> words;
        auto const* const array = node.as_array();
        if (array == nullptr) {
            words.push_back(OBLEA_TRY(word(node, key)));
            return words;
        }
        for (auto const& element : *array) {
            words.push_back(OBLEA_TRY(word(element, key)));
        }
        return words;
    }

    [[nodiscard]] Result<std::vector<std::string>> fields(toml::node const& node,
                                                          Known const& known) const {
        auto const* const table = node.as_table();
        if (table == nullptr) {
            return wrong(node.source(), known.setting.key + " is a table of numbers");
        }
        std::vector<std::string> words;
        for (auto const& [name, value] : *table) {
            std::string const field{name.str()};
            if (std::ranges::find(known.fields, field) == known.fields.end()) {
                return wrong(name.source(), fmt::format("no key '{}.{}'{}", known.setting.key,
                                                        field, did_you_mean(field, known.fields)));
            }
            std::string const number = OBLEA_TRY(word(value, field));
            words.push_back(field + '=' + number);
        }
        return words;
    }

    [[nodiscard]] Result<std::vector<std::string>> values(toml::node const& node,
                                                          Known const& known) const {
        std::string const& key = known.setting.key;
        if (!known.fields.empty()) {
            return fields(node, known);
        }
        std::vector<std::string> words;
        switch (known.form) {
        case Known::Form::list:
            return list(node, key);
        case Known::Form::flag:
            if (!node.is_boolean()) {
                return wrong(node.source(), key + " is true or false");
            }
            break;
        case Known::Form::number:
            if (!node.is_integer()) {
                return wrong(node.source(), key + " is a number");
            }
            break;
        case Known::Form::text:
            if (!node.is_string()) {
                return wrong(node.source(), key + " is text, in quotes");
            }
            break;
        }
        words.push_back(OBLEA_TRY(word(node, key)));
        return words;
    }

    [[nodiscard]] bool is_group(std::string const& key) const {
        return std::ranges::any_of(settings.known_, [&](Known const& known) {
            return known.setting.key.starts_with(key + '.');
        });
    }

    Status read(toml::table const& table, std::string const& prefix) {
        for (auto const& [name, node] : table) {
            std::string const key = prefix + std::string{name.str()};
            Known* const known = settings.known(key);
            if (known != nullptr) {
                known->setting.values = OBLEA_TRY(values(node, *known));
                known->setting.source = fmt::format("{}:{}", file, name.source().begin.line);
                continue;
            }
            auto const* const inner = node.as_table();
            if (inner != nullptr && is_group(key)) {
                OBLEA_TRY(read(*inner, key + '.'));
                continue;
            }
            std::vector<std::string> keys;
            for (Known const& other : settings.known_) {
                keys.push_back(other.setting.key);
            }
            return wrong(name.source(), fmt::format("no key '{}'{}", key, did_you_mean(key, keys)));
        }
        return {};
    }
};

std::string variable_of(std::string_view key) {
    std::string name = "OBLEA_" + std::string{key};
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
        return c == '.' ? '_' : static_cast<char>(std::toupper(c));
    });
    return name;
}

std::vector<SettingFile> setting_files() {
    using Needed = SettingFile::Needed;
    if (std::string const chosen = environment("OBLEA_CONFIG"); !chosen.empty()) {
        return {{.path = chosen, .needed = Needed::yes}};
    }
    std::vector<SettingFile> files{{.path = "/etc/oblea/oblea.toml", .needed = Needed::no}};
    // The base directory specification has relative paths ignored.
    std::string folder = environment("XDG_CONFIG_HOME");
    std::string const home = environment("HOME");
    if (!folder.starts_with('/')) {
        folder = home.starts_with('/') ? home + "/.config" : "";
    }
    if (!folder.empty()) {
        files.push_back({.path = folder + "/oblea/oblea.toml", .needed = Needed::no});
    }
    return files;
}

void Settings::add_known(std::span<Option const> options) {
    using Form = Known::Form;
    for (Option const& option : options) {
        if (option.config.empty() || known(option.config) != nullptr) {
            continue;
        }
        Known added;
        added.setting.key = option.config;
        added.setting.initial = words_of(option.target);
        added.fields = option.fields;
        if (std::holds_alternative<bool*>(option.target)) {
            added.form = Form::flag;
        } else if (std::holds_alternative<unsigned*>(option.target)) {
            added.form = Form::number;
        } else if (std::holds_alternative<std::vector<std::string>*>(option.target)) {
            added.form = Form::list;
        }
        auto const at = std::ranges::lower_bound(
            known_, option.config, {}, [](Known const& known) { return known.setting.key; });
        known_.insert(at, std::move(added));
    }
}

Status Settings::read_toml(std::string_view text, std::string const& file) {
    auto const parsed = toml::parse(text, file);
    Reader reader{.settings = *this, .file = file};
    if (!parsed) {
        return reader.wrong(parsed.error().source(), std::string{parsed.error().description()});
    }
    return reader.read(parsed.table(), "");
}

void Settings::read_environment(std::function<std::string(std::string const&)> const& variable) {
    for (Known& known : known_) {
        std::string const name = variable_of(known.setting.key);
        std::string value = variable(name);
        if (value.empty()) {
            continue;
        }
        known.setting.values =
            known.form == Known::Form::list ? split_list(value) : std::vector{std::move(value)};
        known.setting.source = name;
    }
}

void Settings::note_flag(Option const& option, std::vector<std::string> values) {
    if (Known* const found = option.config.empty() ? nullptr : known(option.config)) {
        found->setting.values = std::move(values);
        found->setting.source = option.all_names().back();
    }
}

Settings::Known* Settings::known(std::string_view key) {
    auto const at = std::ranges::find(
        known_, key, [](Known const& known) -> std::string_view { return known.setting.key; });
    return at == known_.end() ? nullptr : &*at;
}

Setting const* Settings::find(std::string_view key) const {
    auto const at = std::ranges::find(
        known_, key, [](Known const& known) -> std::string_view { return known.setting.key; });
    return at == known_.end() || at->setting.values.empty() ? nullptr : &at->setting;
}

Setting const* Settings::find(Option const& option) const {
    return option.config.empty() ? nullptr : find(option.config);
}

std::vector<Setting> Settings::all() const {
    std::vector<Setting> settings;
    settings.reserve(known_.size());
    for (Known const& known : known_) {
        settings.push_back(known.setting);
    }
    return settings;
}

Result<Settings> read_settings(std::span<Option const> options) {
    Settings settings;
    settings.add_known(options);
    for (SettingFile const& file : setting_files()) {
        auto const text = base::sys::read_file(AT_FDCWD, file.path.c_str(), kFileBytesMax);
        if (text.has_value()) {
            OBLEA_TRY(settings.read_toml(*text, file.path));
            continue;
        }
        if (!base::is_absent(text.error().code) || file.needed == SettingFile::Needed::yes) {
            return std::unexpected<Error>(with_context(text.error(), file.path));
        }
    }
    settings.read_environment(environment);
    return settings;
}

}  // namespace oblea::tools

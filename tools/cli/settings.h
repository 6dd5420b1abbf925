// SPDX-License-Identifier: MIT
// What options are set to where the command line does not say: oblea.toml and the environment.
//
// An option that carries a key ("mount.verify") is also a key of the file (`verify` in the table
// `[mount]`) and a variable of the environment (OBLEA_MOUNT_VERIFY). The later of these wins as a
// whole: /etc/oblea/oblea.toml, the user's oblea.toml, the environment, the command line; where
// OBLEA_CONFIG names a file, it is the only one. Values are kept as words of the command line, so
// that they are understood and refused as there. Values of a process: not for several threads.
#pragma once
#include "tools/cli/command.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oblea::tools {

struct Setting {
    std::string key;                   // "mount.verify"
    std::vector<std::string> values;   // none: the default
    std::string source;                // "--jobs", "OBLEA_JOBS", "/etc/oblea/oblea.toml:3"
    std::vector<std::string> initial;  // the default, as the program has it
};

struct SettingFile {
    std::string path;
    enum class Needed { no, yes } needed = Needed::no;  // else it may be missing
};

// The files of this process, of rising weight.
std::vector<SettingFile> setting_files();

// "OBLEA_MOUNT_VERIFY" for "mount.verify".
[[nodiscard]] std::string variable_of(std::string_view key);

class Settings {
public:
    // Knows the keys of these options, and no others. An option may be there several times.
    void add_known(std::span<Option const> options);

    // Takes in a file's text, in place of what is known of its keys so far. Errors: EINVAL with
    // file, line and what is wrong, of unknown keys with the nearest one.
    Status read_toml(std::string_view text, std::string const& file);

    // What `variable` gives for a name; empty is not set. A list is separated by colons.
    void read_environment(std::function<std::string(std::string const&)> const& variable);

    // What the command line says is noted, so that it is told where values come from.
    void note_flag(Option const& option, std::vector<std::string> values);

    // Nothing for an option without a key, or at its default.
    [[nodiscard]] Setting const* find(Option const& option) const;
    [[nodiscard]] Setting const* find(std::string_view key) const;

    // All known ones, sorted by key.
    [[nodiscard]] std::vector<Setting> all() const;

private:
    struct Known {
        Setting setting;
        enum class Form { flag, number, text, list } form = Form::text;
        std::vector<std::string> fields;  // of a list of NAME=VALUE
    };
    struct Reader;  // of a file

    Known* known(std::string_view key);

    std::vector<Known> known_;  // sorted by key
};

// All of these for the process, with /etc, the user's file and the environment read.
Result<Settings> read_settings(std::span<Option const> options);

}  // namespace oblea::tools

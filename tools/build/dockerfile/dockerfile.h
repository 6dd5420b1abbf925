// SPDX-License-Identifier: MIT
// A Dockerfile as types: stages of instructions, each with its own fields and its place in the
// file.
//
// Parsing knows no variables: the words that the language expands are kept as written, and
// expand() replaces them when the build knows what they are worth. What the language does not
// expand (commands, --from of COPY, --exclude, ...) is final. Pure: no I/O, no clock, safe from
// any thread.
// Spec: Dockerfile reference (frontend 1.7 and what later versions made stable). Deviations are in
// tools/build/LANGUAGE.md.
#pragma once
#include "store/base/error.h"
#include "tools/build/dockerfile/expand.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace oblea::tools::dockerfile {

// Lines of the file, from 1, both included: of an instruction with its continuation lines and
// heredocs.
struct Lines {
    std::size_t first = 1;
    std::size_t last = 1;
};

// "<<EOF", "<<-EOF", "<<'EOF'" and the lines up to the one that is just the name.
struct Heredoc {
    std::string name;
    bool expand = true;   // no part of the name was quoted
    bool chomp = false;   // "<<-": the lines lose their leading tabs (content still has them)
    std::string content;  // whole lines
};
// What the file or the script is made of: the content, without leading tabs where "<<-" asks so.
[[nodiscard]] std::string heredoc_text(Heredoc const& heredoc);

// What is run: by the shell as one text, or word by word.
struct Command {
    enum class Form { shell, exec } form = Form::shell;
    // shell: exactly one, the text for the shell; exec: the arguments, possibly none.
    std::vector<std::string> words;
};

struct Pair {
    std::string name;
    std::string value;
    bool spaced = false;  // the old form "ENV NAME the value"
};

struct From {
    std::string image;     // a name, an earlier stage's, or "scratch"
    std::string name;      // AS, in lower case; empty: none
    std::string platform;  // empty: none
};

struct Arg {
    struct One {
        std::string name;
        std::optional<std::string> value;  // nothing: declared without a default
    };
    std::vector<One> arguments;  // at least one
};

// What COPY and ADD have in common.
struct Transfer {
    // At least one of the two: paths, globs and (ADD) URLs; files that stand in the Dockerfile,
    // whose names are valid file names.
    std::vector<std::string> sources;
    std::vector<Heredoc> files;
    std::string destination;
    std::string chown;                 // "user[:group]", names or numbers; empty: not given
    std::string chmod;                 // empty: not given
    std::vector<std::string> exclude;  // patterns, as in .dockerignore
    bool link = false;
};
struct Copy : Transfer {
    std::string from;  // a stage's name or number, or an image; empty: the context
    bool parents = false;
};
struct Add : Transfer {
    std::string checksum;  // "sha256:...", of an URL's content; empty: not given
    std::optional<bool> unpack;
};

struct Mount {
    enum class Type { bind, cache, tmpfs, secret } type = Type::bind;
    enum class Sharing { shared, private_, locked };
    std::string from;  // a stage's name or number, or an image; empty: the context, for caches none
    std::string source;
    std::string target;
    std::string id;  // of a cache or a secret
    bool read_only = true;
    bool required = false;         // secret
    std::uint64_t size_bytes = 0;  // tmpfs; 0: not given
    Sharing sharing = Sharing::shared;
    std::optional<std::string> env;  // secret: the variable to set; empty: called as the id
    std::optional<std::uint32_t> mode;
    std::optional<std::uint32_t> uid;
    std::optional<std::uint32_t> gid;
};

inline constexpr std::string_view kScriptFolder = "/dev/pipes/";

struct Run {
    enum class Network { default_, none, host };
    enum class Security { sandbox, insecure };
    // A heredoc that is the whole command is already the shell's text; one among other words stays
    // in the text, with its lines behind, for the shell to read.
    Command command;
    // A heredoc that is the whole command and begins with "#!": the command is then the path of a
    // file called so in kScriptFolder, which must be there while it runs: mode 0755, its content
    // heredoc_text().
    std::optional<Heredoc> script;
    Network network = Network::default_;
    Security security = Security::sandbox;
    // --mount: as key and value, the value not expanded; a key alone has none.
    using MountOptions = std::vector<std::pair<std::string, std::optional<std::string>>>;
    std::vector<MountOptions> mount_options;
    std::vector<Mount> mounts;  // filled by expand()
};
struct Cmd {
    Command command;
};
struct Entrypoint {
    Command command;  // exec form without words: none
};
struct Shell {
    std::vector<std::string> words;  // at least one
};

struct Healthcheck {
    std::optional<Command> command;  // nothing: NONE
    // Nanoseconds, as the config has them; 0: not given.
    std::int64_t interval_ns = 0;
    std::int64_t timeout_ns = 0;
    std::int64_t start_period_ns = 0;
    std::int64_t start_interval_ns = 0;
    int retries = 0;
};

struct Env {
    std::vector<Pair> pairs;  // at least one; all are expanded with what was known before
};
struct Label {
    std::vector<Pair> pairs;  // at least one
};
struct Expose {
    std::vector<std::string>
        ports;  // "80", "53/udp", "8000-8010/tcp"; after expand() "80/tcp", ...
};
struct Volume {
    std::vector<std::string> paths;
};
struct Workdir {
    std::string path;
};
struct User {
    std::string user;
};
struct Stopsignal {
    std::string signal;  // whether there is such a signal is not checked
};
struct Maintainer {
    std::string name;
};
struct Onbuild {
    std::string trigger;  // an instruction, as the image's config keeps it; was parsed once
};

struct Instruction {
    Lines lines;
    // The instruction as written, in one line (heredocs' lines left out): for "Step 1/4 : ...".
    std::string text;
    std::variant<Add, Arg, Cmd, Copy, Entrypoint, Env, Expose, Healthcheck, Label, Maintainer,
                 Onbuild, Run, Shell, Stopsignal, User, Volume, Workdir>
        what;
};
// "COPY".
[[nodiscard]] std::string_view keyword_of(Instruction const& instruction);

struct Stage {
    From from;
    Lines lines;       // of FROM
    std::string text;  // of FROM
    std::vector<Instruction> instructions;
};

struct Dockerfile {
    std::string file_name;  // for messages
    char escape = '\\';
    std::vector<Instruction> global_args;  // before the first FROM, each of them an Arg
    std::vector<Stage> stages;             // at least one
    std::vector<std::string> warnings;     // "Dockerfile:7: ...", one line each
};

// "Dockerfile:7", what messages about an instruction begin with.
[[nodiscard]] std::string place(Dockerfile const& dockerfile, Lines lines);

// Errors: EINVAL naming file, line and what was expected; E2BIG past limits::kDockerfileBytesMax.
Result<Dockerfile> parse_dockerfile(std::string_view text, std::string_view file_name);

// One instruction alone, of which messages name no place. Errors: EINVAL.
Result<Instruction> parse_instruction(std::string_view text);

// An ONBUILD trigger of a parent image. Errors: EINVAL.
Result<Instruction> parse_trigger(std::string_view text);

// The same with its variables replaced, everywhere that the language does so. `escape` is the
// Dockerfile's ('\\' for triggers). Arg is left as it is: each default is expanded (expand_word)
// after the arguments before it are known, and only where the build gives no value. Errors: EINVAL,
// without a place, when a substitution is none, a variable must be set (${X:?}), or what results is
// no mount or no port.
Result<Instruction> expand(Instruction instruction, char escape, Lookup const& lookup);
Result<From> expand(From from, char escape, Lookup const& lookup);

}  // namespace oblea::tools::dockerfile

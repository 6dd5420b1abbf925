// SPDX-License-Identifier: MIT
// The language as a whole: each tests/golden/dockerfile/NAME.Dockerfile comes to what NAME.txt
// says. With OBLEA_WRITE_GOLDEN=1 the texts are written anew, for the reader of the difference to
// judge.
#include "tools/build/dockerfile/dockerfile.h"

#include "tests/support/catch.h"
#include "tests/unit/build/describe.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace oblea;
using namespace oblea::tools::dockerfile;

namespace {

std::string read_text(std::filesystem::path const& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// The message for a Dockerfile that has one.
std::string fault(std::string const& text) {
    auto const parsed = parse_dockerfile(text, "Dockerfile");
    return parsed.has_value() ? "" : parsed.error().detail;
}

std::optional<std::string> value_of(std::string_view name) {
    if (name == "A") {
        return "one two";
    }
    if (name == "PORT") {
        return "8080";
    }
    return name == "TYPE" ? std::optional<std::string>{"cache"} : std::nullopt;
}

// The second line of a Dockerfile, with its variables replaced.
std::string expanded(std::string const& line) {
    auto const parsed = parse_dockerfile("FROM scratch\n" + line, "Dockerfile");
    if (!parsed.has_value()) {
        return parsed.error().detail;
    }
    auto const result = expand(parsed->stages[0].instructions.at(0), parsed->escape, value_of);
    if (!result.has_value()) {
        return result.error().detail;
    }
    std::string const text = tests::describe(*result);
    return text.substr(text.find('\n') + 5);
}

}  // namespace

TEST_CASE("the golden Dockerfiles come to what is written beside them", "[build][dockerfile]") {
    std::size_t count = 0;
    for (auto const& entry : std::filesystem::directory_iterator(OBLEA_GOLDEN_DOCKERFILES)) {
        if (entry.path().extension() != ".Dockerfile") {
            continue;
        }
        auto expected = entry.path();
        expected.replace_extension(".txt");
        std::string const described =
            tests::describe(parse_dockerfile(read_text(entry.path()), "Dockerfile"));
        if (std::getenv("OBLEA_WRITE_GOLDEN") != nullptr) {
            std::ofstream(expected, std::ios::binary) << described;
        }
        CAPTURE(entry.path().filename());
        CHECK(described == read_text(expected));
        ++count;
    }
    CHECK(count >= 12);
}

TEST_CASE("errors name the line and what was expected", "[build][dockerfile]") {
    struct Case {
        std::string text;  // behind "FROM scratch" and an empty line
        std::string message;
    };
    auto const one = GENERATE(values<Case>({
        {"RNU true", "unknown instruction: RNU (did you mean RUN?)"},
        {"CPOY a b", "unknown instruction: CPOY (did you mean COPY?)"},
        {"INCLUDE x", "unknown instruction: INCLUDE"},
        {"RUN", "RUN requires at least one argument"},
        {"RUN []", "RUN requires at least one argument"},
        {"RUN [\"a\", 1]",
         "when using JSON array syntax, arrays must be comprised of strings only"},
        {"RUN --moutn=type=cache,target=/x true", "unknown flag: --moutn (did you mean --mount?)"},
        {"RUN --mount true", "missing a value on flag: --mount"},
        {"RUN --mount=type=cahce,target=/x true",
         "unsupported mount type \"cahce\" (did you mean cache?)"},
        {"RUN --mount=type=cache,traget=/x true",
         "unexpected key 'traget' in 'traget=/x' (did you mean target?)"},
        {"RUN --mount=type=cache true", "--mount: a cache mount needs a target"},
        {"RUN --mount=type=cache,target true", "invalid field 'target' must be a key=value pair"},
        {"RUN --mount=type=bind,target=/x,mode=0600 true", "--mount: a bind mount has no mode"},
        {"RUN --mount=type=tmpfs,target=/x,size=much true",
         "--mount: invalid value for size: much; expected a size such as 64m"},
        {"RUN --mount=type=secret true", "--mount: a secret mount needs an id or a target"},
        {"RUN --mount=type=cache,target=/x,sharing=all true",
         "unsupported sharing value \"all\" (there are shared, private, locked)"},
        {"RUN --mount=type=cache,target=/x,mode=9 true",
         "--mount: invalid value for mode: 9; expected an octal number"},
        {"RUN --mount=type=ssh true",
         "--mount=type=ssh: agents are not forwarded into builds; give the key as a secret: "
         "--mount=type=secret,id=..."},
        {"RUN --mount=from=$A,target=/x true",
         "'from' doesn't support variable expansion, define alias stage instead"},
        {"RUN --mount='type=bind,\"x' true", "--mount=type=bind,\"x: a quote is not closed"},
        {"RUN --network=bridge true",
         "invalid network mode \"bridge\"; there are default, none and host"},
        {"RUN --network=none --network=host true", "duplicate flag specified: --network"},
        {"RUN --security=none true",
         "security \"none\" is not valid; there are sandbox and insecure"},
        {"RUN --device=gpu true", "--device: devices are not given to builds"},
        {"RUN <<EOF\ntrue\n", "unterminated heredoc: no line is just \"EOF\""},
        {"COPY a",
         "COPY requires at least two arguments, but only one was provided. Destination could not "
         "be determined"},
        {"COPY --form=x a b", "unknown flag: --form (did you mean --from?)"},
        {"COPY --checksum=x a b",
         "unknown flag: --checksum (there are --from, --chown, --chmod, --link, --parents, "
         "--exclude)"},
        {"COPY --link=yes a b", "expecting boolean value for flag --link, not: yes"},
        {"COPY --link= a b", "missing a value on flag: --link"},
        {"COPY a <<EOF\nEOF", "COPY cannot accept a heredoc as a destination"},
        {"COPY << EOF /x\nEOF",
         "COPY: a heredoc is written as one word, without spaces or quotes before its name's end: "
         "<<EOF"},
        {"COPY <<../x /y\n../x", "COPY: a heredoc's name is the file's: not a file name: \"../x\""},
        {"ADD --keep-git-dir a b",
         "--keep-git-dir: ADD takes no git repositories; clone in a RUN, or before the build"},
        {"ENV", "ENV requires at least one argument"},
        {"ENV A", "ENV must have two arguments: ENV NAME=VALUE ..."},
        {"ENV A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value"},
        {"ENV =1", "ENV names can not be blank"},
        {"ENV --x=1", "unknown flag: --x (this instruction has none)"},
        {"LABEL a=1 =2", "LABEL names can not be blank"},
        {"ARG", "ARG requires at least one argument"},
        {"ARG =x", "ARG names can not be blank"},
        {"CMD", "CMD requires at least one argument"},
        {"ENTRYPOINT", "ENTRYPOINT requires at least one argument"},
        {"EXPOSE", "EXPOSE requires at least one argument"},
        {"WORKDIR", "WORKDIR requires exactly one argument"},
        {"USER", "USER requires exactly one argument"},
        {"STOPSIGNAL", "STOPSIGNAL requires exactly one argument"},
        {"MAINTAINER", "MAINTAINER requires exactly one argument"},
        {"VOLUME", "VOLUME requires at least one argument"},
        {"VOLUME [\"\"]", "VOLUME specified can not be an empty string"},
        {"SHELL", "SHELL requires at least one argument"},
        {"SHELL []", "SHELL requires at least one argument"},
        {"SHELL /bin/sh -c",
         "SHELL requires the arguments to be in JSON form: SHELL [\"/bin/sh\", \"-c\"]"},
        {"HEALTHCHECK", "HEALTHCHECK requires at least one argument"},
        {"HEALTHCHECK curl x", "Unknown type \"curl\" in HEALTHCHECK (try CMD)"},
        {"HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"},
        {"HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD"},
        {"HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"},
        {"HEALTHCHECK --interval=soon CMD x",
         "--interval: invalid duration \"soon\"; expected one such as 30s or 1m30s"},
        {"HEALTHCHECK --interval=1us CMD x", "Interval \"interval\" cannot be less than 1ms"},
        {"HEALTHCHECK --retries=x CMD x", "--retries: \"x\" is no number"},
        {"HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"},
        {"HEALTHCHECK --retires=1 CMD x", "unknown flag: --retires (did you mean --retries?)"},
        {"ONBUILD", "ONBUILD requires at least one argument"},
        {"ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
        {"ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"},
        {"ONBUILD MAINTAINER x", "MAINTAINER isn't allowed as an ONBUILD trigger"},
        {"ONBUILD COPY x",
         "COPY requires at least two arguments, but only one was provided. Destination could not "
         "be determined"},
        {"ONBUILD RNU x", "unknown instruction: RNU (did you mean RUN?)"},
        {"FROM", "FROM requires either one or three arguments: FROM IMAGE [AS NAME]"},
        {"FROM a b", "FROM requires either one or three arguments: FROM IMAGE [AS NAME]"},
        {"FROM a as 1x",
         "invalid name for build stage: \"1x\", name can't start with a number or contain symbols"},
        {"FROM --platfrom=x a", "unknown flag: --platfrom (did you mean --platform?)"},
    }));
    CAPTURE(one.text);
    CHECK(fault("FROM scratch\n\n" + one.text) == "Dockerfile:3: " + one.message);
}

TEST_CASE("a Dockerfile without a stage is refused", "[build][dockerfile]") {
    CHECK(fault("") == "Dockerfile: file with no instructions");
    CHECK(fault("# only\n\n  # comments\n") == "Dockerfile: file with no instructions");
    CHECK(fault("ARG A=1\n") == "Dockerfile: no FROM: there is no stage to build");
    CHECK(fault("ARG A\nRUN true") ==
          "Dockerfile:2: RUN stands before the first FROM, where only ARG may be");
    CHECK(fault("# escape=x\nFROM scratch") ==
          "Dockerfile:1: invalid escape token 'x' does not match ` or \\");
    CHECK(fault("# escape=`\n#escape=`\nFROM scratch") ==
          "Dockerfile:2: only one escape parser directive can be used");
    auto const large = parse_dockerfile(std::string((16U << 20U) + 1, '#'), "Dockerfile");
    REQUIRE_FALSE(large.has_value());
    CHECK(large.error().code == Errno::e2big);
}

TEST_CASE("variables are replaced where the language does so", "[build][dockerfile]") {
    struct Case {
        std::string line;
        std::string result;
    };
    auto const one = GENERATE(values<Case>({
        {"ENV X=$A Y=\"$A\" $PORT=1", "ENV \"X\"=\"one two\" \"Y\"=\"one two\" \"8080\"=\"1\"\n"},
        {"ENV X $A", "ENV \"X\"=\"one two\" (spaced)\n"},
        {"LABEL $A=$A", "LABEL \"one two\"=\"one two\"\n"},
        {"ARG X=$A", "ARG \"X\"=\"$A\"\n"},
        {"COPY --chown=$A --chmod=$A --from=$A --exclude=$A $A/x /$A",
         "COPY \"one two/x\" -> \"/one two\" chown=\"one two\" chmod=\"one two\" exclude=\"$A\" "
         "from=\"$A\"\n"},
        {"ADD --checksum=$A x /$PORT", "ADD \"x\" -> \"/8080\" checksum=\"one two\"\n"},
        {"COPY <<-EOF <<'RAW' /x\n\t$A\nEOF\n$A\nRAW",
         "COPY <<\"EOF\"(raw):\"one two\\n\" <<\"RAW\"(raw):\"$A\\n\" -> \"/x\"\n"},
        {"WORKDIR /$PORT", "WORKDIR \"/8080\"\n"},
        {"USER \"$A\"", "USER \"one two\"\n"},
        {"STOPSIGNAL $PORT", "STOPSIGNAL \"8080\"\n"},
        {"VOLUME /a $A", "VOLUME \"/a\" \"one two\"\n"},
        {"EXPOSE $PORT 53/udp 8000-8002", "EXPOSE \"8080/tcp\" \"53/udp\" \"8000/tcp\" "
                                          "\"8001/tcp\" \"8002/tcp\"\n"},
        {"EXPOSE ${A}", "invalid containerPort: one; expected PORT[-PORT][/PROTOCOL]"},
        {"EXPOSE 1-", "invalid containerPort: 1-; expected PORT[-PORT][/PROTOCOL]"},
        {"EXPOSE 70000", "invalid containerPort: 70000; expected PORT[-PORT][/PROTOCOL]"},
        {"EXPOSE 9-8", "invalid range of ports: 9-8"},
        {"EXPOSE 80/http", "invalid proto: http in 80/http; there are tcp, udp and sctp"},
        {"RUN echo $A", "RUN shell \"echo $A\"\n"},
        {"CMD echo $A", "CMD shell \"echo $A\"\n"},
        {"HEALTHCHECK CMD echo $A", "HEALTHCHECK shell \"echo $A\"\n"},
        {"RUN --mount=type=$TYPE,target=/$PORT,uid=$PORT true",
         "RUN shell \"true\"\n        mount type=\"$TYPE\" target=\"/$PORT\" uid=\"$PORT\"\n"
         "        planned cache target=\"/8080\" id=\"/8080\" rw uid=8080\n"},
        {"RUN --mount=type=$PORT,target=/x true",
         "unsupported mount type \"8080\" (there are bind, cache, tmpfs, secret)"},
        {"RUN --mount=type=secret,id=npm.rc,required true",
         "RUN shell \"true\"\n        mount type=\"secret\" id=\"npm.rc\" required\n"
         "        planned secret target=\"/run/secrets/npm.rc\" id=\"npm.rc\" ro required\n"},
        {"WORKDIR ${NOT:?is needed}", "NOT: is needed"},
    }));
    CAPTURE(one.line);
    CHECK(expanded(one.line) == one.result);
}

TEST_CASE("FROM takes variables in its image and platform", "[build][dockerfile]") {
    auto const from = expand(From{.image = "${X:-debian}:$PORT", .name = {}, .platform = "$PORT"},
                             '\\', value_of);
    REQUIRE(from.has_value());
    CHECK(from->image == "debian:8080");
    CHECK(from->platform == "8080");
    CHECK_FALSE(
        expand(From{.image = "$X", .name = {}, .platform = {}}, '\\', value_of).has_value());
}

TEST_CASE("a trigger is one instruction, also with a heredoc", "[build][dockerfile]") {
    auto const copy = parse_trigger("COPY . /src");
    REQUIRE(copy.has_value());
    CHECK(tests::describe(*copy) == "2: \"COPY . /src\"\n    COPY \".\" -> \"/src\"\n");

    auto const outer = parse_dockerfile("FROM a\nONBUILD RUN <<EOF\ntrue\nEOF\n", "Dockerfile");
    REQUIRE(outer.has_value());
    auto const& onbuild = std::get<Onbuild>(outer->stages[0].instructions.at(0).what);
    auto const run = parse_trigger(onbuild.trigger);
    REQUIRE(run.has_value());
    CHECK(std::get<Run>(run->what).command.words == std::vector<std::string>{"true\n"});

    CHECK_FALSE(parse_trigger("RUN a\nRUN b").has_value());
    CHECK_FALSE(parse_trigger("FROM a").has_value());
    CHECK_FALSE(parse_trigger("").has_value());
}

// SPDX-License-Identifier: MIT
// Contexts as folders and as tars, with what hostile ones try.
#include "tools/build/context/context.h"

#include "store/base/sys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace oblea;
using namespace oblea::tools::build;
using store::RelPath;

namespace {

using Names = std::vector<std::string>;

class ContextTest {
public:
    [[nodiscard]] std::string operator/(std::string const& name) const { return dir_ / name; }

    void write(std::string const& name, std::string const& text) {
        std::string const path = dir_ / ("c/" + name);
        REQUIRE(base::sys::mkdir_all(path.substr(0, path.find_last_of('/')), 0755).has_value());
        std::ofstream(path, std::ios::binary) << text;
    }
    void link(std::string const& name, std::string const& target) {
        REQUIRE(::symlink(target.c_str(), (dir_ / ("c/" + name)).c_str()) == 0);
    }

    Result<BuildContext> open(std::optional<std::string> dockerfile = std::nullopt) {
        return open_context(store_, {.context = dir_ / "c", .dockerfile = std::move(dockerfile)});
    }

    // Of standard input.
    Result<BuildContext> open_input(std::string const& file,
                                    std::optional<std::string> dockerfile = std::nullopt) {
        auto const input = base::sys::open(file, O_RDONLY);
        REQUIRE(input.has_value());
        return open_context(
            store_,
            {.context = "-", .dockerfile = std::move(dockerfile), .standard_input = input->get()});
    }

    // A tar of the folder, made by tar(1) with these options; its path.
    std::string tar(std::string const& options) {
        std::string const file = dir_ / "context.tar";
        std::string const command =
            "tar -C '" + (dir_ / "c") + "' -cf '" + file + "' " + options + " .";
        REQUIRE(std::system(command.c_str()) == 0);
        return file;
    }

private:
    test::TempDir dir_;
    store::Store store_ =
        store::Store::open(dir_ / "store", store::Store::Create::if_missing).value();
};

RelPath path(std::string_view text) {
    return RelPath::parse(text).value();
}

Names all_below(SourceTree const& files, RelPath const& folder = {}) {
    Names result;
    auto const names = files.list(folder);
    REQUIRE(names.has_value());
    for (std::string const& name : *names) {
        RelPath const one = folder / store::Name::parse(name).value();
        auto const node = files.look(one);
        REQUIRE(node.has_value());
        if (!node->has_value()) {
            continue;
        }
        result.push_back(one.string());
        if ((*node)->attr.type == store::FileType::directory) {
            Names const below = all_below(files, one);
            result.insert(result.end(), below.begin(), below.end());
        }
    }
    return result;
}

std::string text_of(SourceTree const& files, std::string_view name) {
    auto const source = files.open(path(name));
    REQUIRE(source.has_value());
    base::Bytes buffer(1000);
    auto const count = base::read_full(**source, buffer);
    REQUIRE(count.has_value());
    return std::string{base::text_of(base::ByteView{buffer}.first(*count))};
}

std::string followed(SourceTree const& files, std::string_view name) {
    auto const place = files.follow(path(name));
    if (!place.has_value()) {
        return "error " + place.error().detail;
    }
    return place->has_value() ? "/" + (*place)->string() : "nothing";
}

std::string fault(Result<BuildContext> const& opened) {
    REQUIRE_FALSE(opened.has_value());
    return opened.error().message();
}

}  // namespace

TEST_CASE("a context has its files without what is left out", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write(".dockerignore", "# comment\n*.o\nbuild\n!build/keep/**\ndeep/**\n!deep/a/b/c\n");
    context.write("a.c", "a");
    context.write("a.o", "o");
    context.write("sub/b.o", "kept: the pattern is for the top");
    context.write("build/out", "");
    context.write("build/keep/x", "x");
    context.write("build/empty/y", "");
    context.write("deep/a/b/c", "");
    context.write("deep/a/b/d", "");

    SECTION("of a folder") {
        auto const opened = context.open();
        REQUIRE(opened.has_value());
        CHECK(opened->dockerfile == "FROM x\n");
        CHECK(opened->dockerfile_name == "Dockerfile");
        CHECK(all_below(*opened->files) == Names{".dockerignore", "Dockerfile", "a.c", "build",
                                                 "build/keep", "build/keep/x", "deep", "deep/a",
                                                 "deep/a/b", "deep/a/b/c", "sub", "sub/b.o"});
        CHECK(text_of(*opened->files, "a.c") == "a");
    }
    SECTION("of a tar, however it is compressed") {
        auto const options = GENERATE(as<std::string>{}, "", "-z", "-J", "-j", "--zstd",
                                      "--format=v7", "--format=posix");
        CAPTURE(options);
        auto const opened = context.open_input(context.tar(options));
        REQUIRE(opened.has_value());
        CHECK(opened->dockerfile == "FROM x\n");
        CHECK(all_below(*opened->files) == Names{".dockerignore", "Dockerfile", "a.c", "build",
                                                 "build/keep", "build/keep/x", "deep", "deep/a",
                                                 "deep/a/b", "deep/a/b/c", "sub", "sub/b.o"});
        CHECK(text_of(*opened->files, "a.c") == "a");
    }
}

TEST_CASE("a Dockerfile that is left out is read all the same", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write(".dockerignore", "Dockerfile\n.dockerignore\n");
    context.write("a", "");
    auto const opened = context.open();
    REQUIRE(opened.has_value());
    CHECK(opened->dockerfile == "FROM x\n");
    CHECK(all_below(*opened->files) == Names{"a"});
}

TEST_CASE("the ignore file beside the Dockerfile counts before the context's", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write("Dockerfile.dockerignore", "*\n!a\n");
    context.write(".dockerignore", "a\n");
    context.write("a", "");
    context.write("b", "");
    auto const opened = context.open();
    REQUIRE(opened.has_value());
    CHECK(all_below(*opened->files) == Names{"a"});

    context.write("../elsewhere/Other", "FROM y\n");
    auto const other = context.open(context / "elsewhere/Other");
    REQUIRE(other.has_value());
    CHECK(other->dockerfile == "FROM y\n");
    CHECK(other->dockerfile_name == context / "elsewhere/Other");
    CHECK(all_below(*other->files) ==
          Names{".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "b"});

    context.write("../elsewhere/Other.dockerignore", "**\n!b\n");
    auto const third = context.open(context / "elsewhere/Other");
    REQUIRE(third.has_value());
    CHECK(all_below(*third->files) == Names{"b"});
}

TEST_CASE("links are followed with the context as the root", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write("real/file", "f");
    context.write("../outside", "secret");
    context.write(".dockerignore", "hidden\n");
    context.write("hidden", "");
    context.link("folder", "real");
    context.link("absolute", "/real/file");
    context.link("out", "../outside");
    context.link("far", "../../../../../../../../../etc/passwd");
    context.link("loop", "loop");
    context.link("dangling", "nowhere");
    context.link("to_hidden", "hidden");
    context.link("through_file", "real/file/x");

    auto check = [](SourceTree const& files) {
        CHECK(followed(files, "folder/file") == "/real/file");
        CHECK(followed(files, "folder") == "/real");
        CHECK(followed(files, "absolute") == "/real/file");
        CHECK(followed(files, "out") == "nothing");
        CHECK(followed(files, "far") == "nothing");
        CHECK(followed(files, "dangling") == "nothing");
        CHECK(followed(files, "to_hidden") == "nothing");
        CHECK(followed(files, "through_file") == "nothing");
        CHECK(followed(files, "loop") == "error \"loop\"");
        CHECK(followed(files, "") == "/");
        auto const node = files.look(path("absolute"));
        REQUIRE(node.has_value());
        REQUIRE(node->has_value());
        CHECK((*node)->link_target == "/real/file");
        CHECK_FALSE(files.look(path("folder/file"))->has_value());
        CHECK_FALSE(files.open(path("out")).has_value());
        CHECK_FALSE(files.open(path("folder/file")).has_value());
    };
    check(*context.open()->files);
    check(*context.open_input(context.tar(""))->files);
}

TEST_CASE("a Dockerfile or an ignore file that leads out of the context is not there",
          "[build][context]") {
    ContextTest context;
    context.write("../outside", "FROM x\n");
    context.write("a", "");
    context.link("Dockerfile", "../outside");
    CHECK(fault(context.open()) == "failed to read dockerfile: open Dockerfile: no such file or "
                                   "directory; -f names another one");
    CHECK(context.open(context / "c/Dockerfile").has_value());  // what the user names is the user's
    context.link(".dockerignore", "/etc/passwd");
    CHECK(all_below(*context.open(context / "outside")->files) ==
          Names{".dockerignore", "Dockerfile", "a"});
}

TEST_CASE("fifos, sockets and devices neither block nor break a context", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    REQUIRE(::mkfifo((context / "c/fifo").c_str(), 0600) == 0);
    REQUIRE(::mkfifo((context / "c/.dockerignore").c_str(), 0600) == 0);
    CHECK(fault(context.open()) == "\".dockerignore\" is no regular file");
    REQUIRE(::unlink((context / "c/.dockerignore").c_str()) == 0);

    int const server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    base::UniqueFd const close_it{server};
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::string const socket = context / "c/s";
    REQUIRE(socket.size() < sizeof(address.sun_path));
    socket.copy(address.sun_path, socket.size());
    REQUIRE(::bind(server, reinterpret_cast<sockaddr const*>(&address), sizeof(address)) == 0);

    auto const opened = context.open();
    REQUIRE(opened.has_value());
    CHECK(all_below(*opened->files) == Names{"Dockerfile", "fifo"});
    CHECK_FALSE(opened->files->look(path("s"))->has_value());
    CHECK_FALSE(opened->files->open(path("fifo")).has_value());

    context.link("loop", "loop");
    REQUIRE(::unlink((context / "c/Dockerfile").c_str()) == 0);
    REQUIRE(::mkfifo((context / "c/Dockerfile").c_str(), 0600) == 0);
    CHECK(fault(context.open()) == "\"Dockerfile\" is no regular file");
}

TEST_CASE("a folder that is swapped for a link meanwhile leads nowhere", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write("sub/a", "");
    context.write("../outside/a", "secret");
    auto const opened = context.open();
    REQUIRE(opened.has_value());
    REQUIRE(::rename((context / "c/sub").c_str(), (context / "c/old").c_str()) == 0);
    context.link("sub", "../outside");
    CHECK_FALSE(opened->files->open(path("sub/a")).has_value());
    CHECK_FALSE(opened->files->look(path("sub/a"))->has_value());
    CHECK_FALSE(opened->files->list(path("sub")).has_value());
}

TEST_CASE("standard input may be just a Dockerfile", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\nRUN true\n");
    auto const opened = context.open_input(context / "c/Dockerfile");
    REQUIRE(opened.has_value());
    CHECK(opened->dockerfile == "FROM x\nRUN true\n");
    CHECK(all_below(*opened->files).empty());
    CHECK(followed(*opened->files, "a") == "nothing");
    CHECK(fault(context.open_input(context / "c/Dockerfile", "x")) ==
          "standard input has a Dockerfile and not the context that -f is to be found in");
    CHECK(fault(context.open_input(context / "c/Dockerfile", "-")) ==
          "can't use stdin for both build context and dockerfile");
}

TEST_CASE("the Dockerfile of a folder may come over standard input", "[build][context]") {
    ContextTest context;
    context.write("input", "FROM y\n");
    context.write(".dockerignore", "input");
    auto const input = base::sys::open(context / "c/input", O_RDONLY);
    REQUIRE(input.has_value());
    auto const store = store::Store::open(context / "s", store::Store::Create::if_missing).value();
    auto const opened = open_context(
        store, {.context = context / "c", .dockerfile = "-", .standard_input = input->get()});
    REQUIRE(opened.has_value());
    CHECK(opened->dockerfile == "FROM y\n");
    CHECK(all_below(*opened->files) == Names{".dockerignore"});
}

TEST_CASE("the Dockerfile of a tar is one of its members", "[build][context]") {
    ContextTest context;
    context.write("docker/Other", "FROM z\n");
    auto const opened = context.open_input(context.tar(""), "docker/Other");
    REQUIRE(opened.has_value());
    CHECK(opened->dockerfile == "FROM z\n");
    CHECK(fault(context.open_input(context.tar(""))) ==
          "failed to read dockerfile: open Dockerfile: no such file or directory; -f names another "
          "one");
}

TEST_CASE("hostile tars are refused by the member's name", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write("a", "a");
    context.link("l", "/etc");
    struct Case {
        std::string options;
        std::string message;
    };
    auto const one = GENERATE(values<Case>({
        {"-P --transform='s,^./a$,../../a,'", "the context: member \"../../a\": "},
        {"--transform='s,^./a$,l/a,'",
         "the context: member \"l/a\": it lies in \"l\", which is no folder"},
    }));
    CAPTURE(one.options);
    CHECK(fault(context.open_input(context.tar(one.options))).starts_with(one.message));
}

TEST_CASE("a tar that is cut off or damaged is refused", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write("big", std::string(100000, 'x'));
    std::string const file = context.tar("");
    REQUIRE(::truncate(file.c_str(), 50000) == 0);
    CHECK(fault(context.open_input(file)).starts_with("the context: "));
    std::string const compressed = context.tar("-z");
    REQUIRE(::truncate(compressed.c_str(), 100) == 0);
    CHECK(fault(context.open_input(compressed)).starts_with("the context: "));
}

TEST_CASE("hard links of a context are one file, by folder and by tar", "[build][context]") {
    ContextTest context;
    context.write("Dockerfile", "FROM x\n");
    context.write("a", "same");
    REQUIRE(::link((context / "c/a").c_str(), (context / "c/b").c_str()) == 0);
    auto check = [](SourceTree const& files) {
        auto const a = files.look(path("a"));
        auto const b = files.look(path("b"));
        CHECK((*a)->link_id != 0);
        CHECK((*a)->link_id == (*b)->link_id);
        CHECK((*files.look(path("Dockerfile")))->link_id == 0);
        CHECK(text_of(files, "b") == "same");
    };
    check(*context.open()->files);
    check(*context.open_input(context.tar(""))->files);
}

TEST_CASE("what is no context is named", "[build][context]") {
    ContextTest context;
    context.write("file", "");
    context.write(".dockerignore", "[");
    auto const store = store::Store::open(context / "s", store::Store::Create::if_missing).value();
    CHECK(fault(open_context(store, {.context = context / "none", .dockerfile = {}})) ==
          "unable to prepare context: path \"" + (context / "none") + "\" not found");
    CHECK(fault(open_context(store, {.context = context / "c/file", .dockerfile = {}})) ==
          "unable to prepare context: " + (context / "c/file") + ": open: Not a directory");
    CHECK(fault(open_context(store, {.context = "https://example.org/x.git", .dockerfile = {}})) ==
          "unable to prepare context: https://example.org/x.git is not a folder; clone or download "
          "it first, or pipe a tar of it into: build -");
    CHECK(fault(context.open(context / "none")).starts_with("failed to read dockerfile: open "));
    CHECK(fault(context.open(context / "c/file")) ==
          ".dockerignore: pattern \"[\": a \"[\" is not closed");
}

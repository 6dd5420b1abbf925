// SPDX-License-Identifier: MIT
// What people run in containers: interpreters and compilers, archives, version control.
#include "bench/host_programs.h"
#include "bench/suites/suites.h"
#include "store/base/sys.h"

#include <fmt/core.h>
#include <unistd.h>

namespace oblea::bench {
namespace {

namespace sys = base::sys;
using enum Step::Cache;
using Command = std::vector<std::string>;

bool has(Bench& bench, std::string const& program) {
    bool const found = !find_program(program).empty();
    if (!found) {
        bench.results().note(program + " is not installed: what takes it is left out");
    }
    return found;
}

// --- programs of the image, started in it ---

constexpr char const* kImports = "import argparse, json, email.parser";

struct Started {
    std::string name;
    std::vector<std::string> files;  // the program first
    Command arguments;
};

Result<std::vector<Started>> started(Bench& bench) {
    std::vector<Started> programs;
    if (has(bench, "python3")) {
        auto files = OBLEA_TRY(files_of_python(kImports));
        programs.push_back({"python3", std::move(files), {"-I", "-B", "-c", kImports}});
    }
    if (bench.settings().size != Settings::Size::tiny && has(bench, "gcc")) {
        auto files = OBLEA_TRY(files_of_c_compiler());
        programs.push_back({"gcc", std::move(files), {"-S", "-o", "-", "/hello.c"}});
    }
    return programs;
}

Status fill_with(std::string const& root, std::vector<Started> const& programs) {
    for (Started const& program : programs) {
        OBLEA_TRY(copy_below(root, program.files));
    }
    return sys::replace_file(AT_FDCWD, (root + "/hello.c").c_str(),
                             "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n",
                             0644, sys::Sync::no);
}

Step start_of(Started const& program, Step::Cache cache) {
    return {.name = fmt::format("{} started in a chroot, {}", program.name,
                                cache == cold ? "caches dropped" : "warm"),
            .cache = cache,
            .work = [program](std::string const& root) {
                Command command{"chroot", root, program.files.front()};
                command.insert(command.end(), program.arguments.begin(), program.arguments.end());
                return run(command);
            }};
}

Status start_programs(Bench& bench) {
    if (::geteuid() != 0) {
        bench.results().note("no program is started in a chroot: that takes root");
        return {};
    }
    auto const programs = OBLEA_TRY(started(bench));
    std::vector<Step> steps;
    for (Started const& program : programs) {
        steps.push_back(start_of(program, cold));
        steps.push_back(start_of(program, warm));
    }
    TreeSpec const spec{.layers = 2,
                        .more = [&](std::string const& root) { return fill_with(root, programs); }};
    return bench.run_steps({"programs", "", 0}, spec, Use::reading, steps);
}

// --- programs of this machine, at work in it ---

// Outside of what is measured: an archive and a repository of as many files.
struct Material {
    std::string archive, repository;
};

Status write_sources(std::string const& folder, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        std::string const below = fmt::format("{}/part-{:03}", folder, i / 50);
        OBLEA_TRY(sys::mkdirat_if_missing(AT_FDCWD, below.c_str(), 0755));
        std::string const text = fmt::format("line of file {}\n", i);
        std::string all;
        for (unsigned line = 0; line < 50 + i % 100; ++line) {
            all += text;
        }
        OBLEA_TRY(sys::replace_file(AT_FDCWD, fmt::format("{}/file-{:05}.txt", below, i).c_str(),
                                    all, 0644, sys::Sync::no));
    }
    return {};
}

Result<Material> make_material(Bench& bench, bool with_git) {
    std::string const folder = OBLEA_TRY(bench.space().fresh_folder("material"));
    Material material{.archive = folder + "/files.tar", .repository = folder + "/repository"};
    OBLEA_TRY(sys::mkdirat(AT_FDCWD, material.repository.c_str(), 0755));
    unsigned const count = bench.settings().by_size(50U, 2'000U, 10'000U);
    OBLEA_TRY(write_sources(material.repository, count));
    OBLEA_TRY(run({"tar", "-cf", material.archive, "-C", material.repository, "."}));
    if (with_git) {
        OBLEA_TRY(run({"git", "init", "-q", material.repository}));
        OBLEA_TRY(run({"git", "-C", material.repository, "add", "."}));
        OBLEA_TRY(run({"git", "-C", material.repository, "-c", "user.name=oblea", "-c",
                       "user.email=oblea@localhost", "-c", "gc.auto=0", "commit", "-q", "-m",
                       "everything"}));
    }
    return material;
}

// A program of a few sources that include what most do.
Status write_project(std::string const& root, unsigned sources) {
    std::string const folder = root + "/project";
    OBLEA_TRY(sys::mkdirat_if_missing(AT_FDCWD, folder.c_str(), 0755));
    std::string calls;
    auto const put = [&](std::string const& name, std::string const& text) {
        return sys::replace_file(AT_FDCWD, (folder + '/' + name).c_str(), text, 0644,
                                 sys::Sync::no);
    };
    for (unsigned i = 0; i < sources; ++i) {
        OBLEA_TRY(put(fmt::format("part{}.cc", i),
                      fmt::format("#include <map>\n#include <string>\n#include <vector>\n"
                                  "int part{0}() {{ std::map<std::string, std::vector<int>> all; "
                                  "all[\"x\"].push_back({0}); return all[\"x\"].front(); }}\n",
                                  i)));
        calls += fmt::format("int part{}();\n", i);
    }
    return put("main.cc", calls + "int main() { return part0(); }\n");
}

Step step(std::string name, Step::Cache cache, std::function<Command(std::string const&)> command) {
    return {.name = std::move(name),
            .cache = cache,
            .work = [command = std::move(command)](std::string const& root) {
                return run(command(root));
            }};
}

Status work_with_files(Bench& bench) {
    bool const with_git = has(bench, "git");
    Material const material = OBLEA_TRY(make_material(bench, with_git));
    unsigned const lower = bench.settings().by_size(20U, 1'000U, 10'000U);
    std::vector<Step> steps;
    Step untar = step("untar of many small files", as_is, [&](std::string const& root) {
        return Command{"tar", "-xf", material.archive, "-C", root + "/new"};
    });
    untar.before = [](std::string const& root) {
        return sys::mkdirat_if_missing(AT_FDCWD, (root + "/new").c_str(), 0755);
    };
    steps.push_back(std::move(untar));
    steps.push_back(step("rm -rf of what was just made", as_is, [](std::string const& root) {
        return Command{"rm", "-rf", root + "/new"};
    }));
    steps.push_back(step("rm -rf of a tree of the image", as_is, [](std::string const& root) {
        return Command{"sh", "-c", "rm -rf \"$1\"/folder-*", "sh", root};
    }));
    if (with_git) {
        steps.push_back(step("git clone", as_is, [&](std::string const& root) {
            return Command{"git",          "clone", "-q", "--no-hardlinks", material.repository,
                           root + "/clone"};
        }));
        steps.push_back(step("git status, warm", warm, [](std::string const& root) {
            return Command{"git", "-C", root + "/clone", "status", "--porcelain"};
        }));
    }
    if (bench.settings().size != Settings::Size::tiny && has(bench, "g++")) {
        Step compile = step("a C++ program compiled", as_is, [](std::string const& root) {
            return Command{
                "sh", "-c",
                "cd \"$1/project\" && for f in *.cc; do g++ -c \"$f\" || exit 1; done && "
                "g++ -o program ./*.o",
                "sh", root};
        });
        unsigned const sources = bench.settings().by_size(1U, 2U, 8U);
        compile.before = [=](std::string const& root) { return write_project(root, sources); };
        steps.push_back(std::move(compile));
    }
    TreeSpec const spec{.layers = 4, .files = lower, .file_bytes = 100, .files_per_folder = 50};
    return bench.run_steps({"programs", "", 0}, spec, Use::changing, steps);
}

}  // namespace

Status run_programs(Bench& bench) {
    OBLEA_TRY(start_programs(bench));
    return work_with_files(bench);
}

}  // namespace oblea::bench

// SPDX-License-Identifier: MIT
#include "bench/host_programs.h"

#include "bench/workspace.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace oblea::bench {
namespace {

std::vector<std::string> words_of(std::string const& text) {
    std::istringstream stream{text};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    return words;
}

// ldd(1) writes "name => path (address)", or "path (address)" for the dynamic linker.
Status add_with_libraries(std::string const& program, std::vector<std::string>& paths) {
    paths.push_back(program);
    for (std::string const& word : words_of(OBLEA_TRY(output_of({"ldd", program})))) {
        if (word.starts_with('/')) {
            paths.push_back(word);
        }
    }
    return {};
}

}  // namespace

std::string find_program(std::string const& name) {
    char const* const path = std::getenv("PATH");
    std::istringstream folders{path != nullptr ? path : "/usr/bin:/bin"};
    for (std::string folder; std::getline(folders, folder, ':');) {
        std::string candidate = folder + '/' + name;
        if (::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return {};
}

Result<std::vector<std::string>> files_of_python(std::string const& imports) {
    // Its sources are looked for even where their compiled form is what is read.
    std::string const list = imports + "\nimport sys\nprint(sys.executable)\n"
                                       "for module in list(sys.modules.values()):\n"
                                       "    for name in ('__file__', '__cached__'):\n"
                                       "        print(getattr(module, name, None) or '')\n";
    std::vector<std::string> paths;
    for (std::string const& path : words_of(OBLEA_TRY(output_of({"python3", "-I", "-c", list})))) {
        bool const source = path.ends_with(".py") || path.ends_with(".pyc");
        if (!source) {
            OBLEA_TRY(add_with_libraries(path, paths));
        } else if (::access(path.c_str(), R_OK) == 0) {
            paths.push_back(path);
        }
    }
    return paths;
}

Result<std::vector<std::string>> files_of_c_compiler() {
    std::vector<std::string> paths;
    OBLEA_TRY(add_with_libraries(find_program("gcc"), paths));
    for (std::string const& compiler :
         words_of(OBLEA_TRY(output_of({"gcc", "-print-prog-name=cc1"})))) {
        OBLEA_TRY(add_with_libraries(compiler, paths));
    }
    // A rule for make(1): "stdio.o: header header \ header".
    std::string const headers =
        OBLEA_TRY(output_of({"gcc", "-M", "-x", "c", "-include", "stdio.h", "/dev/null"}));
    for (std::string const& word : words_of(headers)) {
        if (word.starts_with("/usr/")) {
            paths.push_back(word);
        }
    }
    return paths;
}

Status copy_below(std::string const& root, std::vector<std::string> const& paths) {
    std::vector<std::string> command{"sh", "-c",
                                     "root=$1 && shift && cd / && cp -L --preserve=mode,timestamps "
                                     "--parents -- \"$@\" \"$root\"",
                                     "sh", root};
    for (std::string const& path : paths) {
        command.push_back(path.substr(1));
    }
    return run(command);
}

}  // namespace oblea::bench

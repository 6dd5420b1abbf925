// SPDX-License-Identifier: MIT
#include "tools/mount/successor.h"

#include "fs/shared_memory.h"
#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/keep_serving.h"
#include "tools/mount/life_line.h"
#include "tools/mount/served_image.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <optional>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// No command: nobody is meant to type it.
constexpr char const* kWord = "adopt-mount";
constexpr char const* kCrashed = "after-a-crash";

std::optional<int> number_of(std::string const& word) {
    int value = -1;
    auto const [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    bool const whole = error == std::errc{} && end == word.data() + word.size();
    return whole && value > STDERR_FILENO ? std::optional{value} : std::nullopt;
}

Result<MountHandover> read_handover(int document) {
    auto const memory = OBLEA_TRY(fs::SharedMemory::adopt(base::UniqueFd{document}));
    auto const text = memory.as<char const>();
    return parse_handover({text.data(), text.size()});
}

}  // namespace

Result<std::string> program_of(std::string const& process) {
    constexpr std::string_view kDeleted = " (deleted)";
    std::string path = OBLEA_TRY(sys::readlinkat(AT_FDCWD, ("/proc/" + process + "/exe").c_str()));
    if (path.ends_with(kDeleted)) {
        path.resize(path.size() - kDeleted.size());
    }
    return path;
}

Error exec_successor(int program, int document, int report, fs::Server::Crashed crashed) {
    std::string const first = std::to_string(document);
    std::string const second = std::to_string(report);
    std::array<char const*, 6> words{"oblea",
                                     kWord,
                                     first.c_str(),
                                     second.c_str(),
                                     crashed == fs::Server::Crashed::yes ? kCrashed : nullptr,
                                     nullptr};
    ::fexecve(program, const_cast<char**>(words.data()), environ);  // NOLINT: exec changes none
    return {sys::last_errno(), "exec", "the new program"};
}

bool is_successor(std::vector<std::string> const& words) {
    return words.size() >= 4 && words[1] == kWord && number_of(words[2]).has_value() &&
           number_of(words[3]).has_value();
}

int run_successor(std::vector<std::string> const& words, AdoptStack const& adopt_stack) {
    Report report{base::UniqueFd{number_of(words[3]).value_or(-1)}};
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    StopSignals signals{Hangup::is_ignored};
    std::optional<store::Store> store;
    base::UniqueFd life;
    auto const adopted = [&]() -> Result<std::unique_ptr<ServedMount>> {
        MountHandover const handover = OBLEA_TRY(read_handover(number_of(words[2]).value_or(-1)));
        life.reset(handover.life);
        auto const crashed = words.size() > 4 && words[4] == kCrashed ? fs::Server::Crashed::yes
                                                                      : fs::Server::Crashed::no;
        auto const* const image = std::get_if<ImageHandover>(&handover.mounted);
        if (image == nullptr) {
            return adopt_stack(handover, crashed);
        }
        auto opened = OBLEA_TRY(store::Store::open(image->store, store::Store::Create::no));
        store.emplace(std::move(opened));
        return ServedImage::adopt(*store, handover, crashed);
    }();
    if (!adopted.has_value()) {
        report.failure(adopted.error());
        return 1;
    }
    log_end(hold_life_line(std::move(life)));
    // A holder that is gone has nobody else to serve its mount: go on all the same.
    static_cast<void>(report.success(OBLEA_VERSION));
    (*adopted)->serve_adopted(signals);
}

}  // namespace oblea::tools

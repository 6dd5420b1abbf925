// SPDX-License-Identifier: MIT
// The processes of a chroot: the caller waits for the keeper, which enters the namespaces, has the
// server and the command as children, and tidies up when the command has ended.
#include "tools/mount/chroot.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/chroot_keeper.h"

#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>

namespace oblea::tools {
namespace {

using nlohmann::json;

// Ctrl-C is for the command; whoever waits for it stays.
class KeyboardSignalsIgnored {
public:
    KeyboardSignalsIgnored() {
        struct sigaction ignore{};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGINT, &ignore, &interrupt_);
        ::sigaction(SIGQUIT, &ignore, &quit_);
    }
    KeyboardSignalsIgnored(KeyboardSignalsIgnored const&) = delete;
    KeyboardSignalsIgnored& operator=(KeyboardSignalsIgnored const&) = delete;
    ~KeyboardSignalsIgnored() {
        ::sigaction(SIGINT, &interrupt_, nullptr);
        ::sigaction(SIGQUIT, &quit_, nullptr);
    }

private:
    struct sigaction interrupt_{};
    struct sigaction quit_{};
};

std::string encode_result(ChrootResult const& result) {
    json const document = {{"exit_status", result.exit_status},
                           {"problem", result.problem},
                           {"kept", result.kept.value_or("")}};
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ChrootResult> parse_result(std::string const& text) {
    json const document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return fail(Errno::eio, "", "the result of the command cannot be read: " + text);
    }
    ChrootResult result{.exit_status = document.value("exit_status", 1),
                        .problem = document.value("problem", ""),
                        .kept = {}};
    if (std::string kept = document.value("kept", ""); !kept.empty()) {
        result.kept = std::move(kept);
    }
    return result;
}

Status check_request(ChrootRequest const& request) {
    bool const has_source = !request.source.image.empty() || !request.source.container.empty();
    if (has_source == !request.folder.empty()) {
        return fail(Errno::einval, "", "name either an image or a folder to run the command in");
    }
    return {};
}

}  // namespace

Result<ChrootResult> run_chroot(store::Store const& store, ChrootRequest const& request) {
    OBLEA_TRY(check_request(request));
    ChrootRequest complete = request;
    if (!request.folder.empty()) {
        std::error_code code;
        complete.folder = std::filesystem::canonical(request.folder, code).string();
        if (code) {
            return fail(Errno{code.value()}, "open", request.folder);
        }
    }
    store::StoreOptions const store_options = store.options();
    KeyboardSignalsIgnored const ignored;
    Child const keeper = OBLEA_TRY(start_child(Parentage::own, {}, [&](Report& report) {
        auto const result = keep_chroot(store_options, complete);
        if (!result.has_value()) {
            report.failure(result.error());
            return 1;
        }
        return report.success(encode_result(*result)).has_value() ? 0 : 1;
    }));
    OBLEA_TRY(wait_for_child(keeper.pid));
    return parse_result(keeper.report);
}

}  // namespace oblea::tools

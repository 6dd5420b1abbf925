// SPDX-License-Identifier: MIT
#include "tools/mount/mount_image.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/served_image.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

Result<std::string> absolute(std::string const& path) {
    std::error_code code;
    auto const full = std::filesystem::absolute(path, code);
    if (code) {
        return fail(Errno{code.value()}, "getcwd", path);
    }
    return full.string();
}

// Relative paths mean the caller's folder, which the server leaves.
Result<MountRequest> with_absolute_paths(MountRequest request) {
    request.mount_point = OBLEA_TRY(absolute(request.mount_point));
    if (!request.upper_dir.empty()) {
        request.upper_dir = OBLEA_TRY(absolute(request.upper_dir));
        while (request.upper_dir.size() > 1 && request.upper_dir.back() == '/') {
            request.upper_dir.pop_back();  // the work folder's name begins with it
        }
    }
    return request;
}

// A server keeps no folder busy, least of all one below its own mount, and creates files with
// exactly the permissions that it is asked for.
Status settle_process() {
    ::umask(0);
    return ::chdir("/") == 0 ? Status{} : Status{fail(sys::last_errno(), "chdir", "/")};
}

void log_end(Status const& ended) {
    if (!ended.has_value()) {
        fmt::print(stderr, "oblea: {}\n", ended.error().message());
    }
}

// The server in the background, after it has mounted.
int serve_in_background(ServedImage& served, Report& report) {
    auto const quiet = redirect_standard_streams(served.log());
    Status told = quiet.has_value() ? report.success(encode_mount(served.description())) : quiet;
    Status ran;
    if (told.has_value()) {
        ran = served.run(Hangup::is_ignored);
        log_end(ran);
    }
    auto const finished = served.finish();
    log_end(finished);
    return told.has_value() && ran.has_value() && finished.has_value() ? 0 : 1;
}

int run_server(std::string const& store_path, MountRequest const& request, Report& report) {
    auto const settled = settle_process();
    // The caller's store is of no use here: its descriptors are closed.
    auto const store = settled.has_value()
                           ? store::Store::open(store_path, store::Store::Create::no)
                           : Result<store::Store>{std::unexpected<Error>(settled.error())};
    if (!store.has_value()) {
        report.failure(store.error());
        return 1;
    }
    auto const served = ServedImage::open(*store, request);
    if (!served.has_value()) {
        report.failure(served.error());
        return 1;
    }
    return serve_in_background(**served, report);
}

}  // namespace

Result<MountInfo> mount_image(store::Store const& store, MountRequest const& request) {
    MountRequest const complete = OBLEA_TRY(with_absolute_paths(request));
    std::string const store_path = store.path();
    Child const server = OBLEA_TRY(start_child(Parentage::detached, -1, [&](Report& report) {
        return run_server(store_path, complete, report);
    }));
    auto mount = parse_encoded_mount(server.report);
    if (!mount) {
        return fail(Errno::eio, "", "the server's report cannot be read: " + server.report);
    }
    return std::move(mount->info);
}

Status serve_image(store::Store const& store, MountRequest const& request,
                   std::function<void(MountInfo const&)> const& mounted) {
    MountRequest const complete = OBLEA_TRY(with_absolute_paths(request));
    OBLEA_TRY(settle_process());
    auto const served = OBLEA_TRY(ServedImage::open(store, complete));
    mounted(served->description().info);
    auto const ran = served->run(Hangup::ends);
    auto finished = served->finish();
    return ran.has_value() ? finished : ran;
}

}  // namespace oblea::tools

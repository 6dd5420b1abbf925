// SPDX-License-Identifier: MIT
#include "tools/mount/mount_image.h"

#include "store/base/sys.h"
#include "tools/mount/background.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/serve_process.h"
#include "tools/mount/served_image.h"

#include <filesystem>
#include <fmt/core.h>

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

}  // namespace

Result<MountInfo> mount_image(store::Store const& store, MountRequest const& request) {
    MountRequest const complete = OBLEA_TRY(with_absolute_paths(request));
    store::StoreOptions const store_options = store.options();
    Child const server = OBLEA_TRY(start_child(Parentage::detached, {}, [&](Report& report) {
        return serve_and_report(store_options, complete, report);
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
    StopSignals signals{Hangup::ends};
    auto const served = OBLEA_TRY(ServedImage::open(store, complete));
    mounted(served->description().info);
    auto const ran = served->run(signals);
    auto finished = served->finish();
    return ran.has_value() ? finished : ran;
}

}  // namespace oblea::tools

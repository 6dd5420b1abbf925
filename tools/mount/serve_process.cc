// SPDX-License-Identifier: MIT
#include "tools/mount/serve_process.h"

#include "store/base/sys.h"
#include "tools/mount/served_image.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

// The server in the background, after it has mounted.
int serve_in_background(ServedImage& served, StopSignals& signals, Report& report) {
    auto const quiet = redirect_standard_streams(served.log());
    Status told = quiet.has_value() ? report.success(encode_mount(served.description())) : quiet;
    Status ran;
    if (told.has_value()) {
        ran = served.run(signals);
        log_end(ran);
    }
    auto const finished = served.finish();
    log_end(finished);
    return told.has_value() && ran.has_value() && finished.has_value() ? 0 : 1;
}

}  // namespace

Status settle_process() {
    ::umask(0);
    return ::chdir("/") == 0 ? Status{} : Status{fail(sys::last_errno(), "chdir", "/")};
}

int serve_and_report(store::StoreOptions const& store_options, MountRequest const& request,
                     Report& report) {
    StopSignals signals{Hangup::is_ignored};
    auto const settled = settle_process();
    // The caller's store is of no use here: its descriptors are closed.
    auto const store = settled.has_value()
                           ? store::Store::open(store_options, store::Store::Create::no)
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
    return serve_in_background(**served, signals, report);
}

}  // namespace oblea::tools

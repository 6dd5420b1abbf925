// SPDX-License-Identifier: MIT
// One mount and the processes that serve it: what mounts of images and of folders have in common.
//
// One process holds the mount and does nothing else; its children serve it, one after the other
// (keep_serving()). They come from this program, and from the first exchange on (kUpgradeSignal)
// from the one that is then in this program's file, by exec. One that cannot take over says why,
// and the mount goes on with the program that it had.
#pragma once
#include "fs/fuse/server.h"
#include "store/base/unique_fd.h"
#include "tools/mount/background.h"
#include "tools/mount/handover.h"
#include "tools/mount/keep_serving.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/stop_signals.h"

#include <memory>
#include <string>

namespace oblea::tools {

class ServedMount {
public:
    ServedMount() = default;
    ServedMount(ServedMount const&) = delete;
    ServedMount& operator=(ServedMount const&) = delete;
    virtual ~ServedMount() = default;

    [[nodiscard]] DescribedMount const& description() const { return description_; }

    // In the process that mounted: serves until unmounted, in children. It must have one thread.
    Status run(StopSignals& signals);
    // In the program that adopted the mount: serves until unmounted.
    [[noreturn]] void serve_adopted(StopSignals& signals);

protected:
    // Where those who look for mounts find the description of this one: replaces it.
    virtual Status publish(std::string const& description) = 0;
    // What another program needs of the mount beside its server.
    [[nodiscard]] virtual MountHandover handover() const = 0;
    // In the process that has served, when the mount is gone; not in one that could not take over.
    // Holder::gone: nobody else is left to tidy up.
    enum class Holder { lives, gone };
    virtual Status end_serving(Holder holder) = 0;

    // Adds what the server knows to the description, as the process that holds the mount, and
    // publishes it.
    Status describe();
    // After a handover: the description as the holder has it. Errors: EIO for none.
    Status adopt_description(std::string const& text);

    DescribedMount description_;
    // Whoever derives ends it before what it needs.
    std::unique_ptr<fs::Server> server_;

private:
    [[noreturn]] void serve(StopSignals& signals, Status resumed);
    Result<ServerProcess> start_server(StopSignals& signals, First first,
                                       fs::Server::Crashed crashed);
    // With what it says of itself.
    struct Successor {
        ServerProcess process;
        std::string version;
    };
    Result<Successor> start_successor(fs::Server::Crashed crashed);
    void load_program();
    // Only who looks at mounts misses it: told in the log.
    void publish_again();

    base::UniqueFd program_;  // that serves instead of this one
};

}  // namespace oblea::tools

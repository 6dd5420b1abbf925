// SPDX-License-Identifier: MIT
// One mount of an image in the process that serves it: from the lease to the tidying up.
#pragma once
#include "fs/fuse/server.h"
#include "tools/mount/background.h"
#include "tools/mount/handover.h"
#include "tools/mount/keep_serving.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/mount_info.h"
#include "tools/mount/stop_signals.h"

#include <memory>
#include <optional>
#include <string>

namespace oblea::tools {

class ServedImage {
public:
    // Takes the lease, resolves the source, opens the layers and mounts. An error leaves nothing:
    // no mount, no new container.
    static Result<std::unique_ptr<ServedImage>> open(store::Store const& store,
                                                     MountRequest const& request);

    // In another program than the one that mounted: what that one's holder hands over, the union
    // and the server resumed. An error leaves the mount as it is, for the holder to go on with.
    static Result<std::unique_ptr<ServedImage>>
    adopt(store::Store const& store, MountHandover const& handover, fs::Server::Crashed crashed);
    // After adopt(): serves until unmounted.
    [[noreturn]] void serve_adopted(StopSignals& signals);

    [[nodiscard]] DescribedMount const& description() const { return description_; }
    // Where messages go once there is no terminal.
    [[nodiscard]] int log() const { return log_.get(); }

    // Serves until unmounted, in child processes (keep_serving()). At kUpgradeSignal the next one,
    // and those after it, come from the program's file as it is then.
    Status run(StopSignals& signals);

    // After run(), or instead of it: unmounts, and drops the container if that is due.
    Status finish();

private:
    explicit ServedImage(store::Store const& store, MountRequest request, store::Lease lease)
        : store_(store), request_(std::move(request)), lease_(std::move(lease)) {}

    Status set_up();
    // Whether the container that was asked for was removed meanwhile.
    [[nodiscard]] bool has_lost_container() const;
    Status resolve();
    Status settle_container();
    Status open_log();
    [[nodiscard]] fs::UnionOptions union_options() const;
    [[nodiscard]] Result<std::shared_ptr<fs::LowerTree const>> open_lower() const;
    Result<std::unique_ptr<fs::UnionFs>> open_union();
    Result<std::unique_ptr<fs::UnionFs>> adopt_union();
    Status mount();
    Status describe();
    [[noreturn]] void serve(StopSignals& signals, First first, fs::Server::Crashed crashed);
    [[noreturn]] void serve_until_unmounted(StopSignals& signals, Status resumed);
    // A child that serves, forked from here or from another program.
    Result<pid_t> start_server(StopSignals& signals, First first, fs::Server::Crashed crashed);
    Result<Child> start_successor(fs::Server::Crashed crashed);
    void load_program();
    [[nodiscard]] MountHandover handover() const;
    [[nodiscard]] std::string upper_path() const;
    [[nodiscard]] std::string work_path() const;

    store::Store const& store_;
    MountRequest request_;
    store::Lease lease_;
    std::optional<store::Image> image_;
    std::string image_name_;
    std::vector<store::Digest> layers_;
    std::optional<Container> container_;
    using Made = MountHandover::Made;
    Made made_ = Made::before;
    OwnerIds owner_ids_ = OwnerIds::real;
    base::UniqueFd log_;
    std::unique_ptr<fs::Server> server_;
    std::optional<fs::UnionFs::MemoryDescriptors> memory_;
    base::UniqueFd program_;  // that serves instead of this one
    DescribedMount description_;
};

// The image's id for a source, and what is known of it; used by whoever needs its config too.
struct ResolvedSource {
    store::Digest image;
    std::string image_name;
    std::vector<store::Digest> layers;
    std::optional<store::Image> known;   // absent when only the container still knows the layers
    std::optional<Container> container;  // one that exists
};
// Errors: ENOENT for an unknown image or container, EEXIST when both are given and do not match.
Result<ResolvedSource> resolve_source(store::Store const& store, MountSource const& source);

}  // namespace oblea::tools

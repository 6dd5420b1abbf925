// SPDX-License-Identifier: MIT
// One mount of an image in the process that serves it: from the lease to the tidying up.
#pragma once
#include "tools/mount/handover.h"
#include "tools/mount/mount_image.h"
#include "tools/mount/served_mount.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace oblea::tools {

class ServedImage final : public ServedMount {
public:
    // Takes the lease, resolves the source, opens the layers and mounts. An error leaves nothing:
    // no mount, no new container.
    static Result<std::unique_ptr<ServedImage>> open(store::Store const& store,
                                                     MountRequest const& request);

    // In another program than the one that mounted: what that one's holder hands over, the union
    // and the server resumed. An error leaves the mount as it is, for the holder to go on with.
    static Result<std::unique_ptr<ServedMount>>
    adopt(store::Store const& store, MountHandover const& handover, fs::Server::Crashed crashed);
    ~ServedImage() override;

    // Where messages go once there is no terminal.
    [[nodiscard]] int log() const { return log_.get(); }

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
    void describe_image();
    Status publish(std::string const& description) override;
    [[nodiscard]] MountHandover handover() const override;
    Status end_serving(Holder holder) override;
    [[nodiscard]] std::string upper_path() const;
    [[nodiscard]] std::string work_path() const;

    store::Store const& store_;
    MountRequest request_;
    store::Lease lease_;
    std::optional<store::Image> image_;
    std::string image_name_;
    std::vector<store::Digest> layers_;
    std::optional<Container> container_;
    using Made = ImageHandover::Made;
    Made made_ = Made::before;
    OwnerIds owner_ids_ = OwnerIds::real;
    base::UniqueFd log_;
    std::optional<fs::UnionFs::MemoryDescriptors> memory_;
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

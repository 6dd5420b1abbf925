// SPDX-License-Identifier: MIT
// One mount of a stack of folders in the process that serves it: from the folders to the sealed
// upper.
#pragma once
#include "tools/mount/mount_notice.h"
#include "tools/mount/served_mount.h"
#include "tools/overlay/overlay_options.h"
#include "tools/overlay/upper_folders.h"

#include <memory>
#include <optional>
#include <string>

namespace oblea::tools {

class ServedOverlay final : public ServedMount {
public:
    // Mounts. The paths are absolute and without links; options.upper is empty for a read-only
    // mount.
    static Result<std::unique_ptr<ServedOverlay>> open(OverlayOptions options,
                                                       std::string const& mount_point);
    // In another program than the one that mounted; the handover is that of a stack. An error
    // leaves the mount as it is, for the holder to go on with.
    static Result<std::unique_ptr<ServedMount>> adopt(MountHandover const& handover,
                                                      fs::Server::Crashed crashed);
    ~ServedOverlay() override;

    // Instead of run(): unmounts what is still mounted, and seals.
    Status seal();

private:
    explicit ServedOverlay(OverlayOptions options) : options_(std::move(options)) {}
    Status mount(std::string const& mount_point);
    Result<std::unique_ptr<fs::UnionFs>> open_union();
    Result<std::unique_ptr<fs::UnionFs>> adopt_union(MountHandover const& handover);

    Status publish(std::string const& description) override;
    [[nodiscard]] MountHandover handover() const override;
    Status end_serving(Holder holder) override;

    OverlayOptions options_;
    std::optional<UpperFolders> folders_;
    std::shared_ptr<fs::FolderStack const> stack_;
    std::optional<fs::UnionFs::MemoryDescriptors> memory_;
    MountNotice notice_;
};

}  // namespace oblea::tools

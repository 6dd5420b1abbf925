// SPDX-License-Identifier: MIT
#include "tools/overlay/served_overlay.h"

#include "tools/overlay/overlay_union.h"

#include <unistd.h>

#include <fstream>

namespace oblea::tools {
namespace {

using base::UniqueFd;

template <typename Wanted>
bool has_line(char const* path, Wanted&& wanted) {
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        if (wanted(line)) {
            return true;
        }
    }
    return false;
}

bool users_may_share() {
    return has_line("/etc/fuse.conf",
                    [](std::string_view line) { return line.starts_with("user_allow_other"); });
}

// Whether labels mean anything: a kernel that starts without SELinux refuses them as unknown, and
// mount(8) and fuse-overlayfs leave them out there.
bool has_selinux() {
    return has_line("/proc/filesystems",
                    [](std::string_view line) { return line.ends_with("\tselinuxfs"); });
}

fs::MountOptions mount_options(OverlayOptions const& options) {
    using Mount = fs::MountOptions;
    bool const root = ::geteuid() == 0;
    Mount mount;
    mount.source = "oblea-overlay";
    bool const shared =
        options.access == OverlayOptions::Access::allow_other || root || users_may_share();
    mount.access = shared ? Mount::Access::allow_other : Mount::Access::owner_only;
    bool const suid = options.suid == OverlayOptions::Suid::by_default
                          ? root
                          : options.suid == OverlayOptions::Suid::yes;
    mount.suid = suid ? Mount::Suid::yes : Mount::Suid::no;
    mount.dev = options.dev == OverlayOptions::Dev::yes ? Mount::Dev::yes : Mount::Dev::no;
    mount.exec = options.exec == OverlayOptions::Exec::yes ? Mount::Exec::yes : Mount::Exec::no;
    mount.read_only = options.upper.empty() ? Mount::ReadOnly::yes : Mount::ReadOnly::no;
    mount.debug =
        options.debug == OverlayOptions::Debug::yes ? Mount::Debug::yes : Mount::Debug::no;
    if (!options.context.empty() && has_selinux()) {
        mount.selinux_context = options.context;
    }
    mount.threads = options.threads;
    return mount;
}

}  // namespace

Result<std::unique_ptr<ServedOverlay>> ServedOverlay::open(OverlayOptions options,
                                                           std::string const& mount_point) {
    std::unique_ptr<ServedOverlay> served{
        new ServedOverlay(std::move(options))};  // NOLINT: private constructor
    OBLEA_TRY(served->mount(mount_point));
    return served;
}

Result<std::unique_ptr<fs::UnionFs>> ServedOverlay::open_union() {
    stack_ = OBLEA_TRY(fs::folder_lower(options_.lower, lower_options(options_)));
    if (options_.upper.empty()) {
        return fs::UnionFs::mount(stack_, union_options(options_));
    }
    folders_ = OBLEA_TRY(UpperFolders::take(options_.upper, options_.work));
    auto upper = OBLEA_TRY(folders_->open());
    return fs::UnionFs::mount(stack_, std::move(upper), union_options(options_));
}

Status ServedOverlay::mount(std::string const& mount_point) {
    auto file_system = OBLEA_TRY(open_union());
    memory_ = file_system->memory();
    server_ =
        OBLEA_TRY(fs::Server::mount(std::move(file_system), mount_point, mount_options(options_)));
    description_.info.mode = options_.upper.empty() ? "read-only" : "writable";
    description_.info.upper_dir = options_.upper;
    return describe();
}

Result<std::unique_ptr<fs::UnionFs>> ServedOverlay::adopt_union(MountHandover const& handover) {
    auto const& stack = std::get<StackHandover>(handover.mounted);
    fs::FolderStackMemory below;
    for (int const layer : stack.layers) {
        below.roots.emplace_back(layer);
    }
    below.numbering = OBLEA_TRY(fs::SharedMemory::adopt(UniqueFd{stack.numbering}));
    stack_ = OBLEA_TRY(fs::adopt_folder_lower(std::move(below), lower_options(options_)));
    memory_ = handover.memory;
    if (!memory_.has_value()) {
        return fs::UnionFs::mount(stack_, union_options(options_));
    }
    folders_ = UpperFolders::adopt(UniqueFd{stack.upper}, UniqueFd{stack.work});
    auto upper = OBLEA_TRY(folders_->adopt_open(UniqueFd{memory_->upper_lock}));
    return fs::UnionFs::adopt(stack_, std::move(upper), union_options(options_), *memory_);
}

Result<std::unique_ptr<ServedMount>> ServedOverlay::adopt(MountHandover const& handover,
                                                          fs::Server::Crashed crashed) {
    auto const& stack = std::get<StackHandover>(handover.mounted);
    auto options = OBLEA_TRY(parse_overlay_options(stack.options));
    std::unique_ptr<ServedOverlay> served{
        new ServedOverlay(std::move(options))};  // NOLINT: private constructor
    OBLEA_TRY(served->adopt_description(handover.description));
    auto file_system = OBLEA_TRY(served->adopt_union(handover));
    served->server_ = OBLEA_TRY(
        fs::Server::adopt(std::move(file_system), handover.server, served->options_.threads));
    OBLEA_TRY(served->server_->resume(crashed));
    return std::unique_ptr<ServedMount>{std::move(served)};
}

ServedOverlay::~ServedOverlay() {
    server_.reset();  // before the folders are given free
}

Status ServedOverlay::publish(std::string const& description) {
    return notice_.write(description);
}

MountHandover ServedOverlay::handover() const {
    auto const below = stack_->descriptors();
    StackHandover stack{
        .options = options_.typed, .layers = below.roots, .numbering = below.numbering};
    if (folders_.has_value()) {
        auto const folders = folders_->descriptors();
        stack.upper = folders.upper;
        stack.work = folders.work;
    }
    return {.memory = memory_, .mounted = std::move(stack)};
}

Status ServedOverlay::seal() {
    auto file_system = server_->take_union();
    server_.reset();
    return folders_.has_value() ? folders_->seal(std::move(file_system)) : Status{};
}

// Only who has served knows what there is to seal.
Status ServedOverlay::end_serving(Holder /*holder*/) {
    return seal();
}

}  // namespace oblea::tools

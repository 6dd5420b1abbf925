// SPDX-License-Identifier: MIT
#include "tools/mount/served_image.h"

#include "fs/fuse/mountinfo.h"
#include "fs/lower/image_lower.h"
#include "fs/upper/upper_dir.h"
#include "store/base/sys.h"
#include "store/image/image_view.h"
#include "tools/mount/rfc3339.h"
#include "tools/mount/user_namespace.h"

#include <fmt/core.h>
#include <unistd.h>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

Status check_request(MountRequest const& request) {
    bool const has_layer = !request.source.container.empty() || !request.upper_dir.empty();
    if (request.mode == MountMode::read_only && has_layer) {
        return fail(Errno::einval, "",
                    "a read-only mount shows the image as it is; leave the container or the upper "
                    "folder out");
    }
    if (!request.source.container.empty() && !request.upper_dir.empty()) {
        return fail(Errno::einval, "",
                    "changes go to a container or to an upper folder, not to both");
    }
    return {};
}

Status check_owner_ids(Container const& container, OwnerIds here) {
    if (container.owner_ids == here) {
        return {};
    }
    if (here == OwnerIds::squashed) {
        return fail(Errno::eperm, "",
                    fmt::format("container {0} holds files of several users, which a mount by an "
                                "ordinary user cannot show; use `oblea chroot --name {0}`",
                                container.name));
    }
    return fail(Errno::eperm, "",
                fmt::format("container {0} was written with a single user id; use it in the same "
                            "way again (`oblea mount --name {0}` as that user)",
                            container.name));
}

}  // namespace

Result<std::unique_ptr<ServedImage>> ServedImage::open(store::Store const& store,
                                                       MountRequest const& request) {
    OBLEA_TRY(check_request(request));
    store::Lease lease = OBLEA_TRY(store.take_lease("mount"));
    std::unique_ptr<ServedImage> served{
        new ServedImage(store, request, std::move(lease))};  // NOLINT: private constructor
    auto const opened = [&]() -> Status {
        OBLEA_TRY(served->resolve());
        OBLEA_TRY(served->settle_container());
        OBLEA_TRY(served->open_log());
        OBLEA_TRY(served->mount());
        return served->describe();
    }();
    if (!opened.has_value()) {
        static_cast<void>(served->finish());  // the first error is the one to report
        return std::unexpected<Error>(opened.error());
    }
    return served;
}

Status ServedImage::resolve() {
    ResolvedSource source = OBLEA_TRY(resolve_source(store_, request_.source));
    image_ = std::move(source.known);
    image_name_ = std::move(source.image_name);
    layers_ = std::move(source.layers);
    container_ = std::move(source.container);
    owner_ids_ = OBLEA_TRY(owner_ids_here());
    description_.info.image = source.image.to_string();
    return {};
}

Status ServedImage::settle_container() {
    if (container_) {
        return check_owner_ids(*container_, owner_ids_);
    }
    if (request_.mode == MountMode::read_only || !request_.upper_dir.empty()) {
        return {};
    }
    container_ = OBLEA_TRY(create_container(store_, {.name = request_.source.container,
                                                     .image = *image_,
                                                     .image_name = image_name_,
                                                     .owner_ids = owner_ids_}));
    made_ = Made::by_this_mount;
    return {};
}

Status ServedImage::open_log() {
    std::string const path = container_ ? container_->folder() + "/log" : lease_.path() + ".log";
    log_ = OBLEA_TRY(sys::openat(store_.root(), path.c_str(), O_WRONLY | O_CREAT | O_APPEND));
    return {};
}

std::string ServedImage::upper_path() const {
    return container_ ? store_.path() + "/" + container_->folder() + "/upper" : request_.upper_dir;
}

std::string ServedImage::work_path() const {
    return container_ ? store_.path() + "/" + container_->folder() + "/work"
                      : request_.upper_dir + ".work";
}

Result<std::unique_ptr<fs::UnionFs>> ServedImage::open_union() {
    auto lower = fs::image_lower(OBLEA_TRY(store::ImageView::open(store_, layers_)));
    OBLEA_TRY(lease_.narrow_to(layers_));
    // Who throws the layer away at the end does not want it back after a crash either.
    fs::UnionOptions const options{
        .owners = owners_of(owner_ids_),
        .durable = request_.remove == RemoveAtUnmount::always ? fs::Durable::no : fs::Durable::yes};
    if (request_.mode == MountMode::read_only) {
        return fs::UnionFs::mount(std::move(lower), options);
    }
    auto upper = OBLEA_TRY(fs::UpperDir::open(upper_path(), work_path()));
    return fs::UnionFs::mount(std::move(lower), std::move(upper), options);
}

Status ServedImage::mount() {
    auto file_system = OBLEA_TRY(open_union());
    fs::MountOptions options = request_.options;
    options.read_only = request_.mode == MountMode::read_only ? fs::MountOptions::ReadOnly::yes
                                                              : fs::MountOptions::ReadOnly::no;
    options.needed_paths = {store_.path()};
    if (!request_.upper_dir.empty()) {
        options.needed_paths.push_back(upper_path());
        options.needed_paths.push_back(work_path());
    }
    std::string const mount_point = request_.mount_point.empty() && container_
                                        ? store_.path() + "/" + container_->folder() + "/root"
                                        : request_.mount_point;
    server_ = OBLEA_TRY(fs::Server::mount(std::move(file_system), mount_point, options));
    return {};
}

Status ServedImage::describe() {
    fs::MountTerms const terms = server_->terms();
    MountInfo& info = description_.info;
    info.mount_point = server_->mount_point();
    info.pid = ::getpid();
    info.image_name = image_name_;
    info.mode = request_.mode == MountMode::read_only ? "read-only" : "writable";
    info.protocol =
        fmt::format("{}.{}, {}", terms.protocol_major, terms.protocol_minor, terms.mode);
    info.data = terms.mode;
    info.reason = terms.reason;
    description_.counters = server_->counters();
    info.started = rfc3339_now();
    info.upper_dir = request_.upper_dir;
    if (container_) {
        info.container = container_->name;
        info.container_id = container_->id;
    }
    if (owner_ids_ == OwnerIds::squashed) {
        info.notes.emplace_back("every file shows as yours; `oblea chroot` shows the owners that "
                                "the image has, where subordinate ids are granted");
    }
    auto const table = OBLEA_TRY(fs::read_mountinfo());
    if (auto const entry = fs::top_mount_at(table, info.mount_point)) {
        description_.device = entry->device;
    }
    return lease_.describe(encode_mount(description_));
}

Status ServedImage::run(StopSignals& signals) {
    return signals.run(*server_);
}

Result<bool> ServedImage::is_untouched() const {
    auto const upper = OBLEA_TRY(fs::UpperDir::open(upper_path(), work_path()));
    return upper->empty();
}

Status ServedImage::finish() {
    server_.reset();  // unmounts what is still mounted, and gives the upper layer free
    if (!container_) {
        return sys::unlink_if_exists(store_.root(), (lease_.path() + ".log").c_str());
    }
    bool const due = request_.remove == RemoveAtUnmount::always ||
                     (made_ == Made::by_this_mount && OBLEA_TRY(is_untouched()));
    return due ? remove_container(store_, *container_) : Status{};
}

}  // namespace oblea::tools

// SPDX-License-Identifier: MIT
#include "tools/mount/served_image.h"

#include "fs/lower/image_lower.h"
#include "fs/upper/upper_dir.h"
#include "store/base/sys.h"
#include "store/image/image_view.h"
#include "tools/mount/user_namespace.h"

#include <fmt/core.h>

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
    for (;;) {
        store::Lease lease = OBLEA_TRY(store.take_lease("mount"));
        std::unique_ptr<ServedImage> served{
            new ServedImage(store, request, std::move(lease))};  // NOLINT: private constructor
        auto const opened = served->set_up();
        if (opened.has_value()) {
            return served;
        }
        bool const again = served->has_lost_container();
        static_cast<void>(served->finish());  // the first error is the one to report
        if (!again) {
            return std::unexpected<Error>(opened.error());
        }
    }
}

Status ServedImage::set_up() {
    OBLEA_TRY(resolve());
    OBLEA_TRY(settle_container());
    OBLEA_TRY(open_log());
    OBLEA_TRY(mount());
    describe_image();
    return describe();
}

bool ServedImage::has_lost_container() const {
    if (!container_ || made_ != Made::before) {
        return false;
    }
    auto const found = find_container(store_, container_->id);
    return found.has_value() && !found->has_value();
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

fs::UnionOptions ServedImage::union_options() const {
    // Who throws the layer away at the end does not want it back after a crash either.
    return {.owners = owners_of(owner_ids_),
            .durable =
                request_.remove == RemoveAtUnmount::always ? fs::Durable::no : fs::Durable::yes};
}

Result<std::shared_ptr<fs::LowerTree const>> ServedImage::open_lower() const {
    return fs::image_lower(OBLEA_TRY(store::ImageView::open(store_, layers_, request_.contents)));
}

Result<std::unique_ptr<fs::UnionFs>> ServedImage::open_union() {
    auto lower = OBLEA_TRY(open_lower());
    OBLEA_TRY(lease_.narrow_to(layers_));
    if (request_.mode == MountMode::read_only) {
        return fs::UnionFs::mount(std::move(lower), union_options());
    }
    auto upper = OBLEA_TRY(fs::UpperDir::open(upper_path(), work_path()));
    if (container_) {
        // Whoever held the layer before may have removed it. From now on nobody can.
        OBLEA_TRY(need_container(store_, container_->id));
    }
    return fs::UnionFs::mount(std::move(lower), std::move(upper), union_options());
}

Status ServedImage::mount() {
    auto file_system = OBLEA_TRY(open_union());
    memory_ = file_system->memory();
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

void ServedImage::describe_image() {
    MountInfo& info = description_.info;
    info.image_name = image_name_;
    info.mode = request_.mode == MountMode::read_only ? "read-only" : "writable";
    info.upper_dir = request_.upper_dir;
    if (container_) {
        info.container = container_->name;
        info.container_id = container_->id;
    }
    if (owner_ids_ == OwnerIds::squashed) {
        info.notes.emplace_back("every file shows as yours; `oblea chroot` shows the owners that "
                                "the image has, where subordinate ids are granted");
    }
}

Status ServedImage::publish(std::string const& description) {
    return lease_.describe(description);
}

Status ServedImage::end_serving(Holder holder) {
    return holder == Holder::gone ? finish() : Status{};
}

MountHandover ServedImage::handover() const {
    return {.memory = memory_,
            .mounted = ImageHandover{.store = store_.options(),
                                     .lease = lease_.path(),
                                     .lease_file = lease_.fd(),
                                     .request = request_,
                                     .image_name = image_name_,
                                     .layers = layers_,
                                     .container_id = container_ ? container_->id : "",
                                     .made = made_,
                                     .owner_ids = owner_ids_}};
}

Result<std::unique_ptr<ServedMount>> ServedImage::adopt(store::Store const& store,
                                                        MountHandover const& handover,
                                                        fs::Server::Crashed crashed) {
    auto const& image = std::get<ImageHandover>(handover.mounted);
    auto lease = OBLEA_TRY(
        store.adopt_lease(image.lease, base::UniqueFd{image.lease_file}, "mount", image.layers));
    std::unique_ptr<ServedImage> served{
        new ServedImage(store, image.request, std::move(lease))};  // NOLINT: private constructor
    served->image_name_ = image.image_name;
    served->layers_ = image.layers;
    served->made_ = image.made;
    served->owner_ids_ = image.owner_ids;
    served->memory_ = handover.memory;
    if (!image.container_id.empty()) {
        served->container_ = OBLEA_TRY(need_container(store, image.container_id));
    }
    OBLEA_TRY(served->adopt_description(handover.description));
    auto file_system = OBLEA_TRY(served->adopt_union());
    served->server_ = OBLEA_TRY(
        fs::Server::adopt(std::move(file_system), handover.server, image.request.options.threads));
    OBLEA_TRY(served->server_->resume(crashed));
    return std::unique_ptr<ServedMount>{std::move(served)};
}

ServedImage::~ServedImage() {
    server_.reset();  // before the lease goes
}

Result<std::unique_ptr<fs::UnionFs>> ServedImage::adopt_union() {
    auto lower = OBLEA_TRY(open_lower());
    if (!memory_.has_value()) {
        return fs::UnionFs::mount(std::move(lower), union_options());
    }
    auto upper = OBLEA_TRY(
        fs::UpperDir::adopt_locked(upper_path(), work_path(), base::UniqueFd{memory_->upper_lock}));
    return fs::UnionFs::adopt(std::move(lower), std::move(upper), union_options(), *memory_);
}

Status ServedImage::finish() {
    server_.reset();  // unmounts what is still mounted, and gives the upper layer free
    if (!container_) {
        return sys::unlink_if_exists(store_.root(), (lease_.path() + ".log").c_str());
    }
    if (request_.remove == RemoveAtUnmount::always) {
        return remove_container(store_, *container_);
    }
    return made_ == Made::by_this_mount ? drop_untouched(store_, *container_) : Status{};
}

}  // namespace oblea::tools

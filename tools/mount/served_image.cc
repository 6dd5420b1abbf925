// SPDX-License-Identifier: MIT
#include "tools/mount/served_image.h"

#include "fs/lower/image_lower.h"
#include "fs/mountinfo.h"
#include "fs/upper/upper_dir.h"
#include "store/base/sys.h"
#include "store/image/image_view.h"
#include "tools/mount/rfc3339.h"
#include "tools/mount/successor.h"
#include "tools/mount/user_namespace.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

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
    info.program = server_->can_resume() ? OBLEA_VERSION : "";
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

void ServedImage::serve(StopSignals& signals, First first, fs::Server::Crashed crashed) {
    serve_until_unmounted(signals, first == First::yes ? Status{} : server_->resume(crashed));
}

void ServedImage::serve_adopted(StopSignals& signals) {
    serve_until_unmounted(signals, {});
}

void ServedImage::serve_until_unmounted(StopSignals& signals, Status resumed) {
    pid_t const holder = ::getppid();
    Status ended = std::move(resumed);
    if (ended.has_value()) {
        ended = signals.run(*server_, [this] {
            // The one who holds the mount is gone: this is the process to name and to wait for.
            description_.info.pid = ::getpid();
            description_.info.program.clear();
            description_.counters = server_->counters();
            log_end(lease_.describe(encode_mount(description_)));
        });
    }
    log_end(ended);
    if (::getppid() != holder) {
        log_end(finish());  // nobody else is left to tidy up
    }
    std::fflush(nullptr);
    ::_exit(ended.has_value() ? 0 : 1);
}

// From the file that this program came from, whatever is there now. Why there is none is told when
// the next server starts.
void ServedImage::load_program() {
    ++description_.info.upgrades;
    description_.info.upgrade_error.clear();
    auto const path = own_program();
    auto opened = path.has_value() ? sys::open(path->c_str(), O_RDONLY)
                                   : Result<base::UniqueFd>{std::unexpected<Error>(path.error())};
    if (opened.has_value()) {
        program_ = *std::move(opened);
    } else {
        description_.info.upgrade_error = opened.error().message();
        log_end(lease_.describe(encode_mount(description_)));
    }
}

MountHandover ServedImage::handover() const {
    return {.store = store_.options(),
            .lease = lease_.path(),
            .lease_file = lease_.fd(),
            .request = request_,
            .image_name = image_name_,
            .layers = layers_,
            .container_id = container_ ? container_->id : "",
            .made = made_,
            .owner_ids = owner_ids_,
            .description = encode_mount(description_),
            .memory = memory_,
            .server = server_->handover()};
}

Result<std::unique_ptr<ServedImage>> ServedImage::adopt(store::Store const& store,
                                                        MountHandover const& handover,
                                                        fs::Server::Crashed crashed) {
    auto lease = OBLEA_TRY(store.adopt_lease(handover.lease, base::UniqueFd{handover.lease_file},
                                             "mount", handover.layers));
    std::unique_ptr<ServedImage> served{
        new ServedImage(store, handover.request, std::move(lease))};  // NOLINT: private constructor
    served->image_name_ = handover.image_name;
    served->layers_ = handover.layers;
    served->made_ = handover.made;
    served->owner_ids_ = handover.owner_ids;
    served->memory_ = handover.memory;
    if (!handover.container_id.empty()) {
        served->container_ = OBLEA_TRY(need_container(store, handover.container_id));
    }
    auto description = parse_encoded_mount(handover.description);
    if (!description.has_value()) {
        return fail(Errno::eio, "", "the mount's description cannot be read");
    }
    served->description_ = *std::move(description);
    auto file_system = OBLEA_TRY(served->adopt_union());
    served->server_ = OBLEA_TRY(fs::Server::adopt(std::move(file_system), handover.server,
                                                  handover.request.options.threads));
    OBLEA_TRY(served->server_->resume(crashed));
    return served;
}

Result<std::unique_ptr<fs::UnionFs>> ServedImage::adopt_union() {
    auto lower = OBLEA_TRY(open_lower());
    if (!memory_.has_value()) {
        return fs::UnionFs::mount(std::move(lower), union_options());
    }
    auto counts = OBLEA_TRY(fs::SharedMemory::adopt(base::UniqueFd{memory_->lower_counts}));
    auto ledger = OBLEA_TRY(fs::SharedMemory::adopt(base::UniqueFd{memory_->ledger}));
    auto upper = OBLEA_TRY(
        fs::UpperDir::adopt_locked(upper_path(), work_path(), base::UniqueFd{memory_->upper_lock}));
    return fs::UnionFs::adopt(std::move(lower), std::move(upper), union_options(),
                              {.lower_counts = std::move(counts), .ledger = std::move(ledger)});
}

Result<Child> ServedImage::start_successor(fs::Server::Crashed crashed) {
    MountHandover const what = handover();
    std::string const encoded = encode_handover(what);
    auto const text = OBLEA_TRY(fs::SharedMemory::make("oblea-handover", encoded.size()));
    std::ranges::copy(encoded, text.as<char>().begin());
    std::vector<int> kept = descriptors_of(what);
    kept.insert(kept.end(), {text.descriptor(), program_.get()});
    EndOfHolder const end;
    return start_child(Parentage::own, kept, [&](Report& report) {
        end.inherit();
        kept.back() = report.fd();  // the program's own descriptor closes when it runs
        for (int const descriptor : kept) {
            ::fcntl(descriptor, F_SETFD, 0);
        }
        report.failure(exec_successor(program_.get(), text.descriptor(), report.fd(), crashed));
        return 1;
    });
}

Result<pid_t> ServedImage::start_server(StopSignals& signals, First first,
                                        fs::Server::Crashed crashed) {
    if (program_.valid()) {
        auto const child = start_successor(crashed);
        if (child.has_value()) {
            description_.info.program = child->report;
        } else {
            // What served before goes on: its memory is as it was.
            description_.info.upgrade_error = child.error().message();
            description_.info.program = OBLEA_VERSION;
            program_.reset();
            log_end(Status{std::unexpected<Error>(child.error())});
        }
        log_end(lease_.describe(encode_mount(description_)));
        if (child.has_value()) {
            return child->pid;
        }
    }
    return fork_server([&] { serve(signals, first, crashed); });
}

Status ServedImage::run(StopSignals& signals) {
    return keep_serving(*server_, signals,
                        {.start =
                             [&](First first, fs::Server::Crashed crashed) {
                                 return start_server(signals, first, crashed);
                             },
                         .upgrade = [this] { load_program(); }});
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

// SPDX-License-Identifier: MIT
#include "tests/crash/store_operations.h"

#include "store/gc.h"
#include "store/image/image_view.h"
#include "store/image/import_image.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/shared_store.h"
#include "store/verify.h"
#include "tests/crash/traced_run.h"
#include "tests/unit/store/packed_layout.h"
#include "tools/container/container_volumes.h"
#include "tools/container/fill_volumes.h"
#include "tools/mount/containers.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>

namespace oblea::test {

using namespace oblea::store;
namespace files = std::filesystem;
namespace sys = oblea::base::sys;

namespace {

constexpr char kEarlier[] = "docker.io/library/earlier:1";
constexpr char kOther[] = "docker.io/library/other:1";
constexpr char kTwin[] = "docker.io/library/twin:1";
constexpr char kImage[] = "docker.io/library/image:1";

constexpr std::size_t kLargeBytes = 70'000;
// An import of some objects syncs on the way, as one of many gigabytes does.
constexpr std::uint64_t kSyncStepBytes = 3 * kLargeBytes;

std::string large(char kind) {
    return std::string(kLargeBytes, kind);
}

Members with_objects(Members members, std::string const& folder, char first, int count) {
    for (int i = 0; i < count; ++i) {
        members.emplace_back(folder + '/' + std::to_string(i), large(static_cast<char>(first + i)));
    }
    return members;
}

int report(Status const& status) {
    if (!status.has_value()) {
        std::fprintf(stderr, "%s\n", status.error().message().c_str());
        return 1;
    }
    return 0;
}

Result<Store> open(std::string const& path) {
    return Store::open(path, Store::Create::if_missing);
}

Status import(std::string const& path, std::string const& source) {
    Store const store = OBLEA_TRY(open(path));
    ImportRequest request;
    request.source = source;
    request.jobs = 1;
    request.sync_step_bytes = kSyncStepBytes;
    OBLEA_TRY(import_image(store, request, {}));
    return {};
}

Status collect(std::string const& path) {
    Store const store = OBLEA_TRY(open(path));
    OBLEA_TRY(collect_garbage(store, GcMode::remove));
    return {};
}

Status change(std::string const& path, std::function<Status(Images&)> const& how) {
    Store const store = OBLEA_TRY(open(path));
    return store.change_images(how);
}

Status tag(std::string const& path) {
    return change(path, [](Images& images) -> Status {
        Image const* const image = images.find_name(kEarlier);
        return image == nullptr ? Status{fail(Errno::enoent, "", "earlier:1 is gone")}
                                : images.tag(image->id, "docker.io/library/second:2");
    });
}

Status remove_image(std::string const& path) {
    return change(path, [](Images& images) -> Status {
        if (Image const* const image = images.find_name(kImage)) {
            static_cast<void>(images.remove(Digest{image->id}));
        }
        return {};
    });
}

Status create_box(std::string const& path) {
    Store const store = OBLEA_TRY(open(path));
    Lease const lease = OBLEA_TRY(store.take_lease("create"));
    Images const images = OBLEA_TRY(store.images());
    tools::NewContainer what;
    what.name = "box";
    what.image = *OBLEA_TRY(images.resolve("earlier:1"));
    auto const made = tools::create_container(store, what);
    // The name is taken when it was done already.
    bool const there = !made.has_value() && made.error().code == Errno::eexist;
    return made.has_value() || there ? Status{} : Status{std::unexpected<Error>(made.error())};
}

Status remove_box(std::string const& path) {
    Store const store = OBLEA_TRY(open(path));
    auto const box = OBLEA_TRY(tools::find_container(store, "box"));
    return box.has_value() ? tools::remove_container(store, *box) : Status{};
}

constexpr char kVolume[] = "data";

Status create_volume(std::string const& path) {
    Store const store = OBLEA_TRY(open(path));
    return tools::create_volume(store, {.name = kVolume});
}

// A folder as an image has it becomes the beginning of the volume.
Status fill_volume(std::string const& path, std::string const& tree) {
    Store const store = OBLEA_TRY(open(path));
    tools::RunConfig config;
    config.volumes.push_back({.name = kVolume, .target = "/srv"});
    auto const root = OBLEA_TRY(sys::open(tree, O_RDONLY | O_DIRECTORY));
    return tools::fill_volumes(store, config, {.root = root, .ids = tools::OwnerIds::squashed});
}

Status remove_volume(std::string const& path) {
    Store const store = OBLEA_TRY(open(path));
    auto removed = tools::remove_unused_volume(store, kVolume);
    bool const gone = !removed.has_value() && removed.error().code == Errno::enoent;
    return gone ? Status{} : removed;
}

// One that is there is whole.
Status verify_volumes(std::string const& path, std::string const& content) {
    Store const store = OBLEA_TRY(open(path));
    auto const list = OBLEA_TRY(tools::list_volumes(store));
    if (!list.damaged.empty()) {
        return fail(Errno::euclean, "", list.damaged.front());
    }
    for (tools::Volume const& volume : list.all) {
        std::string const data = path + '/' + volume.data();
        OBLEA_TRY(sys::open(data, O_RDONLY | O_DIRECTORY));
        if (!content.empty() &&
            OBLEA_TRY(sys::read_file(AT_FDCWD, (data + "/large").c_str(), 1U << 20U)) != content) {
            return fail(Errno::euclean, "", data + "/large is not what it was");
        }
    }
    return {};
}

Status view_image(std::string const& path, char const* name) {
    Store const store = OBLEA_TRY(open(path));
    Lease const lease = OBLEA_TRY(store.take_lease("view"));
    Images const images = OBLEA_TRY(store.images());
    Image const* const image = images.find_name(name);
    if (image == nullptr) {
        return fail(Errno::enoent, "", std::string{name} + " is not in the store");
    }
    OBLEA_TRY(ImageView::open(store, *image));
    return {};
}

// As another program does that finds nothing to begin with.
Status empty(std::string const& path) {
    for (auto const& entry : files::directory_iterator{path}) {
        files::remove_all(entry.path());
    }
    return {};
}

Status drop_merged(std::string const& path) {
    for (auto const& entry : files::directory_iterator{path + "/merged"}) {
        files::remove(entry.path());
    }
    return {};
}

// The blobs of another store, as an import brings them that is killed before it syncs their names.
Status name_blobs(std::string const& path, std::string const& origin) {
    auto const root = OBLEA_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
    char const* const staged = "tmp/import-of-another";
    for (auto const& blob : files::directory_iterator{origin + '/' + layout::kBlobs}) {
        std::string const bytes =
            OBLEA_TRY(sys::read_file(AT_FDCWD, blob.path().c_str(), 1U << 20U));
        auto const file =
            OBLEA_TRY(sys::openat(root.get(), staged, O_WRONLY | O_CREAT, mode_t{0600}));
        OBLEA_TRY(sys::write_all(file.get(), base::bytes_of(bytes)));
        OBLEA_TRY(sys::fsync(file.get()));
        std::string const target = layout::blob(base::sha256(bytes));
        OBLEA_TRY(sys::renameat2(root.get(), staged, root.get(), target.c_str()));
    }
    return {};
}

Status verify_all(std::string const& path) {
    Store const store = OBLEA_TRY(open(path));
    auto const report =
        OBLEA_TRY(verify_store(store, {.depth = VerifyOptions::Depth::contents, .jobs = 1}, {}));
    if (!report.faults.empty()) {
        Fault const& fault = report.faults.front();
        return fail(Errno::euclean, "", "verify: " + fault.path + ": " + fault.what);
    }
    return {};
}

int verify_own(std::string const& store, std::vector<std::string> const& images) {
    int status = report(verify_all(store));
    for (auto const& name : images) {
        status = status != 0 ? status : report(view_image(store, name.c_str()));
    }
    return status;
}

struct Publishing {
    std::vector<std::string> images = {};  // by the names that they have in the source
    std::vector<std::string> remove = {};
    bool sweep = false;
    PublishRequest::Packs packs = PublishRequest::Packs::plain;
};

Status publish(Archives const& archives, std::string const& folder, Publishing const& what) {
    Store const store = OBLEA_TRY(open(archives.source));
    Lease const lease = OBLEA_TRY(store.take_lease("publish"));
    Images const images = OBLEA_TRY(store.images());
    PublishRequest request;
    request.folder = folder;
    request.blobs = PublishRequest::Blobs::yes;
    for (auto const& name : what.images) {
        request.images.push_back(*OBLEA_TRY(images.resolve(name)));
    }
    request.remove = what.remove;
    request.packs = what.packs;
    if (what.sweep) {
        request.sweep_after_seconds = 0;
    }
    OBLEA_TRY(publish_into(store, request));
    return {};
}

// Proves a tar by its digest.
class NoSink final : public TarSink {
public:
    Status write(base::ByteView) override { return {}; }
};

// What a client sees, which reads nothing before the folder says that it is published.
Status verify_published(Archives const& archives, std::string const& folder,
                        std::vector<std::string> const& names) {
    auto const root = OBLEA_TRY(sys::open(folder, O_RDONLY | O_DIRECTORY));
    if (names.empty() && !OBLEA_TRY(is_published(root.get()))) {
        return {};
    }
    Store const store = OBLEA_TRY(
        Store::open({.path = archives.reader, .shared = {folder}}, Store::Create::if_missing));
    Lease const lease = OBLEA_TRY(store.take_lease("view"));
    Images const images = OBLEA_TRY(store.images());
    for (auto const& name : names) {
        OBLEA_TRY(images.resolve(name));
    }
    for (Image const& image : images.all()) {
        for (ImageLayer const& layer : image.layers) {
            NoSink sink;
            OBLEA_TRY(export_layer(store.roots(), layer.diff_id, sink));
        }
        OBLEA_TRY(ImageView::open(store, image));
        for (auto const& document : {std::optional{image.id}, image.manifest}) {
            if (document.has_value() &&
                !OBLEA_TRY(store.read_blob(*document, 1U << 20U)).has_value()) {
                return fail(Errno::enoent, "", document->to_string() + " is missing");
            }
        }
    }
    return {};
}

Operation::Step as_program(Status (*step)(std::string const&)) {
    return [step](std::string const& store) { return report(step(store)); };
}

Operation::Step publishing(Archives const& archives, Publishing what) {
    return [&archives, what = std::move(what)](std::string const& folder) {
        return report(publish(archives, folder, what));
    };
}

// In a folder that is a published store, or becomes one.
std::vector<Operation> publish_operations(Archives const& archives) {
    auto const first = publishing(archives, {.images = {kEarlier}});
    auto const second =
        publishing(archives, {.images = {kImage}, .packs = PublishRequest::Packs::framed});
    auto const sweep = publishing(archives, {.remove = {kImage}, .sweep = true});
    auto const collect = publishing(archives, {.sweep = true});
    auto const none = as_program(&empty);
    auto const with_first = [=](std::string const& folder) {
        return none(folder) != 0 ? 1 : first(folder);
    };
    auto const with_both = [=](std::string const& folder) {
        return with_first(folder) != 0 ? 1 : second(folder);
    };
    // When it is gone already there is still something to sweep.
    auto const sweep_again = [&archives, sweep, collect](std::string const& folder) {
        bool const there = verify_published(archives, folder, {kImage}).has_value();
        return there ? sweep(folder) : collect(folder);
    };
    std::vector<Operation> operations{
        {"publish a new store", none, first, first, 60, {}, {kEarlier}},
        {"publish into a store", with_first, second, second, 60, {kEarlier}, {kImage}},
        {"sweep a published store", with_both, sweep, sweep_again, 40, {kEarlier}},
    };
    for (Operation& operation : operations) {
        operation.verify = [&archives](std::string const& folder, auto const& images) {
            return report(verify_published(archives, folder, images));
        };
        operation.collect = collect;
    }
    return operations;
}

int nothing(std::string const&) {
    return 0;
}

// Exit status and what was said, of a body that runs in a child.
std::string said_by(std::function<int()> const& body) {
    TempDir const dir;
    int const status = run_in_child([&] {
        if (std::freopen((dir / "said").c_str(), "w", stderr) == nullptr) {
            return 1;
        }
        int const result = body();
        std::fflush(stderr);
        return result;
    });
    if (status == 0) {
        return "";
    }
    std::ifstream in{dir / "said"};
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    return "status " + std::to_string(status) + ": " + text;
}

}  // namespace

Archives::Archives(TempDir const& dir) {
    TestImage const first = image_of_layers(
        {tar_of(with_objects({{"etc/name", "earlier"}, {"etc/other", "text"}}, "big", 'a', 2)),
         tar_of({{"etc/name", "earlier again"}, {"big/.wh.1", ""}})});
    write_file(dir / "earlier.tar", tar_of(docker_archive(first, {"earlier:1"})));
    earlier = dir / "earlier.tar";
    std::string const shared = tar_of(with_objects({{"usr/one", "1"}}, "usr/big", 'a', 6));
    TestImage const second = image_of_layers(
        {shared, tar_of(with_objects({{"srv/two", std::string(3000, '2')}}, "srv/big", 'n', 10)),
         tar_of(with_objects({{"srv/two", "3"}, {"usr/.wh.one", ""}}, "opt/big", 'A', 8))});
    image = write_packed_layout(dir, "image", second, "image:1");
    TestImage const third =
        image_of_layers({shared, tar_of(with_objects({{"home/x", "x"}}, "home/big", 'Q', 3))});
    write_file(dir / "other.tar", tar_of(docker_archive(third, {"other:1"})));
    other = dir / "other.tar";
    TestImage fourth = third;
    fourth.config.insert(1, R"("author":"another",)");
    write_file(dir / "twin.tar", tar_of(docker_archive(fourth, {"twin:1"})));
    twin = dir / "twin.tar";
    tree = dir / "tree";
    files::create_directories(tree + "/srv/folder");
    write_file(tree + "/srv/large", large('v'));
    write_file(tree + "/srv/folder/file", "in a folder");
    source = dir / "source";
    origin = dir / "origin";
    reader = dir / "reader";
    std::string const said = said_by([&] {
        for (auto const& [store, archive] :
             {std::pair{source, earlier}, {source, image}, {origin, twin}}) {
            if (int const status = report(import(store, archive)); status != 0) {
                return status;
            }
        }
        return 0;
    });
    if (!said.empty()) {
        throw std::runtime_error("the stores to take from: " + said);
    }
}

namespace {

std::vector<Operation> volume_operations(Archives const& archives) {
    auto const make = as_program(&create_volume);
    auto const remove = as_program(&remove_volume);
    auto const fill = [&archives](std::string const& store) {
        return report(fill_volume(store, archives.tree));
    };
    // On disk, as what the test does not judge is.
    auto const filled = [=](std::string const& store) {
        return make(store) != 0 || fill(store) != 0 ? 1 : 0;
    };
    std::vector<Operation> operations{
        {"make a volume", &nothing, make, make, 5},
        {"fill a volume", make, fill, fill, 10},
        {"remove a volume", filled, remove, remove, 5},
    };
    for (Operation& operation : operations) {
        bool const whole = operation.name == "remove a volume";
        operation.verify = [whole](std::string const& store, auto const& images) {
            int const status = report(verify_volumes(store, whole ? large('v') : ""));
            return status != 0 ? status : verify_own(store, images);
        };
        operation.collect = as_program(&collect);
    }
    return operations;
}

}  // namespace

std::vector<Operation> store_operations(Archives const& archives) {
    auto const import_of = [](std::string const& source) {
        return [source](std::string const& store) { return report(import(store, source)); };
    };
    auto const image = import_of(archives.image);
    auto const with_box = as_program(&create_box);
    auto const without_image = [image](std::string const& store) {
        return image(store) != 0 ? 1 : report(remove_image(store));
    };
    auto const view = [](std::string const& store) { return report(view_image(store, kEarlier)); };
    auto const make = [](std::string const& store) {
        auto const made = open(store);
        return made.has_value() ? 0 : report(std::unexpected<Error>(made.error()));
    };
    auto const other = import_of(archives.other);
    auto const twin = import_of(archives.twin);
    auto const beside = [&archives, twin](std::string const& store) {
        int const status = report(name_blobs(store, archives.origin));
        return status != 0 ? status : twin(store);
    };
    std::vector<Operation> operations{
        {"import", &nothing, image, image, 200, {kEarlier}, {kImage}},
        {"import an archive", &nothing, other, other, 60},
        {"import beside another", other, beside, twin, 20, {kEarlier, kOther}, {kTwin}},
        {"import what is there", image, image, image, 10},
        {"tag", &nothing, as_program(&tag), as_program(&tag), 5},
        {"remove an image", image, as_program(&remove_image), as_program(&remove_image), 5},
        {"collect garbage", without_image, as_program(&collect), as_program(&collect), 40},
        {"make a container", &nothing, with_box, with_box, 5},
        {"remove a container", with_box, as_program(&remove_box), as_program(&remove_box), 5},
        {"build a merged tree", as_program(&drop_merged), view, view, 5},
        {"make a store", as_program(&empty), make, make, 10, {}},
    };
    for (Operation& operation : operations) {
        operation.verify = &verify_own;
        operation.collect = as_program(&collect);
    }
    auto publish = publish_operations(archives);
    auto volumes = volume_operations(archives);
    std::ranges::move(volumes, std::back_inserter(operations));
    std::ranges::move(publish, std::back_inserter(operations));
    return operations;
}

void prepare_store(Archives const& archives, Operation const& operation, std::string const& store) {
    std::string const said = said_by([&] {
        int const status = report(import(store, archives.earlier));
        return status != 0 ? status : operation.prepare(store);
    });
    if (!said.empty()) {
        throw std::runtime_error(operation.name + ": " + said);
    }
}

void copy_tree(std::string const& source, std::string const& target) {
    files::remove_all(target);
    files::copy(source, target, files::copy_options::recursive);
}

std::string check_after(Operation const& operation, std::string const& store,
                        std::vector<std::string> const& reference, Happened happened) {
    auto images = operation.keeps;
    if (happened == Happened::surely) {
        images.insert(images.end(), operation.brings.begin(), operation.brings.end());
    }
    std::string wrong = said_by([&] { return operation.verify(store, images); });
    if (!wrong.empty()) {
        return "afterwards: " + wrong;
    }
    wrong = said_by([&] { return operation.repeat(store); });
    if (!wrong.empty()) {
        return "repeated: " + wrong;
    }
    wrong = said_by([&] {
        int const status = operation.verify(store, operation.keeps);
        return status != 0 ? status : operation.collect(store);
    });
    if (!wrong.empty()) {
        return "after repeating: " + wrong;
    }
    auto const listing = collected_listing(store);
    if (listing != reference) {
        std::vector<std::string> more;
        std::vector<std::string> less;
        std::ranges::set_difference(listing, reference, std::back_inserter(more));
        std::ranges::set_difference(reference, listing, std::back_inserter(less));
        return fmt::format("gc left [{}] and lacks [{}]", fmt::join(more, ", "),
                           fmt::join(less, ", "));
    }
    return "";
}

std::vector<std::string> collected_listing(std::string const& store) {
    static std::regex const id{"containers/[0-9a-f]{64}"};
    std::vector<std::string> lines;
    for (auto const& entry : files::recursive_directory_iterator{store}) {
        std::string line =
            std::regex_replace(entry.path().string().substr(store.size() + 1), id, "containers/ID");
        // Lists tell times and ids.
        bool const list = line.ends_with(".json");
        if (entry.is_regular_file() && !list) {
            line += ' ' + std::to_string(entry.file_size());
        }
        lines.push_back(std::move(line));
    }
    std::ranges::sort(lines);
    return lines;
}

}  // namespace oblea::test

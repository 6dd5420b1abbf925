// SPDX-License-Identifier: MIT
#include "tests/crash/store_operations.h"

#include "store/gc.h"
#include "store/image/image_view.h"
#include "store/image/import_image.h"
#include "store/layer/layout.h"
#include "store/verify.h"
#include "tests/crash/traced_run.h"
#include "tests/unit/store/packed_layout.h"
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
constexpr char kImage[] = "docker.io/library/image:1";

std::string large(char kind) {
    return std::string(70'000, kind);
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

Status drop_merged(std::string const& path) {
    for (auto const& entry : files::directory_iterator{path + "/merged"}) {
        files::remove(entry.path());
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

using Step = Status (*)(std::string const&);

std::function<int(std::string const&)> as_program(Step step) {
    return [step](std::string const& store) { return report(step(store)); };
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
        {shared, tar_of(with_objects({{"srv/two", "2"}}, "srv/big", 'n', 10)),
         tar_of(with_objects({{"srv/two", "3"}, {"usr/.wh.one", ""}}, "opt/big", 'A', 8))});
    image = write_packed_layout(dir, "image", second, "image:1");
    TestImage const third =
        image_of_layers({shared, tar_of(with_objects({{"home/x", "x"}}, "home/big", 'Q', 3))});
    write_file(dir / "other.tar", tar_of(docker_archive(third, {"other:1"})));
    other = dir / "other.tar";
}

std::vector<Operation> store_operations(Archives const& archives) {
    auto const import_of = [](std::string const& source) {
        return [source](std::string const& store) { return report(import(store, source)); };
    };
    auto const image = import_of(archives.image);
    auto const with_box = as_program(&create_box);
    auto const without_image = [image](std::string const& store) {
        return image(store) != 0 ? 1 : report(remove_image(store));
    };
    return {
        {"import", &nothing, image, image, 200},
        {"import an archive", &nothing, import_of(archives.other), import_of(archives.other), 60},
        {"import what is there", image, image, image, 10},
        {"tag", &nothing, as_program(&tag), as_program(&tag), 5},
        {"remove an image", image, as_program(&remove_image), as_program(&remove_image), 5},
        {"collect garbage", without_image, as_program(&collect), as_program(&collect), 40},
        {"make a container", &nothing, with_box, with_box, 5},
        {"remove a container", with_box, as_program(&remove_box), as_program(&remove_box), 5},
        {"build a merged tree", [](std::string const& store) { return report(drop_merged(store)); },
         [](std::string const& store) { return report(view_image(store, kEarlier)); },
         [](std::string const& store) { return report(view_image(store, kEarlier)); }, 5},
    };
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
    std::string wrong = said_by([&] {
        int status = report(verify_all(store));
        status = status != 0 ? status : report(view_image(store, kEarlier));
        bool const imported = operation.name == "import" && happened == Happened::surely;
        return status != 0 || !imported ? status : report(view_image(store, kImage));
    });
    if (!wrong.empty()) {
        return "afterwards: " + wrong;
    }
    wrong = said_by([&] { return operation.repeat(store); });
    if (!wrong.empty()) {
        return "repeated: " + wrong;
    }
    wrong = said_by([&] {
        int const status = report(verify_all(store));
        return status != 0 ? status : report(collect(store));
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

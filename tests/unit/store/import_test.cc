// SPDX-License-Identifier: MIT
#include "store/image/import_image.h"

#include "store/gc.h"
#include "store/image/image_view.h"
#include "store/inventory.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/store/image_builder.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;
namespace sys = oblea::base::sys;

namespace {

constexpr char kDebian[] = "docker.io/library/debian:12";

struct Fixture {
    TempDir dir;
    Store store = value_of(Store::open(dir / "store", Store::Create::if_missing));

    Result<ImportReport> import(ImportRequest const& request) const {
        return import_image(store, request, {});
    }
    Result<ImportReport> import(std::string const& source) const {
        ImportRequest request;
        request.source = source;
        return import(request);
    }
    // Imports what a pipe gives.
    Result<ImportReport> import_piped(std::string const& bytes) const {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        REQUIRE(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);  // an import that fails closes early
        base::UniqueFd const saved = value_of(sys::duplicate(0));
        REQUIRE(::dup2(ends[0], 0) == 0);
        ::close(ends[0]);
        std::jthread const writer{[&] {
            base::UniqueFd const out{ends[1]};
            static_cast<void>(sys::write_all(out.get(), base::bytes_of(bytes)));
        }};
        auto report = import("-");
        REQUIRE(::dup2(saved.get(), 0) == 0);
        return report;
    }
    std::string file(std::string const& name, std::string_view bytes) const {
        write_file(dir / name, bytes);
        return dir / name;
    }
    // Every file of the store, but for lists that change with each import.
    std::vector<std::string> listing() const {
        Inventory const inventory = value_of(take_inventory(store.root()));
        std::vector<std::string> paths;
        for (StoreItem const& item : inventory.items) {
            paths.push_back(item.item.path);
        }
        for (StoreItem const& item : inventory.lease_files) {
            paths.push_back(item.item.path);
        }
        return paths;
    }
    std::string read(Digest const& id, std::string_view at) const {
        Images const images = value_of(store.images());
        auto const view = value_of(ImageView::open(store, *images.find(id)));
        auto const ino = value_of(view->tree().resolve(path(at)));
        if (!ino.has_value()) {
            return "(none)";
        }
        base::Bytes buffer(1000);
        return std::string{base::text_of(buffer).substr(0, value_of(view->read(*ino, buffer, 0)))};
    }
};

std::string compressed(TempDir const& dir, std::string const& program, std::string_view bytes) {
    write_file(dir / "plain", bytes);
    std::string const command =
        program + " -c < '" + (dir / "plain") + "' > '" + (dir / "packed") + "'";
    REQUIRE(std::system(command.c_str()) == 0);
    return value_of(sys::read_file(AT_FDCWD, (dir / "packed").c_str(), 64 << 20));
}

void check_small_image(Fixture const& fixture, ImportReport const& report, TestImage const& image) {
    REQUIRE(report.images.size() == 1);
    CHECK(report.images[0].id == image.id());
    CHECK(fixture.read(image.id(), "etc/name") == "hello again");
    CHECK(fixture.read(image.id(), "large").size() == 1000);
    Images const images = value_of(fixture.store.images());
    CHECK(images.find(image.id())->size_bytes == 5 + 200'005 + 11);
    CHECK(value_of(collect_garbage(fixture.store, GcMode::dry_run)).removed.empty());
}

}  // namespace

TEST_CASE("an image is imported from every form that people have", "[store][import]") {
    Fixture fixture;
    TestImage const image = small_image();
    auto const oci = oci_layout(image, ref_name("debian:12"));
    auto const docker = docker_archive(image, {"debian:12"});
    SECTION("layout folder") {
        write_folder(fixture.dir / "layout", oci);
        auto const report = value_of(fixture.import(fixture.dir / "layout"));
        CHECK(report.recognised == "OCI image layout");
        CHECK(report.images[0].names == std::vector<std::string>{kDebian});
        CHECK(report.images[0].layers_new == 2);
        check_small_image(fixture, report, image);
        CHECK(value_of(fixture.store.images()).find(image.id())->manifest ==
              base::sha256(image.manifest));
    }
    SECTION("layout tar") {
        auto const report = value_of(fixture.import(fixture.file("x.tar", tar_of(oci))));
        CHECK(report.recognised == "OCI archive");
        check_small_image(fixture, report, image);
    }
    SECTION("layout tar, blobs first, piped") {
        auto members = oci;
        std::ranges::reverse(members);
        auto const report = value_of(fixture.import_piped(tar_of(members)));
        check_small_image(fixture, report, image);
    }
    SECTION("docker archive") {
        auto const report = value_of(fixture.import(fixture.file("x.tar", tar_of(docker))));
        CHECK(report.recognised == "docker archive");
        CHECK(report.images[0].names == std::vector<std::string>{kDebian});
        check_small_image(fixture, report, image);
    }
    SECTION("docker archive, manifest first") {
        auto members = docker;
        std::ranges::rotate(members, members.end() - 1);
        check_small_image(fixture, value_of(fixture.import(fixture.file("x.tar", tar_of(members)))),
                          image);
    }
    SECTION("docker archive, piped") {
        check_small_image(fixture, value_of(fixture.import_piped(tar_of(docker))), image);
    }
    SECTION("docker archive, unpacked") {
        write_folder(fixture.dir / "folder", docker);
        auto const report = value_of(fixture.import(fixture.dir / "folder"));
        CHECK(report.recognised == "docker archive, unpacked");
        check_small_image(fixture, report, image);
    }
    SECTION("compressed as a whole") {
        auto const [program, word] = GENERATE(table<std::string, std::string>(
            {{"gzip", "gzip"}, {"zstd -q", "zstd"}, {"xz", "xz"}, {"bzip2", "bzip2"}}));
        auto const bytes = compressed(fixture.dir, program, tar_of(docker));
        auto const report = value_of(fixture.import(fixture.file("x.tar.z", bytes)));
        CHECK(report.recognised == "docker archive, " + word);
        check_small_image(fixture, report, image);
    }
    SECTION("both in one, as docker save writes it") {
        auto members = oci;
        members.emplace_back("manifest.json", "[" +
                                                  docker_entry(blob_name(image.config),
                                                               {blob_name(image.layers[0]),
                                                                blob_name(image.layers[1])},
                                                               {"debian:12", "debian:bookworm"}) +
                                                  "]");
        auto const report = value_of(fixture.import(fixture.file("x.tar", tar_of(members))));
        CHECK(report.images[0].names ==
              std::vector<std::string>{kDebian, "docker.io/library/debian:bookworm"});
        check_small_image(fixture, report, image);
    }
    SECTION("old folders with linked layers") {
        std::string const one = std::string(64, '1') + "/layer.tar";
        std::string const two = std::string(64, '2') + "/layer.tar";
        std::string const target = base::sha256(image.layers[1]).hex() + ".tar";
        std::string const tar =
            tar_file("repositories", "{}") + tar_file(std::string(64, '1') + "/VERSION", "1.0") +
            tar_file("data.tar", image.layers[0]) + tar_link(one, "data.tar", FileType::regular) +
            tar_link(two, "../" + target) + tar_file(target, image.layers[1]) +
            tar_file("c.json", image.config) +
            tar_file("manifest.json", "[" + docker_entry("c.json", {one, two}, {}) + "]") +
            tar_end();
        auto const report = GENERATE(true, false)
                                ? value_of(fixture.import_piped(tar))
                                : value_of(fixture.import(fixture.file("x.tar", tar)));
        CHECK(report.images[0].names.empty());
        check_small_image(fixture, report, image);
    }
}

TEST_CASE("a second import reads nothing again", "[store][import]") {
    Fixture fixture;
    TestImage const image = small_image();
    std::string const tar = tar_of(docker_archive(image, {"debian:12"}));
    std::string const file = fixture.file("x.tar", tar);
    value_of(fixture.import(file));
    auto const before = fixture.listing();
    auto const again =
        value_of(GENERATE(true, false) ? fixture.import(file) : fixture.import_piped(tar));
    CHECK(again.images[0].layers_new == 0);
    CHECK(again.images[0].layers_known == 2);
    CHECK(fixture.listing() == before);
    check_small_image(fixture, again, image);
}

TEST_CASE("an image of compressed and plain layers is whole for other tools", "[store][import]") {
    Fixture fixture;
    TestImage image = small_image();
    std::string const packed = compressed(fixture.dir, "gzip -n", image.layers[0]);
    image.manifest =
        fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{},{}]}})",
                    descriptor("application/vnd.oci.image.config.v1+json", image.config),
                    descriptor("application/vnd.oci.image.layer.v1.tar+gzip", packed),
                    descriptor("application/vnd.oci.image.layer.v1.tar", image.layers[1]));
    Members members{{"oci-layout", "{}"},
                    {"index.json",
                     index_of({descriptor(kManifestType, image.manifest, ref_name("debian:12"))})},
                    {blob_name(packed), packed}};
    add_blobs(members, image);
    std::string const tar = tar_of(members);
    auto const report =
        value_of(GENERATE(true, false) ? fixture.import_piped(tar)
                                       : fixture.import(fixture.file("x.tar", tar)));
    check_small_image(fixture, report, image);
    for (std::string const& bytes : {packed, image.layers[1], image.config, image.manifest}) {
        CHECK(value_of(fixture.store.read_blob(base::sha256(bytes), 1 << 20)) == bytes);
    }
    auto const view = value_of(sys::read_file(fixture.store.root(), "index.json", 1 << 20));
    CHECK(view.contains("\"org.opencontainers.image.ref.name\":\"debian:12\""));
    CHECK(view.contains("\"io.containerd.image.name\":\"docker.io/library/debian:12\""));
    if (std::system("command -v skopeo >/dev/null") == 0) {
        std::string const source = "oci:" + fixture.store.path() + ":debian:12";
        CHECK(std::system(
                  ("skopeo copy -q " + source + " oci:" + (fixture.dir / "copy") + ":c").c_str()) ==
              0);
    }
}

TEST_CASE("several images of one archive are imported at once", "[store][import]") {
    Fixture fixture;
    TestImage const one = small_image("one");
    TestImage const two = image_of_layers({one.layers[0], tar_of({{"two", "2"}})});
    Members members{
        {"oci-layout", "{}"},
        {"index.json", index_of({descriptor(kManifestType, one.manifest, ref_name("a:1")),
                                 descriptor(kManifestType, two.manifest, ref_name("b:1")),
                                 descriptor(kManifestType, one.manifest, ref_name("a:2"))})}};
    add_blobs(members, one);
    add_blobs(members, two);
    std::string const file = fixture.file("x.tar", tar_of(members));
    SECTION("all of them") {
        auto const report = value_of(fixture.import(file));
        REQUIRE(report.images.size() == 2);
        CHECK(report.images[0].names.size() == 2);
        CHECK(fixture.read(two.id(), "two") == "2");
        CHECK(value_of(measure_usage(fixture.store)).layers == 3);
    }
    SECTION("one of them") {
        auto const report = value_of(fixture.import("oci-archive:" + file + ":b:1"));
        REQUIRE(report.images.size() == 1);
        CHECK(report.images[0].id == two.id());
        CHECK(value_of(measure_usage(fixture.store)).layers == 2);
    }
    SECTION("a name is for one image only") {
        ImportRequest request;
        request.source = file;
        request.name = "x";
        CHECK(fixture.import(request).error().detail.contains("one image only, and there are 2"));
        request.source = "oci-archive:" + file + ":b:1";
        CHECK(value_of(fixture.import(request)).images[0].names ==
              std::vector<std::string>{"docker.io/library/x:latest"});
    }
    SECTION("one that is not there") {
        auto const report = fixture.import("oci-archive:" + file + ":c:1");
        CHECK(report.error().code == Errno::enoent);
        CHECK(report.error().detail.contains("it has a:1, b:1, a:2"));
    }
}

TEST_CASE("a tag in a layout is completed by the layout's name", "[store][import]") {
    Fixture fixture;
    TestImage const image = small_image();
    write_folder(fixture.dir / "debian", oci_layout(image, ref_name("12")));
    auto const source = GENERATE(as<std::string>{}, "", "oci:");
    auto const tag = GENERATE(as<std::string>{}, "", ":12");
    if (source.empty() && !tag.empty()) {
        return;
    }
    auto const report = value_of(fixture.import(source + (fixture.dir / "debian") + tag));
    CHECK(report.images[0].names == std::vector<std::string>{kDebian});
}

TEST_CASE("without a usable name an image is imported dangling, with a warning",
          "[store][import]") {
    Fixture fixture;
    write_folder(fixture.dir / "NoName", oci_layout(small_image(), ref_name("12")));
    auto const report = value_of(fixture.import(fixture.dir / "NoName"));
    CHECK(report.images[0].names.empty());
    REQUIRE(report.images[0].warnings.size() == 1);
    CHECK(report.images[0].warnings[0].contains("\"12\""));
}

TEST_CASE("the platform decides among the manifests of an index", "[store][import]") {
    Fixture fixture;
    TestImage const arm = image_of_layers({tar_of({{"arm", "1"}})}, "arm64");
    TestImage const amd = image_of_layers({tar_of({{"amd", "1"}})}, "amd64");
    auto const entry = [](TestImage const& image, std::string const& architecture) {
        return descriptor(kManifestType, image.manifest,
                          R"(,"platform":{"os":"linux","architecture":")" + architecture + "\"}");
    };
    std::string const nested = index_of({entry(arm, "arm64"), entry(amd, "amd64")});
    Members members{{"oci-layout", "{}"},
                    {"index.json", index_of({descriptor("application/vnd.oci.image.index.v1+json",
                                                        nested, ref_name("x:1"))})},
                    {blob_name(nested), nested}};
    add_blobs(members, arm);
    add_blobs(members, amd);
    ImportRequest request;
    request.source = fixture.file("x.tar", tar_of(members));
    request.platform = "linux/arm64";
    auto const report = value_of(fixture.import(request));
    CHECK(report.images[0].id == arm.id());
    CHECK(value_of(measure_usage(fixture.store)).layers == 1);
    request.platform = "linux/s390x";
    auto const missing = fixture.import(request);
    CHECK(missing.error().code == Errno::enoent);
    CHECK(missing.error().detail.contains("linux/arm64, linux/amd64"));
}

TEST_CASE("a bare root file system becomes an image of one layer", "[store][import]") {
    Fixture fixture;
    REQUIRE(::setenv("SOURCE_DATE_EPOCH", "1700000000", 1) == 0);
    std::string const tar = tar_of({{"etc/name", "debian"}, {"bin/sh", "#!"}});
    ImportRequest request;
    request.name = "root:1";
    SECTION("tar") {
        request.source = fixture.file("root.tar", tar);
        auto const report = value_of(fixture.import(request));
        CHECK(report.recognised == "root file system (tar)");
        CHECK(fixture.read(report.images[0].id, "etc/name") == "debian");
        Images const images = value_of(fixture.store.images());
        Image const& image = *images.find_name("docker.io/library/root:1");
        CHECK(image.created == "2023-11-14T22:13:20Z");
        CHECK(image.layers[0].diff_id == base::sha256(tar));
        // The same again, in another store, is the same image.
        Fixture other;
        request.source = other.file("root.tar", tar);
        CHECK(value_of(other.import(request)).images[0].id == report.images[0].id);
    }
    SECTION("compressed tar") {
        auto const [program, word] = GENERATE(table<std::string, std::string>(
            {{"gzip -n", "gzip"}, {"zstd -q", "zstd"}, {"xz", "xz"}, {"bzip2", "bzip2"}}));
        request.source = fixture.file("root.tar.z", compressed(fixture.dir, program, tar));
        auto const report = value_of(fixture.import(request));
        CHECK(report.recognised == "root file system (tar, " + word + ")");
        CHECK(fixture.read(report.images[0].id, "etc/name") == "debian");
        Images const images = value_of(fixture.store.images());
        CHECK(images.all()[0].layers[0].diff_id == base::sha256(tar));
    }
    SECTION("piped") {
        auto const report = value_of(fixture.import_piped(tar));
        CHECK(fixture.read(report.images[0].id, "etc/name") == "debian");
        CHECK(report.images[0].names.empty());
    }
    SECTION("cpio and zip") {
        write_folder(fixture.dir / "tree", {{"etc/name", "debian"}, {"bin/sh", "#!"}});
        REQUIRE(::link((fixture.dir / "tree/etc/name").c_str(),
                       (fixture.dir / "tree/etc/other").c_str()) == 0);
        bool const cpio = GENERATE(true, false);
        std::string const command =
            cpio ? "bsdtar --format newc -cf ../x ." : "bsdtar --format zip -cf ../x .";
        if (std::system(
                ("cd '" + (fixture.dir / "tree") + "' && " + command + " 2>/dev/null").c_str()) !=
            0) {
            WARN("skipped: no bsdtar");
            return;
        }
        request.source = fixture.dir / "x";
        auto const report = value_of(fixture.import(request));
        CHECK(report.recognised == (cpio ? "root file system (cpio)" : "root file system (zip)"));
        CHECK(fixture.read(report.images[0].id, "etc/name") == "debian");
        CHECK(fixture.read(report.images[0].id, "etc/other") == "debian");
    }
    SECTION("by order, though it looks like an image") {
        request.source =
            fixture.file("x.tar", tar_of(docker_archive(small_image(), {"debian:12"})));
        request.as = ImportRequest::As::rootfs;
        auto const report = value_of(fixture.import(request));
        CHECK(fixture.read(report.images[0].id, "manifest.json").starts_with("[{\"Config\""));
    }
    REQUIRE(::unsetenv("SOURCE_DATE_EPOCH") == 0);
}

TEST_CASE("what is nothing of it is refused, saying what was looked for", "[store][import]") {
    Fixture fixture;
    auto const before = fixture.listing();
    for (std::string const& bytes : {std::string{}, std::string{"text"}, std::string(2000, 'x')}) {
        auto const report = fixture.import(fixture.file("x", bytes));
        CHECK(report.error().code == Errno::einval);
        CHECK(report.error().detail.contains("looked for an OCI image layout"));
        CHECK(fixture.import_piped(bytes).error().code == Errno::einval);
    }
    value_of(sys::mkdir_all(fixture.dir / "empty", 0755));
    CHECK(fixture.import(fixture.dir / "empty").error().detail.contains("looked for"));
    CHECK(fixture.import(fixture.dir / "absent").error().message() ==
          fixture.dir / "absent" + ": open: No such file or directory");
    CHECK(fixture.import("docker://debian").error().detail.contains("oblea pull"));
    CHECK(fixture.import("dir:/x").error().code == Errno::einval);
    CHECK(fixture.listing() == before);
}

TEST_CASE("damaged images end in one error and a store without trace of them", "[store][import]") {
    Fixture fixture;
    TestImage const good = small_image();
    value_of(fixture.import(fixture.file("good.tar", tar_of(docker_archive(good, {"good:1"})))));
    auto const before = fixture.listing();
    std::string const images = value_of(fixture.store.images()).encode();
    TestImage const image = small_image("other");
    auto const oci = oci_layout(image, ref_name("debian:12"));
    auto const docker = docker_archive(image, {"debian:12"});

    auto const damage = [](Members members, std::string const& name,
                           std::string (*change)(std::string)) {
        for (auto& [member, content] : members) {
            if (member == name) {
                content = change(content);
            }
        }
        return tar_of(members);
    };
    auto const flip = [](std::string text) {
        text[text.size() / 2] ^= 1;
        return text;
    };
    auto const cut = [](std::string text) { return text.substr(0, text.size() / 2); };
    auto const without = [](Members members, std::string const& name) {
        std::erase_if(members, [&](auto const& member) { return member.first == name; });
        return tar_of(members);
    };
    std::vector<std::pair<std::string, std::string>> const bad = {
        {"layer flipped", damage(oci, blob_name(image.layers[0]), flip)},
        {"upper layer flipped", damage(oci, blob_name(image.layers[1]), flip)},
        {"layer cut", damage(oci, blob_name(image.layers[0]), cut)},
        {"config flipped", damage(oci, blob_name(image.config), flip)},
        {"manifest flipped", damage(oci, blob_name(image.manifest), flip)},
        {"index cut", damage(oci, "index.json", cut)},
        {"layer missing", without(oci, blob_name(image.layers[0]))},
        {"config missing", without(oci, blob_name(image.config))},
        {"manifest missing", without(oci, blob_name(image.manifest))},
        {"index missing", without(oci, "index.json")},
        {"docker layer flipped", damage(docker, docker[0].first, flip)},
        {"docker layer missing", without(docker, docker[1].first)},
        {"docker config missing", without(docker, docker[2].first)},
        {"docker manifest missing", without(docker, "manifest.json")},
        {"docker manifest cut", damage(docker, "manifest.json", cut)},
        {"truncated in a layer", tar_of(oci).substr(0, 150'000)},
        {"truncated before the end", tar_of(docker).substr(0, tar_of(docker).size() - 3000)},
        {"a name that leads out", tar_file("../x", "y") + tar_of(docker)},
        {"a link that leads out", tar_link("etc.json", "../../etc/passwd") + tar_of(docker)},
        {"layers too few",
         tar_of({{"c.json", image.config},
                 {"x.tar", image.layers[0]},
                 {"manifest.json", "[" + docker_entry("c.json", {"x.tar"}, {}) + "]"}})},
        {"layers in a circle",
         tar_link("a/layer.tar", "b") + tar_link("a/b", "layer.tar") +
             tar_of({{"c.json", image.config},
                     {"manifest.json",
                      "[" + docker_entry("c.json", {"a/layer.tar", "a/layer.tar"}, {}) + "]"}})},
        {"layer that is a document",
         tar_of({{"c.json", image.config},
                 {"manifest.json", "[" + docker_entry("c.json", {"c.json", "c.json"}, {}) + "]"}})},
    };
    for (auto const& [what, bytes] : bad) {
        for (bool const piped : {false, true}) {
            CAPTURE(what, piped);
            auto const report = piped ? fixture.import_piped(bytes)
                                      : fixture.import(fixture.file("bad.tar", bytes));
            REQUIRE_FALSE(report.has_value());
            CAPTURE(report.error().message());
            CHECK_FALSE(report.error().message().contains('\n'));
            CHECK(report.error().code != Errno::eio);
            CHECK(fixture.listing() == before);
            CHECK(value_of(fixture.store.images()).encode() == images);
        }
    }
}

TEST_CASE("sizes beyond all bounds are refused before anything is reserved", "[store][import]") {
    Fixture fixture;
    auto const before = fixture.listing();
    TarMemberHeader header;
    header.path = "manifest.json";
    header.size = std::uint64_t{1} << 60U;
    std::string const tar = value_of(encode_tar_header(header)) + tar_of({{"oci-layout", "{}"}});
    CHECK_FALSE(fixture.import(fixture.file("x.tar", tar)).has_value());
    CHECK_FALSE(fixture.import_piped(tar).has_value());
    CHECK(fixture.listing() == before);
}

TEST_CASE("an interrupted import leaves nothing", "[store][import]") {
    Fixture fixture;
    auto const before = fixture.listing();
    std::atomic<bool> cancel{true};
    ImportRequest request;
    request.source = fixture.file("x.tar", tar_of(docker_archive(small_image(), {"debian:12"})));
    request.cancel = &cancel;
    CHECK(fixture.import(request).error().code == Errno::ecanceled);
    CHECK(fixture.listing() == before);
}

TEST_CASE("progress ends with every layer done", "[store][import]") {
    Fixture fixture;
    ImportRequest request;
    request.source = fixture.file("x.tar", tar_of(docker_archive(small_image(), {"debian:12"})));
    ImportProgress last;
    auto const tell = [&](ImportProgress const& progress) { last = progress; };
    value_of(import_image(fixture.store, request, tell));
    REQUIRE(last.layers.size() == 2);
    for (auto const& layer : last.layers) {
        CHECK(layer.state == ImportProgress::State::done);
        CHECK(layer.bytes == layer.total_bytes);
    }
    value_of(import_image(fixture.store, request, tell));
    CHECK(last.layers[0].state == ImportProgress::State::already_there);
}

TEST_CASE("the largest layers are begun first", "[store][import]") {
    Fixture fixture;
    std::vector<std::string> layers;
    for (std::size_t const bytes : {10'000U, 200'000U, 0U, 50'000U}) {
        layers.push_back(tar_of({{"file", std::string(bytes, 'x')}}));
    }
    TestImage const image = image_of_layers(std::move(layers));
    ImportRequest request;
    request.source = GENERATE(false, true)
                         ? fixture.file("x.tar", tar_of(oci_layout(image)))
                         : fixture.file("x.tar", tar_of(docker_archive(image, {"debian:12"})));
    request.jobs = 1;
    ImportProgress last;
    value_of(import_image(fixture.store, request,
                          [&](ImportProgress const& progress) { last = progress; }));
    REQUIRE(last.layers.size() == image.layers.size());
    CHECK(std::ranges::is_sorted(last.layers, std::greater{}, &ImportProgress::Layer::total_bytes));
}

TEST_CASE("two processes import the same image at once", "[store][import]") {
    Fixture fixture;
    TestImage const image = small_image();
    std::string const file = fixture.file("x.tar", tar_of(docker_archive(image, {"debian:12"})));
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(fixture.import(file).has_value() ? 0 : 1);
    }
    auto const report = fixture.import(file);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    check_small_image(fixture, value_of(report), image);
    CHECK(value_of(measure_usage(fixture.store)).layers == 2);
}

TEST_CASE("an import that is killed leaves what gc removes", "[store][import]") {
    Fixture fixture;
    TestImage const image = small_image();
    std::string const tar = tar_of(docker_archive(image, {"debian:12"}));
    auto const before = fixture.listing();
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    pid_t const child = ::fork();
    if (child == 0) {
        ::dup2(ends[0], 0);
        ::close(ends[1]);
        static_cast<void>(fixture.import("-"));
        ::_exit(0);
    }
    base::UniqueFd input{ends[1]};
    // All of the first layer, and a part of the second: both are staged.
    value_of(sys::write_all(input.get(), base::bytes_of(tar).first(tar.size() - 4000)));
    constexpr std::uint64_t kReserveAndObject = (1U << 20U) + 200'000;
    while (value_of(tree_bytes(fixture.store.root(), layout::kTmp)) < kReserveAndObject) {
        ::usleep(1000);
    }
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(value_of(fixture.store.images()).all().empty());
    CHECK(fixture.listing() != before);
    value_of(collect_garbage(fixture.store, GcMode::remove));
    CHECK(fixture.listing() == before);
}

TEST_CASE("a layer that lost an object is brought back by importing again", "[store][import]") {
    Fixture fixture;
    TestImage const image = small_image();
    std::string const file = fixture.file("x.tar", tar_of(docker_archive(image, {"debian:12"})));
    value_of(fixture.import(file));
    std::string const object = layout::object(base::sha256(std::string(200'000, 'x') + "hello"));
    Digest const layer = base::sha256(image.layers[0]);
    REQUIRE(value_of(has_layer(fixture.store.root(), layer)));

    SECTION("an object") {
        value_of(sys::unlinkat(fixture.store.root(), object.c_str()));
    }
    SECTION("the pack") {
        value_of(sys::unlinkat(fixture.store.root(), layout::layer_pack(layer).c_str()));
    }
    SECTION("the recipe") {
        std::string const path = layout::layer_recipe(layer);
        auto const recipe = value_of(sys::openat(fixture.store.root(), path.c_str(), O_RDWR));
        value_of(sys::ftruncate(recipe.get(), 90));
    }
    SECTION("the index") {
        std::string const path = layout::layer_index(layer);
        auto const index = value_of(sys::openat(fixture.store.root(), path.c_str(), O_RDWR));
        value_of(sys::ftruncate(index.get(), 0));
    }
    CHECK(!value_of(has_layer(fixture.store.root(), layer)));
    auto const report = value_of(fixture.import(file));
    CHECK(report.images.at(0).layers_new == 1);
    CHECK(report.images.at(0).layers_known == 1);
    CHECK(value_of(has_layer(fixture.store.root(), layer)));
    check_small_image(fixture, report, image);
}

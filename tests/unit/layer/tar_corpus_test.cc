// SPDX-License-Identifier: MIT
// Tars of real writers: what our reader sees is what libarchive sees, entry by entry, and an
// imported tar comes back byte for byte.
#include "tests/support/catch.h"
#include "tests/unit/layer/layer_store.h"
#include "tests/unit/layer/tar_builder.h"

#include <clocale>
#include <cstdlib>

using namespace oblea;
using namespace oblea::store;
using namespace oblea::test;

namespace {

struct Seen {
    std::string path;  // in normal form
    std::string type;
    std::string text;  // all else that counts, in words
    auto operator<=>(Seen const&) const = default;
};

std::string normal(std::string_view path) {
    return RelPath::parse(path).value().string();
}

std::string describe_xattrs(std::map<std::string, std::string> const& xattrs) {
    std::string text;
    for (auto const& [name, value] : xattrs) {
        text += ' ' + name + '=' + base::sha256(value).short_hex();
    }
    return text;
}

std::string describe(std::uint32_t permissions, std::int64_t uid, std::int64_t gid,
                     std::int64_t seconds, long nanoseconds) {
    return octal(permissions, 4) + ' ' + std::to_string(uid) + ':' + std::to_string(gid) + ' ' +
           std::to_string(seconds) + '.' + std::to_string(nanoseconds);
}

std::string describe_content(std::string const& whole) {
    return " bytes " + std::to_string(whole.size()) + ' ' + base::sha256(whole).short_hex();
}

std::string inflate_holes(ReadMember const& read) {
    TarMember const& member = read.member;
    if (member.extents.empty() && member.blob_bytes == member.entry.attr.size) {
        return read.content;
    }
    std::string whole(member.entry.attr.size, '\0');
    for (Extent const& extent : member.extents) {
        whole.replace(extent.file_offset, extent.bytes, read.content, extent.blob_offset,
                      extent.bytes);
    }
    return whole;
}

Seen by_us(ReadMember const& read) {
    LayerEntry const& entry = read.member.entry;
    Seen seen{entry.path.string(), "", ""};
    if (entry.kind == LayerEntry::Kind::hard_link) {
        return {entry.path.string(), "hard link", entry.target_path.string()};
    }
    InodeAttr const& attr = entry.attr;
    seen.text =
        describe(attr.permissions, attr.uid, attr.gid, attr.mtime.seconds, attr.mtime.nanoseconds);
    seen.text += describe_xattrs({entry.xattrs.begin(), entry.xattrs.end()});
    switch (attr.type) {
    case FileType::regular:
        seen.type = "regular";
        seen.text += describe_content(inflate_holes(read));
        break;
    case FileType::directory:
        seen.type = "directory";
        break;
    case FileType::symlink:
        seen.type = "symlink";
        seen.text += " -> " + entry.symlink_target;
        break;
    case FileType::char_device:
    case FileType::block_device:
        seen.type = attr.type == FileType::char_device ? "char" : "block";
        seen.text +=
            ' ' + std::to_string(attr.device.major) + ',' + std::to_string(attr.device.minor);
        break;
    default:
        seen.type = "fifo";
    }
    return seen;
}

std::string libarchive_content(archive* reader, archive_entry* entry) {
    std::string whole(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
    void const* block = nullptr;
    std::size_t bytes = 0;
    la_int64_t offset = 0;
    while (archive_read_data_block(reader, &block, &bytes, &offset) == ARCHIVE_OK) {
        whole.replace(static_cast<std::size_t>(offset), bytes, static_cast<char const*>(block),
                      bytes);
    }
    return whole;
}

Seen by_libarchive(archive* reader, archive_entry* entry) {
    Seen seen{normal(archive_entry_pathname(entry)), "", ""};
    if (char const* const target = archive_entry_hardlink(entry); target != nullptr) {
        return {seen.path, "hard link", normal(target)};
    }
    seen.text =
        describe(archive_entry_perm(entry), archive_entry_uid(entry), archive_entry_gid(entry),
                 archive_entry_mtime(entry), archive_entry_mtime_nsec(entry));
    std::map<std::string, std::string> xattrs;
    archive_entry_xattr_reset(entry);
    char const* name = nullptr;
    void const* value = nullptr;
    std::size_t bytes = 0;
    while (archive_entry_xattr_next(entry, &name, &value, &bytes) == ARCHIVE_OK) {
        xattrs[name] = std::string{static_cast<char const*>(value), bytes};
    }
    seen.text += describe_xattrs(xattrs);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        seen.type = "regular";
        seen.text += describe_content(libarchive_content(reader, entry));
        break;
    case AE_IFDIR:
        seen.type = "directory";
        break;
    case AE_IFLNK:
        seen.type = "symlink";
        seen.text += std::string{" -> "} + archive_entry_symlink(entry);
        break;
    case AE_IFCHR:
    case AE_IFBLK:
        seen.type = archive_entry_filetype(entry) == AE_IFCHR ? "char" : "block";
        seen.text += ' ' + std::to_string(archive_entry_rdevmajor(entry)) + ',' +
                     std::to_string(archive_entry_rdevminor(entry));
        break;
    default:
        seen.type = "fifo";
    }
    return seen;
}

std::vector<Seen> read_by_libarchive(std::string const& tar) {
    archive* const reader = archive_read_new();
    archive_read_support_format_tar(reader);
    archive_read_open_memory(reader, tar.data(), tar.size());
    std::vector<Seen> list;
    archive_entry* entry = nullptr;
    while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
        list.push_back(by_libarchive(reader, entry));
    }
    CHECK(archive_error_string(reader) == nullptr);
    archive_read_free(reader);
    return list;
}

class Corpus {
public:
    Corpus() {
        std::string const command = std::string{OBLEA_CORPUS_SCRIPT} + " '" + dir_.path() + "' >&2";
        if (std::system(command.c_str()) != 0) {
            throw std::runtime_error(command);
        }
        base::UniqueFd const folder = base::sys::open(dir_.path(), O_RDONLY | O_DIRECTORY).value();
        auto const entries = base::sys::list_dir(folder.get()).value();
        for (auto const& entry : entries) {
            tars[entry.name] =
                base::sys::read_file(folder.get(), entry.name.c_str(), 1U << 28U).value();
        }
    }
    std::map<std::string, std::string> tars;

private:
    TempDir dir_;
};

Corpus const& corpus() {
    static Corpus const made;
    return made;
}

}  // namespace

TEST_CASE("real tars are read as libarchive reads them", "[layer][tar_reader]") {
    // libarchive converts the names of pax to the locale's characters.
    REQUIRE(std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr);
    REQUIRE(corpus().tars.size() >= 18);
    for (auto const& [name, tar] : corpus().tars) {
        CAPTURE(name);
        std::vector<Seen> const expected = read_by_libarchive(tar);
        CHECK_FALSE(expected.empty());
        for (std::size_t const step : {std::size_t{65536}, std::size_t{1000}}) {
            CAPTURE(step);
            auto const members = read_tar(tar, step);
            REQUIRE((members.has_value() ? "" : members.error().message()) == "");
            std::vector<Seen> seen;
            for (ReadMember const& member : *members) {
                seen.push_back(by_us(member));
            }
            CHECK(seen.size() == expected.size());
            for (std::size_t i = 0; i < std::min(seen.size(), expected.size()); ++i) {
                CHECK(seen[i].path == expected[i].path);
                CAPTURE(seen[i].path);
                CHECK(seen[i].type == expected[i].type);
                CHECK(seen[i].text == expected[i].text);
            }
        }
    }
}

TEST_CASE("an imported tar is exported byte for byte", "[layer][import]") {
    // 1 makes every content an object, the last one none.
    auto const [kind, threshold] = GENERATE(table<Compression, std::uint64_t>({
        {Compression::none, 1},
        {Compression::gzip, 65536},
        {Compression::zstd, ~std::uint64_t{0}},
    }));
    LayerStore const store;
    for (auto const& [name, tar] : corpus().tars) {
        CAPTURE(name);
        std::string const stream = kind == Compression::none ? tar : compressed(kind, tar);
        auto const layer = import_text(store, stream, {}, {.object_threshold_bytes = threshold});
        REQUIRE((layer.has_value() ? "" : layer.error().message()) == "");
        CHECK(layer->diff_id == base::sha256(tar));
        CHECK(layer->blob == base::sha256(stream));
        CHECK(layer->blob_bytes == stream.size());
        CHECK(layer->tar_bytes == tar.size());
        CHECK(layer->compression == kind);
        CHECK(export_text(store, layer->diff_id) == tar);
    }
    CHECK(base::sys::list_dir(base::sys::openat(store.root(), "tmp", O_RDONLY | O_DIRECTORY)->get())
              ->empty());
}

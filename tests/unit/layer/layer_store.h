// SPDX-License-Identifier: MIT
// What the tests of layers share: a bare store, streams from strings, compression by libarchive,
// and a tar read into a list.
#pragma once
#include "store/base/sys.h"
#include "store/layer/import_layer.h"
#include "store/layer/layout.h"
#include "store/layer/tar_reader.h"
#include "tests/support/temp_dir.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace oblea::test {

// The folders of an empty store.
class LayerStore {
public:
    LayerStore() {
        for (char const* const name : {"layers", "objects", "tmp", "blobs/sha256"}) {
            if (!base::sys::mkdir_all(dir_ / name, 0700).has_value()) {
                throw std::runtime_error(dir_ / name);
            }
        }
        root_ = base::sys::open(dir_.path(), O_RDONLY | O_DIRECTORY).value();
    }
    [[nodiscard]] int root() const { return root_.get(); }

    // Every file and folder with its size, contents of files hashed.
    [[nodiscard]] std::vector<std::string> listing() const {
        std::vector<std::string> lines;
        list(root_.get(), "", lines);
        std::sort(lines.begin(), lines.end());
        return lines;
    }

    [[nodiscard]] std::string read(std::string const& path) const {
        return base::sys::read_file(root(), path.c_str(), 1U << 30U).value();
    }

private:
    static void list(int dir, std::string const& prefix, std::vector<std::string>& lines) {
        auto const entries = base::sys::list_dir(dir).value();
        for (auto const& entry : entries) {
            std::string const path = prefix + '/' + entry.name;
            if (path == "/lock") {
                continue;  // made by whoever first takes it
            }
            if (entry.type == DT_DIR) {
                lines.push_back(path + '/');
                auto const below =
                    base::sys::openat(dir, entry.name.c_str(), O_RDONLY | O_DIRECTORY).value();
                list(below.get(), path, lines);
            } else {
                auto const text = base::sys::read_file(dir, entry.name.c_str(), 1U << 30U).value();
                lines.push_back(path + ' ' + std::to_string(text.size()) + ' ' +
                                base::sha256(text).short_hex());
            }
        }
    }

    TempDir dir_;
    base::UniqueFd root_;
};

// Gives the bytes in pieces of at most `step`.
class StepSource final : public base::ByteSource {
public:
    StepSource(std::string_view text, std::size_t step)
        : rest_(base::bytes_of(text)), step_(step) {}
    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = std::min({buffer.size(), rest_.size(), step_});
        std::copy_n(rest_.begin(), count, buffer.begin());
        rest_ = rest_.subspan(count);
        return count;
    }

private:
    base::ByteView rest_;
    std::size_t step_;
};

inline Result<store::ImportedLayer> import_text(LayerStore const& store, std::string_view bytes,
                                                store::LayerClaims const& claims = {},
                                                store::LayerImportOptions const& options = {}) {
    base::MemorySource source{base::bytes_of(bytes)};
    return store::import_layer(store.root(), source, claims, options);
}

class TextSink final : public store::TarSink {
public:
    Status write(base::ByteView data) override {
        text += base::text_of(data);
        return {};
    }
    std::string text;
};

inline std::string export_text(LayerStore const& store, store::Digest const& diff_id) {
    TextSink sink;
    auto const exported = store::export_layer(store.root(), diff_id, sink);
    if (!exported.has_value()) {
        throw std::runtime_error(exported.error().message());
    }
    return sink.text;
}

// By libarchive, so that our decompressors meet the output of others.
inline std::string compressed(store::Compression kind, std::string_view text) {
    std::string out;
    archive* const writer = archive_write_new();
    kind == store::Compression::gzip ? archive_write_add_filter_gzip(writer)
                                     : archive_write_add_filter_zstd(writer);
    archive_write_set_format_raw(writer);
    archive_write_set_bytes_in_last_block(writer, 1);
    archive_write_open(
        writer, &out, nullptr,
        [](archive*, void* into, void const* bytes, std::size_t count) {
            static_cast<std::string*>(into)->append(static_cast<char const*>(bytes), count);
            return static_cast<la_ssize_t>(count);
        },
        nullptr);
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(writer, entry);
    archive_write_data(writer, text.data(), text.size());
    archive_entry_free(entry);
    archive_write_close(writer);
    archive_write_free(writer);
    return out;
}

class LiteralText final : public store::LiteralSink {
public:
    Status literal(base::ByteView bytes) override {
        text += base::text_of(bytes);
        return {};
    }
    std::string text;
};

struct ReadMember {
    store::TarMember member;
    std::string content;  // as stored in the tar
};

// All members of a tar, read in chunks of `step` bytes; contents larger than 64 MiB are refused.
inline Result<std::vector<ReadMember>> read_tar(std::string_view tar, std::size_t step = 65536) {
    StepSource source{tar, step};
    base::BufferedChunks chunks{source};
    LiteralText literals;
    store::TarReader reader{chunks, literals};
    std::vector<ReadMember> members;
    for (;;) {
        auto member = OBLEA_TRY(reader.next());
        if (!member.has_value()) {
            return members;
        }
        ReadMember read{std::move(*member), {}};
        bool const regular = read.member.entry.kind == store::LayerEntry::Kind::inode &&
                             read.member.entry.attr.type == store::FileType::regular;
        while (regular) {
            auto const piece = OBLEA_TRY(reader.content());
            if (piece.empty()) {
                break;
            }
            read.content += base::text_of(piece);
        }
        members.push_back(std::move(read));
    }
}

}  // namespace oblea::test

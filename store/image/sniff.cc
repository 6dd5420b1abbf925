// SPDX-License-Identifier: MIT
#include "store/image/sniff.h"

#include "store/image/archive_reader.h"
#include "store/layer/tar_header.h"

#include <algorithm>
#include <array>

namespace oblea::store {

namespace {

constexpr std::size_t kNamesMax = 64;

bool begins(base::ByteView head, std::string_view magic, std::size_t offset = 0) {
    return base::text_of(head).substr(std::min(offset, head.size())).starts_with(magic);
}

bool is_zstd(base::ByteView head) {
    using namespace std::string_view_literals;
    // A zstd stream may begin with skippable frames, 0x184D2A50 to 0x184D2A5F.
    bool const skippable = head.size() >= 4 && (head[0] & std::byte{0xf0}) == std::byte{0x50} &&
                           begins(head, "\x2a\x4d\x18"sv, 1);
    return skippable || begins(head, "\x28\xb5\x2f\xfd"sv);
}

// The checksum of a tar header is the sum of its bytes, with the field itself taken as spaces.
bool is_tar_header(base::ByteView head) {
    constexpr std::size_t kField = 148;
    constexpr std::size_t kFieldBytes = 8;
    if (head.size() < kTarBlockBytes) {
        return false;
    }
    long sum = 0;
    long stored = 0;
    bool digits = false;
    bool ended = false;
    for (std::size_t i = 0; i < kTarBlockBytes; ++i) {
        bool const in_field = i >= kField && i < kField + kFieldBytes;
        auto const byte = std::to_integer<unsigned char>(head[i]);
        sum += in_field ? ' ' : byte;
        if (!in_field || ended) {
            continue;
        }
        if (byte >= '0' && byte <= '7') {
            stored = stored * 8 + (byte - '0');
            digits = true;
        } else {
            ended = digits;
        }
    }
    return digits && sum == stored;
}

// The end of a tar is zeros, and a tar may have nothing else.
bool is_empty_tar(base::ByteView head) {
    return head.size() >= kTarBlockBytes &&
           std::ranges::all_of(head, [](std::byte byte) { return byte == std::byte{0}; });
}

bool is_hex_id(std::string_view text) {
    return text.size() >= 64 && std::ranges::all_of(text.substr(0, 64), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

std::vector<std::string> names_in(base::ByteView head) {
    std::vector<std::string> names;
    base::MemorySource source{head};
    auto archive = ArchiveReader::open(source, ArchiveReader::Format::tar);
    while (archive.has_value() && names.size() < kNamesMax) {
        // The head ends in the middle of something: that is no fault.
        auto const entry = archive->next();
        if (!entry.has_value() || !entry->has_value()) {
            break;
        }
        auto const path = RelPath::parse((*entry)->path);
        if (path.has_value()) {
            names.push_back(path->string());
        }
    }
    return names;
}

StreamKind sniff_compressed(base::ByteView head) {
    base::MemorySource source{head};
    auto archive = ArchiveReader::open(source, ArchiveReader::Format::raw);
    if (!archive.has_value()) {
        return StreamKind::unknown;
    }
    auto const entry = archive->next();
    base::Bytes plain(kTarBlockBytes);
    std::size_t bytes = 0;
    while (entry.has_value() && entry->has_value() && bytes < plain.size()) {
        auto const count = archive->read(base::MutableBytes{plain}.subspan(bytes));
        if (!count.has_value() || *count == 0) {
            break;
        }
        bytes += *count;
    }
    return sniff(base::ByteView{plain}.first(bytes));
}

}  // namespace

StreamKind sniff(base::ByteView head) {
    using namespace std::string_view_literals;
    struct Magic {
        std::string_view text;
        StreamKind kind;
    };
    static constexpr std::array kMagics = {
        Magic{"\x1f\x8b"sv, StreamKind::gzip},
        Magic{"\xfd"
              "7zXZ\0"sv,
              StreamKind::xz},
        Magic{"BZh"sv, StreamKind::bzip2},
        Magic{"\x04\x22\x4d\x18"sv, StreamKind::lz4},
        Magic{"PK\x03\x04"sv, StreamKind::zip},
        Magic{"PK\x05\x06"sv, StreamKind::zip},
        Magic{"070701"sv, StreamKind::cpio},
        Magic{"070702"sv, StreamKind::cpio},
        Magic{"070707"sv, StreamKind::cpio},
        Magic{"\x5d\0\0"sv, StreamKind::lzma},
    };
    if (head.empty()) {
        return StreamKind::empty;
    }
    if (is_tar_header(head) || is_empty_tar(head)) {
        return StreamKind::tar;
    }
    if (is_zstd(head)) {
        return StreamKind::zstd;
    }
    auto const at =
        std::ranges::find_if(kMagics, [&](Magic const& magic) { return begins(head, magic.text); });
    return at == kMagics.end() ? StreamKind::unknown : at->kind;
}

bool is_compressed(StreamKind kind) {
    return kind == StreamKind::gzip || kind == StreamKind::zstd || kind == StreamKind::xz ||
           kind == StreamKind::bzip2 || kind == StreamKind::lzma || kind == StreamKind::lz4;
}

char const* name_of(StreamKind kind) {
    switch (kind) {
    case StreamKind::unknown:
        return "unknown";
    case StreamKind::empty:
        return "empty";
    case StreamKind::tar:
        return "tar";
    case StreamKind::cpio:
        return "cpio";
    case StreamKind::zip:
        return "zip";
    case StreamKind::gzip:
        return "gzip";
    case StreamKind::zstd:
        return "zstd";
    case StreamKind::xz:
        return "xz";
    case StreamKind::bzip2:
        return "bzip2";
    case StreamKind::lzma:
        return "lzma";
    case StreamKind::lz4:
        return "lz4";
    }
    return "unknown";
}

std::size_t head_bytes_for(base::ByteView head) {
    constexpr std::size_t kUsual = 64U << 10U;
    constexpr std::size_t kBzip2 = 1U << 20U;
    return sniff(head) == StreamKind::bzip2 ? kBzip2 : kUsual;
}

Sniffed sniff_archive(base::ByteView head) {
    Sniffed sniffed;
    sniffed.outer = sniff(head);
    sniffed.archive = is_compressed(sniffed.outer) ? sniff_compressed(head) : sniffed.outer;
    if (sniffed.archive == StreamKind::tar) {
        sniffed.names = names_in(head);
    }
    return sniffed;
}

Looks judge_names(std::vector<std::string> const& names) {
    static constexpr std::array<std::string_view, 17> kRootFolders = {
        "bin", "boot", "dev",  "etc", "home", "lib", "lib64", "media", "mnt",
        "opt", "proc", "root", "run", "sbin", "sys", "usr",   "var"};
    static constexpr std::array<std::string_view, 5> kImageFiles = {
        "oci-layout", "index.json", "manifest.json", "repositories", "blobs"};
    // Layers and configs under names of their own, with manifest.json somewhere behind them.
    bool const parts_only =
        !names.empty() && std::ranges::all_of(names, [](std::string const& name) {
            return name.find('/') == std::string::npos &&
                   (name.ends_with(".json") || name.ends_with(".tar") || name.ends_with(".tar.gz"));
        });
    Looks looks = parts_only ? Looks::like_image : Looks::unknown;
    for (std::string const& name : names) {
        std::string_view const top = std::string_view{name}.substr(0, name.find('/'));
        if (std::ranges::find(kRootFolders, top) != kRootFolders.end()) {
            return Looks::like_rootfs;
        }
        bool const image = std::ranges::find(kImageFiles, top) != kImageFiles.end() ||
                           is_hex_id(top) || top.starts_with("sha256:") ||
                           name.ends_with("/layer.tar");
        if (image) {
            looks = Looks::like_image;
        }
    }
    return looks;
}

Result<base::ByteView> HeadSource::peek(std::size_t bytes) {
    std::size_t const had = head_.size();
    if (bytes > had) {
        head_.resize(bytes);
        std::size_t const count =
            OBLEA_TRY(base::read_full(source_, base::MutableBytes{head_}.subspan(had)));
        head_.resize(had + count);
    }
    return base::ByteView{head_};
}

Result<std::size_t> HeadSource::read(base::MutableBytes buffer) {
    if (given_ == head_.size()) {
        return source_.read(buffer);
    }
    auto const rest = base::ByteView{head_}.subspan(given_);
    std::size_t const count = std::min(buffer.size(), rest.size());
    std::ranges::copy(rest.first(count), buffer.begin());
    given_ += count;
    return count;
}

}  // namespace oblea::store

// SPDX-License-Identifier: MIT
#include "store/layer/framed_pack.h"

#include "store/base/checked.h"
#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/layer/zstd_context.h"

#include <fmt/format.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>

namespace oblea::store {

namespace sys = base::sys;
using base::Bytes;
using base::ByteView;
using base::MutableBytes;

namespace {

// store/decisions/0003-shared-packs-may-be-framed.md has the figures.
constexpr std::size_t kFrameBytes = 64U << 10U;
constexpr int kFrameLevel = 9;
constexpr std::size_t kFramesAtOnce = 32;

// The seek table: a skippable frame with an entry for each frame and a footer.
constexpr std::uint32_t kSkippableMagic = 0x184D2A5E;
constexpr std::uint32_t kSeekableMagic = 0x8F92EAB1;
constexpr std::size_t kSkippableHeaderBytes = 8;  // magic, bytes that follow
constexpr std::size_t kEntryBytes = 8;            // compressed, decompressed
constexpr std::size_t kFooterBytes = 9;           // frames, descriptor, magic
// A descriptor with checksums, or with what may come, has other entries.
constexpr std::byte kDescriptorUnused{0x03};

Result<Bytes> compress_frame(ByteView plain) {
    ZstdCompressor const context{ZSTD_createCCtx()};
    if (context == nullptr ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kFrameLevel)) !=
            0 ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1)) != 0) {
        return fail(Errno::enomem, "ZSTD_createCCtx");
    }
    Bytes frame(ZSTD_compressBound(plain.size()));
    std::size_t const bytes =
        ZSTD_compress2(context.get(), frame.data(), frame.size(), plain.data(), plain.size());
    if (ZSTD_isError(bytes) != 0) {
        return fail(Errno::enomem, "zstd", ZSTD_getErrorName(bytes));
    }
    frame.resize(bytes);
    return frame;
}

struct SeekEntry {
    std::uint32_t compressed = 0;
    std::uint32_t plain = 0;
};

Bytes encode_table(std::span<SeekEntry const> entries) {
    std::size_t const body = (entries.size() * kEntryBytes) + kFooterBytes;
    Bytes table(kSkippableHeaderBytes + body);
    base::store_le(table.data(), kSkippableMagic);
    base::store_le(&table[4], static_cast<std::uint32_t>(body));
    std::byte* at = &table[kSkippableHeaderBytes];
    for (SeekEntry const& entry : entries) {
        base::store_le(at, entry.compressed);
        base::store_le(at + 4, entry.plain);
        at += kEntryBytes;
    }
    base::store_le(at, static_cast<std::uint32_t>(entries.size()));
    base::store_le(at + 5, kSeekableMagic);
    return table;
}

// The entries, once the table is of the size that it says and ends with the file. `file_bytes` is
// what the file has.
Result<Bytes> read_table(int file, std::uint64_t file_bytes) {
    constexpr std::size_t kAround = kSkippableHeaderBytes + kFooterBytes;
    std::array<std::byte, kFooterBytes> footer{};
    if (file_bytes < kAround ||
        OBLEA_TRY(sys::pread_full(file, footer, file_bytes - kFooterBytes)) < kFooterBytes) {
        return fail(Errno::euclean, "", "it is too short for a table of frames");
    }
    std::uint64_t const frames = base::load_le<std::uint32_t>(footer.data());
    if (base::load_le<std::uint32_t>(&footer[5]) != kSeekableMagic ||
        (footer[4] & ~kDescriptorUnused) != std::byte{0}) {
        return fail(Errno::euclean, "", "it does not end with a table of frames");
    }
    if (frames == 0 || frames > limits::kPackFramesMax ||
        (frames * kEntryBytes) + kAround > file_bytes) {
        return fail(Errno::euclean, "", fmt::format("its table has {} frames", frames));
    }
    Bytes table((static_cast<std::size_t>(frames) * kEntryBytes) + kAround);
    if (OBLEA_TRY(sys::pread_full(file, table, file_bytes - table.size())) < table.size() ||
        base::load_le<std::uint32_t>(table.data()) != kSkippableMagic ||
        base::load_le<std::uint32_t>(&table[4]) != table.size() - kSkippableHeaderBytes) {
        return fail(Errno::euclean, "", "its table of frames is no skippable frame");
    }
    return table;
}

}  // namespace

Result<FramedPack> FramedPack::open(base::UniqueFd file, std::string path, FrameCache& cache) {
    FramedPack pack{std::move(file), std::move(path), cache};
    auto read = [&]() -> Status {
        struct stat const info = OBLEA_TRY(sys::fstat(pack.file_.get()));
        auto const file_bytes = static_cast<std::uint64_t>(info.st_size);
        Bytes const table = OBLEA_TRY(read_table(pack.file_.get(), file_bytes));
        std::size_t const frames =
            (table.size() - kSkippableHeaderBytes - kFooterBytes) / kEntryBytes;
        pack.begins_.reserve(frames + 1);
        std::uint64_t begin = 0;
        for (std::size_t i = 0; i < frames; ++i) {
            std::byte const* const at = &table[kSkippableHeaderBytes + (i * kEntryBytes)];
            std::size_t const compressed = base::load_le<std::uint32_t>(at);
            std::size_t const plain = base::load_le<std::uint32_t>(at + 4);
            if (i == 0) {
                pack.frame_bytes_ = plain;
            }
            bool const last = i + 1 == frames;
            if (plain == 0 || plain > limits::kPackFrameBytesMax ||
                (last ? plain > pack.frame_bytes_ : plain != pack.frame_bytes_) ||
                compressed == 0 || compressed > ZSTD_compressBound(plain)) {
                return fail(
                    Errno::euclean, "",
                    fmt::format("frame {} is said to hold {} bytes in {}", i, plain, compressed));
            }
            pack.begins_.push_back(begin);
            begin += compressed;
            pack.bytes_ += plain;
        }
        pack.begins_.push_back(begin);
        if (begin + table.size() != file_bytes) {
            return fail(Errno::euclean, "", "its frames are not what lies before the table");
        }
        return {};
    }();
    OBLEA_TRY(with_context(std::move(read), [&] { return pack.path_; }));
    return pack;
}

std::size_t FramedPack::bytes_of_frame(std::size_t frame) const {
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(frame_bytes_, bytes_ - (frame * std::uint64_t{frame_bytes_})));
}

Result<Bytes> FramedPack::decompress(std::size_t frame) const {
    Bytes compressed(static_cast<std::size_t>(begins_[frame + 1] - begins_[frame]));
    if (OBLEA_TRY(sys::pread_full(file_.get(), compressed, begins_[frame])) < compressed.size()) {
        return fail(Errno::euclean, "", "it is cut off");
    }
    ZstdDecompressor const context{ZSTD_createDCtx()};
    if (context == nullptr) {
        return fail(Errno::enomem, "ZSTD_createDCtx");
    }
    Bytes plain(bytes_of_frame(frame));
    std::size_t const count = ZSTD_decompressDCtx(context.get(), plain.data(), plain.size(),
                                                  compressed.data(), compressed.size());
    if (ZSTD_isError(count) != 0) {
        return fail(Errno::euclean, "", ZSTD_getErrorName(count));
    }
    if (count != plain.size()) {
        return fail(Errno::euclean, "", "it holds less than the table says");
    }
    return plain;
}

Result<std::shared_ptr<Bytes const>> FramedPack::frame_at(std::size_t frame) const {
    std::uint64_t const key = (std::uint64_t{number_} << 32U) | frame;
    if (auto found = cache_->frames_.find(key)) {
        return found;
    }
    auto plain =
        with_context(decompress(frame), [&] { return fmt::format("{}: frame {}", path_, frame); });
    auto shared = std::make_shared<Bytes const>(OBLEA_TRY(std::move(plain)));
    std::size_t const bytes = shared->size();
    return cache_->frames_.keep(key, std::move(shared), bytes);
}

Status FramedPack::read(MutableBytes buffer, std::uint64_t offset) const {
    if (!base::range_fits<std::uint64_t>(offset, buffer.size(), bytes_)) {
        return fail(Errno::euclean, "", path_ + " is too short");
    }
    while (!buffer.empty()) {
        auto const frame = OBLEA_TRY(frame_at(static_cast<std::size_t>(offset / frame_bytes_)));
        auto const rest = ByteView{*frame}.subspan(static_cast<std::size_t>(offset % frame_bytes_));
        std::size_t const count = std::min(rest.size(), buffer.size());
        std::ranges::copy(rest.first(count), buffer.begin());
        buffer = buffer.subspan(count);
        offset += count;
    }
    return {};
}

Result<std::uint64_t> write_framed_pack(PackBytes const& plain, std::uint64_t bytes, int target,
                                        std::atomic<bool> const* cancel) {
    if ((bytes - 1) / kFrameBytes >= limits::kPackFramesMax) {
        return fail(Errno::e2big, "", fmt::format("a pack of {} bytes has too many frames", bytes));
    }
    std::vector<SeekEntry> entries;
    std::uint64_t written = 0;
    Bytes buffer;
    for (std::uint64_t offset = 0; offset < bytes; offset += buffer.size()) {
        if (cancel != nullptr && *cancel) {
            return fail(Errno::ecanceled, "", "interrupted");
        }
        buffer.resize(static_cast<std::size_t>(
            std::min<std::uint64_t>(kFramesAtOnce * kFrameBytes, bytes - offset)));
        OBLEA_TRY(plain(buffer, offset));
        std::vector<Result<Bytes>> frames((buffer.size() + kFrameBytes - 1) / kFrameBytes);
        auto const piece = [&](std::size_t i) {
            auto const rest = ByteView{buffer}.subspan(i * kFrameBytes);
            return rest.first(std::min(kFrameBytes, rest.size()));
        };
        tbb::parallel_for(std::size_t{0}, frames.size(),
                          [&](std::size_t i) { frames[i] = compress_frame(piece(i)); });
        for (std::size_t i = 0; i < frames.size(); ++i) {
            Bytes const frame = OBLEA_TRY(std::move(frames[i]));
            OBLEA_TRY(sys::write_all(target, frame));
            entries.push_back({.compressed = static_cast<std::uint32_t>(frame.size()),
                               .plain = static_cast<std::uint32_t>(piece(i).size())});
            written += frame.size();
        }
    }
    Bytes const table = encode_table(entries);
    OBLEA_TRY(sys::write_all(target, table));
    return written + table.size();
}

}  // namespace oblea::store

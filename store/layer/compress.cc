// SPDX-License-Identifier: MIT
#include "store/layer/compress.h"

#include "store/base/hash.h"
#include "store/base/sys.h"
#include "store/layer/zstd_context.h"

#include <oneapi/tbb/parallel_for.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <thread>

namespace oblea::store {

namespace {

namespace sys = base::sys;
using base::Bytes;
using base::ByteView;

// These three are part of what makes a result reproducible.
constexpr std::size_t kGzipBlockBytes = 512U << 10U;
constexpr int kGzipLevel = 6;
constexpr int kZstdLevel = 3;

constexpr std::size_t kDictionaryBytes = 32U << 10U;
constexpr std::size_t kBlocksAtOnce = 16;

// What has come out: into the file, and into the digest.
class Output {
public:
    explicit Output(int fd) : fd_(fd) {}

    Status write(ByteView data) {
        hash_.update(data);
        bytes_ += data.size();
        return sys::write_all(fd_, data);
    }
    [[nodiscard]] CompressedStream finish() { return {.digest = hash_.finish(), .bytes = bytes_}; }

private:
    int fd_;
    base::Sha256 hash_;
    std::uint64_t bytes_ = 0;
};

class PlainSink final : public CompressingSink {
public:
    explicit PlainSink(int fd) : out_(fd) {}
    Status write(ByteView data) override { return out_.write(data); }
    Result<CompressedStream> finish() override { return out_.finish(); }

private:
    Output out_;
};

struct EndDeflate {
    void operator()(z_stream* stream) const noexcept { deflateEnd(stream); }
};

// zlib takes what it only reads through pointers to non-const bytes.
Bytef* input_of(ByteView data) {
    return const_cast<Bytef*>(base::uchars_of(data));
}

// One block, ended at a byte's border, so that the next may follow.
Result<Bytes> deflate_block(ByteView data, ByteView dictionary) {
    z_stream stream{};
    if (deflateInit2(&stream, kGzipLevel, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return fail(Errno::enomem, "deflateInit2");
    }
    std::unique_ptr<z_stream, EndDeflate> const end{&stream};
    if (!dictionary.empty()) {
        deflateSetDictionary(&stream, input_of(dictionary), static_cast<uInt>(dictionary.size()));
    }
    // The bound is for Z_FINISH; a sync flush adds five bytes at most.
    Bytes out(deflateBound(&stream, data.size()) + 16);
    stream.next_in = input_of(data);
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = base::uchars_of(base::MutableBytes{out});
    stream.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_in != 0) {
        return fail(Errno::eio, "deflate");
    }
    out.resize(out.size() - stream.avail_out);
    return out;
}

class GzipSink final : public CompressingSink {
public:
    explicit GzipSink(int fd) : out_(fd) {}

    Status write(ByteView data) override {
        while (!data.empty()) {
            std::size_t const room =
                (kBlocksAtOnce * kGzipBlockBytes) - (pending_.size() - before_);
            auto const part = data.first(std::min(room, data.size()));
            pending_.insert(pending_.end(), part.begin(), part.end());
            data = data.subspan(part.size());
            if (part.size() == room) {
                OBLEA_TRY(compress_pending());
            }
        }
        return {};
    }

    Result<CompressedStream> finish() override {
        OBLEA_TRY(compress_pending());
        OBLEA_TRY(write_header());
        // The last block, which is empty; CRC and length, little-endian.
        std::array<unsigned char, 10> trailer{0x03, 0x00};
        for (unsigned i = 0; i < 4; ++i) {
            trailer.at(2 + i) = static_cast<unsigned char>(crc_ >> (8 * i));
            trailer.at(6 + i) = static_cast<unsigned char>(tar_bytes_ >> (8 * i));
        }
        OBLEA_TRY(out_.write(std::as_bytes(std::span{trailer})));
        return out_.finish();
    }

private:
    struct Block {
        Result<Bytes> out = Bytes{};
        uLong crc = 0;
        std::size_t bytes = 0;
    };

    Status write_header() {
        if (!begun_) {
            begun_ = true;
            // No name, no time, no system: nothing of where and when.
            constexpr std::array<unsigned char, 10> kHeader{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
            return out_.write(std::as_bytes(std::span{kHeader}));
        }
        return {};
    }

    Status compress_pending() {
        ByteView const all = pending_;
        std::size_t const bytes = all.size() - before_;
        std::vector<Block> blocks((bytes + kGzipBlockBytes - 1) / kGzipBlockBytes);
        tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t i) {
            std::size_t const begin = before_ + (i * kGzipBlockBytes);
            auto const data = all.subspan(begin, std::min(kGzipBlockBytes, all.size() - begin));
            std::size_t const known = std::min(begin, kDictionaryBytes);
            blocks[i].out = deflate_block(data, all.subspan(begin - known, known));
            blocks[i].crc = crc32(0, base::uchars_of(data), static_cast<uInt>(data.size()));
            blocks[i].bytes = data.size();
        });
        OBLEA_TRY(write_header());
        for (Block& block : blocks) {
            Bytes const out = OBLEA_TRY(std::move(block.out));
            OBLEA_TRY(out_.write(out));
            crc_ = crc32_combine(crc_, block.crc, static_cast<z_off_t>(block.bytes));
            tar_bytes_ += block.bytes;
        }
        // What follows looks back into this.
        before_ = std::min(pending_.size(), kDictionaryBytes);
        pending_.erase(pending_.begin(),
                       pending_.end() - static_cast<Bytes::difference_type>(before_));
        return {};
    }

    Output out_;
    Bytes pending_;           // dictionary, then what is to be compressed
    std::size_t before_ = 0;  // bytes of the dictionary
    bool begun_ = false;
    uLong crc_ = 0;
    std::uint64_t tar_bytes_ = 0;
};

class ZstdSink final : public CompressingSink {
public:
    explicit ZstdSink(int fd)
        : out_(fd), context_(ZSTD_createCCtx()), buffer_(ZSTD_CStreamOutSize()) {}

    Status set_up() {
        if (context_ == nullptr) {
            return fail(Errno::enomem, "ZSTD_createCCtx");
        }
        // One worker cuts the input as many do; none at all would give another result.
        auto const workers =
            static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U));
        for (auto const& [parameter, value] :
             {std::pair{ZSTD_c_compressionLevel, kZstdLevel}, std::pair{ZSTD_c_checksumFlag, 1},
              std::pair{ZSTD_c_nbWorkers, workers}}) {
            std::size_t const code = ZSTD_CCtx_setParameter(context_.get(), parameter, value);
            if (ZSTD_isError(code) != 0U) {
                return fail(Errno::einval, "", std::string{"libzstd: "} + ZSTD_getErrorName(code));
            }
        }
        return {};
    }

    Status write(ByteView data) override { return feed(data, ZSTD_e_continue); }

    Result<CompressedStream> finish() override {
        OBLEA_TRY(feed({}, ZSTD_e_end));
        return out_.finish();
    }

private:
    Status feed(ByteView data, ZSTD_EndDirective end) {
        ZSTD_inBuffer in{data.data(), data.size(), 0};
        for (;;) {
            ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
            std::size_t const left = ZSTD_compressStream2(context_.get(), &out, &in, end);
            if (ZSTD_isError(left) != 0U) {
                return fail(Errno::eio, "", std::string{"libzstd: "} + ZSTD_getErrorName(left));
            }
            OBLEA_TRY(out_.write(ByteView{buffer_}.first(out.pos)));
            if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) {
                return {};
            }
        }
    }

    Output out_;
    ZstdCompressor context_;
    Bytes buffer_;
};

}  // namespace

Result<std::unique_ptr<CompressingSink>> make_compressor(Compression compression, int fd) {
    switch (compression) {
    case Compression::none:
        return std::make_unique<PlainSink>(fd);
    case Compression::gzip:
        return std::make_unique<GzipSink>(fd);
    case Compression::zstd:
        break;
    }
    auto sink = std::make_unique<ZstdSink>(fd);
    OBLEA_TRY(sink->set_up());
    return sink;
}

}  // namespace oblea::store

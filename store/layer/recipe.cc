// SPDX-License-Identifier: MIT
#include "store/layer/recipe.h"

#include "store/base/checked.h"
#include "store/base/sys.h"
#include "store/layer/decompress.h"
#include "store/layer/recipe_format.h"
#include "store/layer/zstd_context.h"

#include <algorithm>
#include <array>
#include <new>

namespace oblea::store {

namespace {

using base::ByteView;
namespace format = recipe_format;

constexpr std::size_t kLiteralBytesMax = 128U
                                         << 10U;  // of one record, and so of the reader's memory
constexpr int kLevel = 3;
constexpr std::size_t kVarintBytesMax = 10;

void put_varint(base::Bytes& into, std::uint64_t value) {
    while (value >= 0x80) {
        into.push_back(static_cast<std::byte>((value & 0x7fU) | 0x80U));
        value >>= 7U;
    }
    into.push_back(static_cast<std::byte>(value));
}

std::unexpected<Error> damaged(std::string_view why) {
    return fail(Errno::euclean, "", "recipe is damaged: " + std::string{why});
}

}  // namespace

struct RecipeWriter::Compressor {
    ZstdCompressor context{ZSTD_createCCtx()};
    base::Bytes input;
    base::Bytes output = base::Bytes(ZSTD_CStreamOutSize());
};

RecipeWriter::RecipeWriter(base::UniqueFd file)
    : file_(std::move(file)), compressor_(std::make_unique<Compressor>()) {
    ZSTD_CCtx* const context = compressor_->context.get();
    if (context == nullptr ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kLevel)) != 0 ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) != 0) {
        throw std::bad_alloc();
    }
}

RecipeWriter::~RecipeWriter() = default;

Status RecipeWriter::literal(ByteView bytes) {
    tar_bytes_ += bytes.size();
    while (!bytes.empty()) {
        std::size_t const count = std::min(bytes.size(), kLiteralBytesMax - literal_.size());
        literal_.insert(literal_.end(), bytes.begin(),
                        bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        if (literal_.size() == kLiteralBytesMax) {
            OBLEA_TRY(end_literal());
        }
    }
    return {};
}

Status RecipeWriter::pack(std::uint64_t offset, std::uint64_t bytes) {
    OBLEA_TRY(end_literal());
    base::Bytes record{std::byte{format::kPack}};
    put_varint(record, offset);
    put_varint(record, bytes);
    tar_bytes_ += bytes;
    return put(record);
}

Status RecipeWriter::object(Digest const& digest, std::uint64_t bytes) {
    OBLEA_TRY(end_literal());
    auto const [known, is_new] = numbers_.try_emplace(digest, objects_.size());
    base::Bytes record{std::byte{is_new ? format::kNewObject : format::kKnownObject}};
    if (is_new) {
        objects_.push_back(digest);
        record.insert(record.end(), digest.value.begin(), digest.value.end());
    } else {
        put_varint(record, known->second);
    }
    put_varint(record, bytes);
    tar_bytes_ += bytes;
    return put(record);
}

Status RecipeWriter::end_literal() {
    if (literal_.empty()) {
        return {};
    }
    base::Bytes head{std::byte{format::kLiteral}};
    put_varint(head, literal_.size());
    OBLEA_TRY(put(head));
    OBLEA_TRY(put(literal_));
    literal_.clear();
    return {};
}

Status RecipeWriter::put(ByteView record) {
    if (records_bytes_ == 0) {
        // The place of the header, which is known at the end only.
        OBLEA_TRY(file_.append(base::Bytes(format::kHeaderBytes)));
    }
    base::Bytes& input = compressor_->input;
    input.insert(input.end(), record.begin(), record.end());
    records_bytes_ += record.size();
    return input.size() < kLiteralBytesMax ? Status{} : compress(false);
}

Status RecipeWriter::compress(bool last) {
    ZSTD_inBuffer input{compressor_->input.data(), compressor_->input.size(), 0};
    for (;;) {
        ZSTD_outBuffer output{compressor_->output.data(), compressor_->output.size(), 0};
        std::size_t const left = ZSTD_compressStream2(compressor_->context.get(), &output, &input,
                                                      last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left) != 0) {
            return fail(Errno::enomem, "zstd", ZSTD_getErrorName(left));
        }
        OBLEA_TRY(file_.append(ByteView{compressor_->output}.first(output.pos)));
        if (last ? left == 0 : input.pos == input.size) {
            compressor_->input.clear();
            return {};
        }
    }
}

namespace {

Result<std::uint64_t> check_of_body(int file, std::uint64_t body_bytes) {
    base::Bytes piece(format::kBodyCheckPieceBytes);
    std::uint64_t check = 0;
    for (std::uint64_t done = 0; done < body_bytes;) {
        auto const step =
            static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), body_bytes - done));
        auto const view = base::MutableBytes{piece}.first(step);
        std::size_t const count =
            OBLEA_TRY(base::sys::pread_full(file, view, format::kHeaderBytes + done));
        check = base::xxh3_64(ByteView{view}.first(count), check);
        done += step;
    }
    return check;
}

}  // namespace

Status RecipeWriter::finish(Digest const& diff_id) {
    OBLEA_TRY(end_literal());
    OBLEA_TRY(put(std::array{std::byte{format::kEnd}}));
    OBLEA_TRY(compress(true));
    OBLEA_TRY(file_.flush());
    std::uint64_t const body_check =
        OBLEA_TRY(check_of_body(file_.fd(), file_.bytes() - format::kHeaderBytes));
    std::array<std::byte, format::kHeaderBytes> header{};
    std::byte* const at = header.data();
    std::copy_n(base::bytes_of(format::kMagic).begin(), 8, at);
    base::store_le<std::uint32_t>(at + format::kVersionAt, format::kVersion);
    base::store_le<std::uint64_t>(at + format::kTarBytesAt, tar_bytes_);
    base::store_le<std::uint64_t>(at + format::kBodyBytesAt, file_.bytes() - format::kHeaderBytes);
    base::store_le<std::uint64_t>(at + format::kRecordsBytesAt, records_bytes_);
    base::store_le<std::uint64_t>(at + format::kObjectsAt, objects_.size());
    std::copy(diff_id.value.begin(), diff_id.value.end(), at + format::kDiffIdAt);
    base::store_le<std::uint64_t>(at + format::kBodyCheckAt, body_check);
    base::store_le<std::uint64_t>(at + format::kHeaderCheckAt,
                                  base::xxh3_64(ByteView{header}.first(format::kHeaderCheckAt)));
    return base::sys::pwrite_all(file_.fd(), header, 0);
}

Status RecipeWriter::sync() {
    return file_.sync();
}

namespace {

struct Header {
    RecipeSummary summary;
    std::uint64_t body_bytes = 0;
    std::uint64_t records_bytes = 0;
    std::uint64_t body_check = 0;  // 0: not recorded
};

Result<Header> read_header(int file) {
    std::array<std::byte, format::kHeaderBytes> bytes{};
    std::size_t const count = OBLEA_TRY(base::sys::pread_full(file, bytes, 0));
    std::byte const* const at = bytes.data();
    if (count < bytes.size() ||
        !base::text_of(bytes).starts_with(std::string_view{format::kMagic, 8})) {
        return damaged("no header");
    }
    if (base::load_le<std::uint32_t>(at + format::kVersionAt) != format::kVersion ||
        base::load_le<std::uint32_t>(at + format::kFeaturesAt) != 0) {
        return fail(Errno::eopnotsupp, "",
                    "the recipe is of a newer version of oblea: use that version");
    }
    if (base::load_le<std::uint64_t>(at + format::kHeaderCheckAt) !=
        base::xxh3_64(ByteView{bytes}.first(format::kHeaderCheckAt))) {
        return damaged("wrong checksum of its header");
    }
    Header header;
    std::copy_n(at + format::kDiffIdAt, header.summary.diff_id.value.size(),
                header.summary.diff_id.value.begin());
    header.summary.tar_bytes = base::load_le<std::uint64_t>(at + format::kTarBytesAt);
    header.summary.objects = base::load_le<std::uint64_t>(at + format::kObjectsAt);
    header.body_bytes = base::load_le<std::uint64_t>(at + format::kBodyBytesAt);
    header.body_check = base::load_le<std::uint64_t>(at + format::kBodyCheckAt);
    header.records_bytes = base::load_le<std::uint64_t>(at + format::kRecordsBytesAt);
    struct stat const info = OBLEA_TRY(base::sys::fstat(file));
    auto const size = static_cast<std::uint64_t>(info.st_size);
    if (size < format::kHeaderBytes || size - format::kHeaderBytes != header.body_bytes) {
        return damaged("it has a length of " + std::to_string(size) + " bytes, and should have " +
                       std::to_string(header.body_bytes + format::kHeaderBytes));
    }
    return header;
}

// The records, one after the other, from the decompressed body.
class RecordReader {
public:
    RecordReader(base::ByteSource& records, RecipeVisitor& visitor)
        : chunks_(records), visitor_(visitor) {}

    Status run() {
        for (;;) {
            auto const kind = std::to_integer<std::uint8_t>(OBLEA_TRY(take_byte()));
            if (kind == format::kEnd) {
                return OBLEA_TRY(refill()) ? Status{damaged("something follows its end")}
                                           : Status{};
            }
            OBLEA_TRY(take_record(kind));
        }
    }

    [[nodiscard]] std::uint64_t tar_bytes() const { return tar_bytes_; }
    [[nodiscard]] std::uint64_t records_bytes() const { return records_bytes_; }
    [[nodiscard]] std::size_t objects() const { return objects_.size(); }

private:
    Result<bool> refill() {
        if (rest_.empty()) {
            auto more = chunks_.next();
            if (!more.has_value() && more.error().code == Errno::einval) {
                return damaged(more.error().detail);
            }
            rest_ = OBLEA_TRY(std::move(more));
        }
        return !rest_.empty();
    }

    Result<ByteView> take(std::uint64_t bytes_max) {
        if (!OBLEA_TRY(refill())) {
            return damaged("it ends in the middle");
        }
        auto const count =
            static_cast<std::size_t>(std::min<std::uint64_t>(rest_.size(), bytes_max));
        ByteView const taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        records_bytes_ += count;
        return taken;
    }

    Result<std::byte> take_byte() { return OBLEA_TRY(take(1))[0]; }

    Result<std::uint64_t> take_varint() {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < kVarintBytesMax; ++i) {
            auto const byte = std::to_integer<std::uint64_t>(OBLEA_TRY(take_byte()));
            std::uint64_t const bits = byte & 0x7fU;
            if (i == kVarintBytesMax - 1 && bits > 1) {
                break;
            }
            value |= bits << (7 * i);
            if ((byte & 0x80U) == 0) {
                return value;
            }
        }
        return damaged("a number that does not fit 64 bits");
    }

    Result<Digest> take_digest() {
        Digest digest;
        for (std::byte& byte : digest.value) {
            byte = OBLEA_TRY(take_byte());
        }
        return digest;
    }

    Result<std::uint64_t> take_length() {
        std::uint64_t const bytes = OBLEA_TRY(take_varint());
        auto const sum = base::checked_add(tar_bytes_, bytes);
        if (!sum.has_value()) {
            return damaged("lengths past 64 bits");
        }
        tar_bytes_ = *sum;
        return bytes;
    }

    Status take_record(std::uint8_t kind) {
        switch (kind) {
        case format::kLiteral: {
            for (std::uint64_t left = OBLEA_TRY(take_length()); left > 0;) {
                ByteView const piece = OBLEA_TRY(take(left));
                left -= piece.size();
                OBLEA_TRY(visitor_.literal(piece));
            }
            return {};
        }
        case format::kPack: {
            std::uint64_t const offset = OBLEA_TRY(take_varint());
            std::uint64_t const bytes = OBLEA_TRY(take_length());
            return visitor_.pack(offset, bytes);
        }
        case format::kNewObject: {
            objects_.push_back(OBLEA_TRY(take_digest()));
            std::uint64_t const bytes = OBLEA_TRY(take_length());
            return visitor_.object(objects_.back(), bytes);
        }
        case format::kKnownObject: {
            std::uint64_t const number = OBLEA_TRY(take_varint());
            std::uint64_t const bytes = OBLEA_TRY(take_length());
            if (number >= objects_.size()) {
                return damaged("an object that it has not named");
            }
            return visitor_.object(objects_[static_cast<std::size_t>(number)], bytes);
        }
        default:
            return damaged("a record of unknown kind " + std::to_string(kind));
        }
    }

    base::BufferedChunks chunks_;
    RecipeVisitor& visitor_;
    ByteView rest_;
    std::uint64_t records_bytes_ = 0;
    std::uint64_t tar_bytes_ = 0;
    std::vector<Digest> objects_;
};

}  // namespace

Result<RecipeSummary> read_recipe_header(int file) {
    return OBLEA_TRY(read_header(file)).summary;
}

Result<RecipeSummary> read_recipe(int file, RecipeVisitor& visitor) {
    Header const header = OBLEA_TRY(read_header(file));
    // zstd's own checksum is of what comes out: bits that mean nothing to it may flip unseen.
    if (header.body_check != 0 &&
        OBLEA_TRY(check_of_body(file, header.body_bytes)) != header.body_check) {
        return damaged("wrong checksum of its body");
    }
    base::FileRangeSource body{file, format::kHeaderBytes, header.body_bytes};
    base::BufferedChunks compressed{body};
    auto const records = make_decompressor(Compression::zstd, compressed);
    RecordReader reader{*records, visitor};
    OBLEA_TRY(reader.run());
    if (reader.tar_bytes() != header.summary.tar_bytes ||
        reader.records_bytes() != header.records_bytes ||
        reader.objects() != header.summary.objects) {
        return damaged("its header and its body disagree");
    }
    return header.summary;
}

}  // namespace oblea::store

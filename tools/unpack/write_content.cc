// SPDX-License-Identifier: MIT
#include "tools/unpack/write_content.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/sys.h"

#include <algorithm>

namespace oblea::tools {

namespace sys = base::sys;

namespace {

// The bytes [begin, end), which are data.
Status write_piece(store::ImageView const& image, store::InodeNo file, std::uint64_t begin,
                   std::uint64_t end, int target) {
    base::Bytes buffer;
    while (begin < end) {
        std::size_t const wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, base::kBufferBytes));
        base::ByteView data = OBLEA_TRY(image.mapped(file, begin, wanted));
        if (data.empty()) {
            buffer.resize(wanted);
            data = base::ByteView{buffer}.first(OBLEA_TRY(image.read(file, buffer, begin)));
        }
        if (data.empty()) {
            return fail(Errno::euclean, "", "the contents end early");
        }
        OBLEA_TRY(sys::pwrite_all(target, data, begin));
        begin += data.size();
    }
    return {};
}

// The next place from `offset` on where data or a hole begins; `size` when there is none.
Result<std::uint64_t> next(store::ImageView const& image, store::InodeNo file, std::uint64_t offset,
                           store::ImageView::Seek what, std::uint64_t size) {
    auto const found = image.seek(file, offset, what);
    if (found.has_value()) {
        return std::min(*found, size);
    }
    if (found.error().code == Errno{ENXIO}) {
        return size;
    }
    return std::unexpected<Error>(found.error());
}

}  // namespace

Status write_content(store::ImageView const& image, store::InodeNo file, std::uint64_t size,
                     int target) {
    if (auto const object = OBLEA_TRY(image.object(file))) {
        std::uint64_t const copied = OBLEA_TRY(sys::copy_range(object->get(), 0, target, 0, size));
        if (copied != size) {
            return fail(Errno::euclean, "", "the contents end early");
        }
        return {};
    }
    using Seek = store::ImageView::Seek;
    std::uint64_t end = 0;
    for (std::uint64_t begin = 0; begin < size; begin = end) {
        begin = OBLEA_TRY(next(image, file, begin, Seek::data, size));
        end = OBLEA_TRY(next(image, file, begin, Seek::hole, size));
        if (begin < size && end <= begin) {
            return fail(Errno::euclean, "", "the map of holes contradicts itself");
        }
        OBLEA_TRY(write_piece(image, file, begin, end, target));
        if (begin == size) {
            return sys::ftruncate(target, size);  // it ends with a hole
        }
    }
    return {};
}

}  // namespace oblea::tools

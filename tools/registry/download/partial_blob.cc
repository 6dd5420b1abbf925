// SPDX-License-Identifier: MIT
#include "tools/registry/download/partial_blob.h"

#include "store/base/byte_source.h"
#include "store/base/hash.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

namespace oblea::registry {

namespace sys = base::sys;
using base::UniqueFd;

namespace {

// FORMAT.md "Downloads". All numbers little-endian.
constexpr std::string_view kMagic = "OBLEADL1";
constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kBootIdOffset = 24;
constexpr std::size_t kBootIdBytes = 36;
constexpr std::size_t kCountBytes = 8;
constexpr std::size_t kEntryBytes = 2 * kCountBytes;

std::string map_path(std::string const& path) {
    return path + ".map";
}

Result<bool> names_file(int root, std::string const& path, int fd) {
    struct stat const own = OBLEA_TRY(sys::fstat(fd));
    auto const named = OBLEA_TRY(sys::stat_if_exists(root, path.c_str()));
    return named.has_value() && named->st_ino == own.st_ino && named->st_dev == own.st_dev;
}

}  // namespace

PartialBlob::PartialBlob(Place place)
    : place_(std::move(place)), done_((place_.bytes + kPartBytes - 1) / kPartBytes),
      durable_(done_.size()) {
    place_.boot_id.resize(kBootIdBytes);
}

Result<std::unique_ptr<PartialBlob>> PartialBlob::open(Place place) {
    int const root = place.root;
    std::string const path = store::layout::download(place.digest);
    // The constructor is private, out of make_unique's reach.
    std::unique_ptr<PartialBlob> blob{new PartialBlob{std::move(place)}};
    if (OBLEA_TRY(blob->take(path))) {
        OBLEA_TRY(with_context(blob->load_map(), [&] { return path; }));
        return blob;
    }
    blob->data_ = OBLEA_TRY(sys::openat(root, store::layout::kTmp, O_RDWR | O_TMPFILE, 0600));
    return blob;
}

PartialBlob::~PartialBlob() {
    if (done_bytes() == 0) {
        remove();
    }
}

// Opens and locks the file of that name; false while another process has it.
Result<bool> PartialBlob::take(std::string const& path) {
    for (;;) {
        UniqueFd file = OBLEA_TRY(with_context(
            sys::openat(place_.root, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600),
            [&] { return path; }));
        if (!OBLEA_TRY(sys::try_lock(file.get(), sys::LockKind::exclusive))) {
            return false;
        }
        // Who had it before may have removed it.
        if (OBLEA_TRY(names_file(place_.root, path, file.get()))) {
            data_ = std::move(file);
            path_ = path;
            map_ = OBLEA_TRY(sys::openat(place_.root, map_path(path).c_str(),
                                         O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
            return true;
        }
    }
}

Status PartialBlob::load_map() {
    base::Bytes map(kHeaderBytes + (done_.size() * kEntryBytes));
    std::size_t const count = OBLEA_TRY(sys::pread_full(map_.get(), map, 0));
    auto const text = base::text_of(map);
    bool const fits = count == map.size() && text.starts_with(kMagic) &&
                      base::load_le<std::uint64_t>(&map[8]) == place_.bytes &&
                      base::load_le<std::uint64_t>(&map[16]) == kPartBytes;
    if (!fits) {
        // Nothing that can be trusted: from the beginning.
        OBLEA_TRY(sys::ftruncate(map_.get(), 0));
        OBLEA_TRY(sys::ftruncate(data_.get(), 0));
    }
    bool const same_boot = text.substr(kBootIdOffset, kBootIdBytes) == place_.boot_id &&
                           place_.boot_id.front() != '\0';
    struct stat const info = OBLEA_TRY(sys::fstat(data_.get()));
    auto const file_bytes = static_cast<std::uint64_t>(info.st_size);
    for (std::size_t i = 0; fits && i < done_.size(); ++i) {
        std::size_t const at = kHeaderBytes + (i * kEntryBytes);
        std::uint64_t const durable = base::load_le<std::uint64_t>(&map[at + kCountBytes]);
        std::uint64_t const done = same_boot ? base::load_le<std::uint64_t>(&map[at]) : durable;
        bool const possible = done <= part_bytes(i) && part_begin(i) + done <= file_bytes;
        done_[i] = possible ? done : 0;
        durable_[i] = std::min(durable, done_[i].load());
    }
    resumed_ = done_bytes();
    // Young from now on: gc leaves it alone. The header, which says whose boot's counts these are,
    // comes last: cut off before it, they are still those of the other boot.
    for (std::size_t i = 0; i < done_.size(); ++i) {
        OBLEA_TRY(note(i, Count::done, done_[i]));
        OBLEA_TRY(note(i, Count::durable, durable_[i]));
    }
    OBLEA_TRY(write_header());
    return sys::fchmod(data_.get(), 0600);
}

Status PartialBlob::write_header() const {
    base::Bytes header(kHeaderBytes);
    std::memcpy(header.data(), kMagic.data(), kMagic.size());
    base::store_le<std::uint64_t>(&header[8], place_.bytes);
    base::store_le<std::uint64_t>(&header[16], kPartBytes);
    std::memcpy(&header[kBootIdOffset], place_.boot_id.data(), kBootIdBytes);
    return sys::pwrite_all(map_.get(), header, 0);
}

// The two counts of a part are written by different threads, and apart.
Status PartialBlob::note(std::size_t part, Count count, std::uint64_t bytes) const {
    if (!map_.valid()) {
        return {};
    }
    std::array<std::byte, kCountBytes> number{};
    base::store_le<std::uint64_t>(number.data(), bytes);
    std::size_t const at = kHeaderBytes + (part * kEntryBytes);
    return sys::pwrite_all(map_.get(), number, count == Count::done ? at : at + kCountBytes);
}

std::uint64_t PartialBlob::part_bytes(std::size_t part) const {
    return std::min(kPartBytes, place_.bytes - part_begin(part));
}

std::uint64_t PartialBlob::part_done(std::size_t part) const {
    return done_[part].load(std::memory_order_acquire);
}

std::uint64_t PartialBlob::done_bytes() const {
    return std::accumulate(done_.begin(), done_.end(), std::uint64_t{0},
                           [](std::uint64_t sum, auto const& part) { return sum + part.load(); });
}

std::uint64_t PartialBlob::readable_from(std::uint64_t offset) const {
    if (offset >= place_.bytes) {
        return 0;
    }
    auto const part = static_cast<std::size_t>(offset / kPartBytes);
    std::uint64_t const inside = offset - part_begin(part);
    std::uint64_t const done = part_done(part);
    return done > inside ? done - inside : 0;
}

Status PartialBlob::append(std::size_t part, base::ByteView data) {
    std::uint64_t const at = part_done(part);
    OBLEA_TRY(with_context(sys::pwrite_all(data_.get(), data, part_begin(part) + at),
                           [&] { return path_.empty() ? std::string{"a download"} : path_; }));
    std::uint64_t const done = at + data.size();
    OBLEA_TRY(note(part, Count::done, done));
    done_[part].store(done, std::memory_order_release);
    return {};
}

Status PartialBlob::make_durable() {
    if (!map_.valid()) {
        return {};  // nobody goes on with it
    }
    // What comes while the disk is waited for is left to the next time.
    std::vector<std::uint64_t> there(done_.size());
    std::ranges::transform(done_, there.begin(),
                           [](auto const& done) { return done.load(std::memory_order_acquire); });
    if (there == durable_) {
        return {};
    }
    OBLEA_TRY(with_context(sys::fdatasync(data_.get()), [&] { return path_; }));
    for (std::size_t part = 0; part < there.size(); ++part) {
        if (there[part] != durable_[part]) {
            OBLEA_TRY(note(part, Count::durable, there[part]));
        }
    }
    durable_ = std::move(there);
    return {};
}

Result<bool> PartialBlob::verify() const {
    base::Sha256 hash;
    base::FileRangeSource source{data_.get(), 0, place_.bytes};
    base::Bytes buffer(1U << 20U);
    for (;;) {
        std::size_t const count = OBLEA_TRY(source.read(buffer));
        if (count == 0) {
            return hash.finish() == place_.digest;
        }
        hash.update(base::ByteView{buffer}.first(count));
    }
}

void PartialBlob::remove() {
    if (!path_.empty()) {
        // What cannot be removed now is debris that gc takes.
        static_cast<void>(sys::unlink_if_exists(place_.root, map_path(path_).c_str()));
        static_cast<void>(sys::unlink_if_exists(place_.root, path_.c_str()));
        path_.clear();
    }
}

}  // namespace oblea::registry

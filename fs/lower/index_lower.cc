// SPDX-License-Identifier: MIT
#include "fs/lower/index_lower.h"

#include <sys/mman.h>

#include <algorithm>
#include <charconv>

namespace oblea::fs {

using store::InodeNo;

namespace {

constexpr std::size_t kWarmBytesMax = std::size_t{16} << 20U;
constexpr std::size_t kWarmStep = std::size_t{256} << 10U;

LowerEntry entry_of(store::Dirent const& dirent) {
    return {.name = dirent.name, .ino = dirent.ino, .type = dirent.type};
}

}  // namespace

Result<LowerAttr> IndexLower::attr(InodeNo ino) const {
    store::InodeAttr const attr = OBLEA_TRY(index_.attr(ino));
    std::uint64_t const blocks =
        attr.type == store::FileType::regular ? (attr.size + 511) / 512 : std::uint64_t{0};
    return LowerAttr{attr, attr.mtime, attr.mtime, blocks};
}

// Spec: madvise(2), MADV_POPULATE_READ since Linux 5.14: what cannot be read is an error of the
// call, and no SIGBUS.
void IndexLower::warm_up(std::stop_token const& ended) const {
    base::ByteView rest = index_.bytes();
    if (rest.size() > kWarmBytesMax) {
        return;
    }
    while (!rest.empty() && !ended.stop_requested()) {
        base::ByteView const step = rest.first(std::min(rest.size(), kWarmStep));
        if (::madvise(const_cast<std::byte*>(step.data()), step.size(), MADV_POPULATE_READ) != 0) {
            return;  // then pages come as they are asked for
        }
        rest = rest.subspan(step.size());
    }
}

Result<std::string> IndexLower::symlink_target(InodeNo ino) const {
    return std::string{OBLEA_TRY(index_.symlink_target(ino))};
}

Result<std::optional<std::string>> IndexLower::xattr(InodeNo ino, std::string_view name) const {
    auto const value = OBLEA_TRY(index_.xattr(ino, name));
    return value.has_value() ? std::optional{std::string{*value}} : std::nullopt;
}

Result<std::vector<std::string>> IndexLower::xattr_names(InodeNo ino) const {
    auto const names = OBLEA_TRY(index_.xattr_names(ino));
    return std::vector<std::string>(names.begin(), names.end());
}

Result<std::optional<LowerEntry>> IndexLower::lookup(InodeNo directory,
                                                     std::string_view name) const {
    auto const found = OBLEA_TRY(index_.lookup(directory, name));
    if (!found.has_value() || found->kind != store::DirentKind::entry) {
        return std::optional<LowerEntry>{};
    }
    return std::optional{entry_of(*found)};
}

Result<LowerEntry> IndexLower::entry(InodeNo directory, std::uint32_t position) const {
    return entry_of(OBLEA_TRY(index_.entry(directory, position)));
}

Status IndexLower::make_reverse() const {
    std::vector<NameRef> names;
    for (std::uint32_t number = 1; number <= index_.inode_count(); ++number) {
        InodeNo const directory{number};
        if (OBLEA_TRY(index_.attr(directory)).type != store::FileType::directory) {
            continue;
        }
        std::uint32_t const count = OBLEA_TRY(index_.entry_count(directory));
        for (std::uint32_t position = 0; position < count; ++position) {
            names.push_back(
                {OBLEA_TRY(index_.entry(directory, position)).ino, directory, position});
        }
    }
    std::ranges::stable_sort(names, {}, &NameRef::ino);
    reverse_.names = std::move(names);
    reverse_.made = true;
    return {};
}

Result<std::vector<LowerName>> IndexLower::names(InodeNo ino) const {
    {
        base::LockGuard const lock{reverse_.mutex};
        if (!reverse_.made) {
            OBLEA_TRY(make_reverse());
        }
    }
    std::vector<LowerName> result;
    for (NameRef const& ref : std::ranges::equal_range(reverse_.names, ino, {}, &NameRef::ino)) {
        result.push_back(
            {ref.directory, OBLEA_TRY(index_.entry(ref.directory, ref.position)).name});
    }
    return result;
}

Result<std::string> IndexLower::origin_key(InodeNo ino) const {
    store::Origin const origin = OBLEA_TRY(index_.origin(ino));
    store::Digest const layer = OBLEA_TRY(index_.layer(origin.layer));
    return layer.hex() + '.' + std::to_string(std::to_underlying(origin.ino));
}

Result<std::optional<InodeNo>> IndexLower::find_origin(std::string_view key) const {
    auto const dot = key.find('.');
    if (dot == std::string_view::npos) {
        return std::optional<InodeNo>{};
    }
    std::string_view const number = key.substr(dot + 1);
    std::uint32_t ino = 0;
    auto const [end, error] = std::from_chars(number.data(), number.data() + number.size(), ino);
    if (error != std::errc{} || end != number.data() + number.size()) {
        return std::optional<InodeNo>{};
    }
    // A layer may lie in a stack more than once; what is visible of it is visible from the topmost.
    for (std::uint32_t position = index_.layer_count(); position-- > 0;) {
        store::LayerPos const layer{position};
        if (OBLEA_TRY(index_.layer(layer)).hex() != key.substr(0, dot)) {
            continue;
        }
        auto const found = OBLEA_TRY(index_.find_origin({layer, InodeNo{ino}}));
        if (found.has_value()) {
            return found;
        }
    }
    return std::optional<InodeNo>{};
}

}  // namespace oblea::fs

// SPDX-License-Identifier: MIT
// What uppers remember of the files in a stack of folders, and how they are found by it.
#include "fs/lower/folder_lower_impl.h"

#include <fmt/format.h>
#include <linux/stat.h>

#include <charconv>

namespace oblea::fs {
namespace {

constexpr char const* kRootKey = "root";

std::string encode_key(FileKey const& key) {
    return fmt::format("{}{}.{}.{:x}.{}", key.stable == FileKey::Stable::yes ? 'f' : 'x',
                       key.device, key.number, key.birth, static_cast<unsigned>(key.type));
}

std::optional<FileKey> parse_key(std::string_view text) {
    if (!text.starts_with('f') && !text.starts_with('x')) {
        return std::nullopt;
    }
    char const* at = text.data() + 1;
    char const* const end = text.data() + text.size();
    FileKey key{.stable = text.front() == 'f' ? FileKey::Stable::yes : FileKey::Stable::no};
    unsigned type = 0;
    auto const take = [&](auto& value, int base) {
        if (at != text.data() + 1) {
            if (at == end || *at != '.') {
                return false;
            }
            ++at;
        }
        auto const [next, error] = std::from_chars(at, end, value, base);
        at = next;
        return error == std::errc{};
    };
    bool const whole =
        take(key.device, 10) && take(key.number, 10) && take(key.birth, 16) && take(type, 10);
    if (!whole || at != end || type < 1 || type > static_cast<unsigned>(FileType::socket) ||
        type == static_cast<unsigned>(FileType::directory)) {
        return std::nullopt;
    }
    key.type = FileType{static_cast<std::uint8_t>(type)};
    return key;
}

}  // namespace

Result<std::uint64_t> birth_of(int folder, std::string_view name) {
    struct statx info = {};
    if (::statx(folder, std::string{name}.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) != 0) {
        return fail(sys::last_errno(), "statx");
    }
    if ((info.stx_mask & STATX_BTIME) == 0) {
        return std::uint64_t{0};
    }
    return static_cast<std::uint64_t>(info.stx_btime.tv_sec) * 1'000'000'000U +
           info.stx_btime.tv_nsec;
}

Result<std::string> FolderLower::origin_key(InodeNo ino) const {
    if (ino == InodeNo::root) {
        return std::string{kRootKey};
    }
    InodeRecord const* const one = OBLEA_TRY(record(ino));
    if (one->type == FileType::directory) {
        return std::string{};
    }
    bool const stable =
        one->device < layers_->stable_devices() && one->alias == InodeRecord::Alias::no;
    if (!stable) {
        return encode_key({.stable = FileKey::Stable::no,
                           .device = one->device,
                           .number = index_of(ino),
                           .birth = numbering_->session(),
                           .type = one->type});
    }
    At const at = OBLEA_TRY(locate(*one));
    std::uint64_t const birth = OBLEA_TRY(birth_of(at.folder->get(), at.name));
    return encode_key(
        {.device = one->device, .number = one->number, .birth = birth, .type = one->type});
}

Result<InodeNo> FolderLower::number_origin(FileKey const& key) const {
    numbering_->note({.kind = NumberingLog::Event::Kind::origin,
                      .type = key.type,
                      .device = key.device,
                      .number = key.number,
                      .birth = key.birth});
    auto const added = OBLEA_TRY(records_.add());
    added.record->device = key.device;
    added.record->type = key.type;
    added.record->number = key.number;
    records_.by_number.emplace(InodeRecords::Number{key.number, key.device}, added.ino);
    records_.told_births.emplace(added.ino, key.birth);
    return added.ino;
}

Result<std::optional<InodeNo>> FolderLower::find_origin(std::string_view text) const {
    if (text == kRootKey) {
        return std::optional{InodeNo::root};
    }
    auto const key = parse_key(text);
    if (!key.has_value() || key->number == 0) {
        return std::optional<InodeNo>{};
    }
    if (key->stable == FileKey::Stable::no) {
        InodeNo const given{static_cast<std::uint32_t>(key->number)};
        bool const is_ours = key->birth == numbering_->session() &&
                             key->number <= InodeRecords::kCountMax && record(given).has_value();
        return is_ours ? std::optional{given} : std::nullopt;
    }
    if (key->device >= layers_->stable_devices()) {
        return std::optional<InodeNo>{};
    }
    InodeNo known = InodeNo::none;
    {
        base::LockGuard const lock{records_.mutex};
        InodeRecords::Number const number{key->number, key->device};
        auto const found = records_.by_number.find(number);
        if (found == records_.by_number.end()) {
            return std::optional{OBLEA_TRY(number_origin(*key))};
        }
        known = found->second;
    }
    InodeRecord const* const one = OBLEA_TRY(record(known));
    if (one->type != key->type) {
        return std::optional<InodeNo>{};
    }
    if (one->parent.load(std::memory_order_acquire) != 0) {
        At const at = OBLEA_TRY(locate(*one));
        if (OBLEA_TRY(birth_of(at.folder->get(), at.name)) != key->birth) {
            return std::optional<InodeNo>{};  // another file that got the number
        }
    }
    return std::optional{known};
}

}  // namespace oblea::fs

// SPDX-License-Identifier: MIT
#include "fs/upper/work_texts.h"

#include <charconv>
#include <concepts>

namespace oblea::fs {

namespace {

constexpr std::string_view kPrivate = "1 private";
constexpr std::string_view kSealed = "1 sealed";
constexpr std::string_view kPlain = "oblea-upper 1 private\n";
constexpr std::string_view kWithMaps = "oblea-upper 2 private\n";
constexpr char kInDoubt = '?';

std::unexpected<Error> newer() {
    return fail(Errno::eopnotsupp, "",
                "the upper layer was made by a newer version of oblea: use that one");
}

// False unless the whole text is a number.
template <std::unsigned_integral T>
bool read_number(std::string_view text, T& number) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string_view encode_state(UpperDir::State state) {
    return state == UpperDir::State::private_ ? kPrivate : kSealed;
}

Result<UpperDir::State> parse_state(std::string_view text) {
    if (text != kPrivate && text != kSealed) {
        return newer();
    }
    return text == kPrivate ? UpperDir::State::private_ : UpperDir::State::sealed;
}

std::string_view encode_format(WorkFormat format) {
    return format == WorkFormat::plain ? kPlain : kWithMaps;
}

Result<WorkFormat> parse_format(std::string_view text) {
    if (text != kPlain && text != kWithMaps) {
        return newer();
    }
    return text == kPlain ? WorkFormat::plain : WorkFormat::with_maps;
}

bool is_lost(std::string_view text) {
    return text.find_first_not_of('\0') == std::string_view::npos;
}

std::string encode_note(Belongs const& belongs) {
    return std::to_string(belongs.folder) + '/' + belongs.name;
}

Result<Belongs> parse_note(std::string_view text) {
    auto const slash = text.find('/');
    Belongs belongs;
    if (slash == std::string_view::npos || !read_number(text.substr(0, slash), belongs.folder)) {
        return fail(Errno::euclean, "", "a damaged note in the work folder");
    }
    belongs.name = std::string{text.substr(slash + 1)};
    return belongs;
}

std::string encode_names_left(NamesLeft const& left) {
    std::string text = std::to_string(left.count);
    if (left.doubt == Doubt::yes) {
        text += kInDoubt;
    }
    return text;
}

Result<NamesLeft> parse_names_left(std::string_view text) {
    NamesLeft left;
    if (text.ends_with(kInDoubt)) {
        left.doubt = Doubt::yes;
        text.remove_suffix(1);
    }
    if (!read_number(text, left.count)) {
        return fail(Errno::euclean, "", "a damaged link count in the work folder");
    }
    return left;
}

}  // namespace oblea::fs

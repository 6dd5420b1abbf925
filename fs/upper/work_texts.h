// SPDX-License-Identifier: MIT
// The small texts of an upper layer's root and of its work folder: what they say, and how.
//
// upper_impl.h has what each of them is for. Pure.
// Errors of all that parses: EUCLEAN for what is no such text; EOPNOTSUPP for one of a later
// version.
#pragma once
#include "fs/upper/upper_dir.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace oblea::fs {

// The mark `format` of the root.
[[nodiscard]] std::string_view encode_state(UpperDir::State state);  // not `unmarked`
Result<UpperDir::State> parse_state(std::string_view text);

// work/format: which programs may use the layer.
enum class WorkFormat { plain, with_maps };
[[nodiscard]] std::string_view encode_format(WorkFormat format);
Result<WorkFormat> parse_format(std::string_view text);
// Nothing, or nothing but zeros: the name was on the disk before a loss of power, and the text not.
[[nodiscard]] bool is_lost(std::string_view text);

// A note in work/tmp, a symbolic link with this at the end of its name: where the file of the same
// name without it belongs.
inline constexpr std::string_view kNote = ".belongs";
struct Belongs {
    std::uint64_t folder = 0;  // its inode number in the upper's file system
    std::string name{};
};
[[nodiscard]] std::string encode_note(Belongs const& belongs);
Result<Belongs> parse_note(std::string_view text);

// A symbolic link in work/links: how many of an inode's names still show from below.
enum class Doubt { no, yes };  // to be counted anew
struct NamesLeft {
    std::uint32_t count = 0;
    Doubt doubt = Doubt::no;
};
[[nodiscard]] std::string encode_names_left(NamesLeft const& left);
Result<NamesLeft> parse_names_left(std::string_view text);

}  // namespace oblea::fs

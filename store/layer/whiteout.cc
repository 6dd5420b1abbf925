// SPDX-License-Identifier: MIT
#include "store/layer/whiteout.h"

namespace oblea::store {

namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kMetaPrefix = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

}  // namespace

Result<WhiteoutMark> parse_whiteout(RelPath const& member) {
    if (member.string().find(kWhiteoutPrefix) == std::string::npos) {
        return WhiteoutMark{};
    }
    std::string_view const last = member.filename();
    for (std::string_view const component : member.components()) {
        bool const is_last = component.data() == last.data();
        if (is_last && component == kOpaque) {
            return WhiteoutMark{WhiteoutMark::Kind::opaque, member.parent()};
        }
        if (component.starts_with(kMetaPrefix)) {
            return WhiteoutMark{WhiteoutMark::Kind::leftover, {}};
        }
        if (!component.starts_with(kWhiteoutPrefix)) {
            continue;
        }
        if (!is_last) {
            return fail(Errno::einval, "", "a member inside of a whiteout");
        }
        auto const hidden = Name::parse(component.substr(kWhiteoutPrefix.size()));
        if (!hidden.has_value()) {
            return fail(Errno::einval, "", "a whiteout that names nothing");
        }
        return WhiteoutMark{WhiteoutMark::Kind::whiteout, member.parent() / *hidden};
    }
    return WhiteoutMark{};
}

}  // namespace oblea::store

// SPDX-License-Identifier: MIT
#include "store/base/path.h"

#include "store/base/limits.h"

namespace oblea::base {

std::string printable(std::string_view text) {
    std::string shown;
    for (char const c : text.substr(0, 200)) {
        shown += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
    }
    return '"' + shown + '"';
}

namespace {

Status check_component(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        return fail(Errno::einval, "", "a file name with a NUL byte: " + printable(text));
    }
    if (text.size() > limits::kNameBytesMax) {
        return fail(Errno::enametoolong, "",
                    "a file name of more than " + std::to_string(limits::kNameBytesMax) +
                        " bytes: " + printable(text));
    }
    return {};
}

}  // namespace

Result<Name> Name::parse(std::string_view text) {
    if (text.empty() || text == "." || text == ".." || text.find('/') != std::string_view::npos) {
        return fail(Errno::einval, "", "not a file name: " + printable(text));
    }
    OBLEA_TRY(check_component(text));
    return Name{std::string{text}};
}

Result<RelPath> RelPath::parse(std::string_view text) {
    RelPath path;
    std::string_view const whole = text;
    if (text.size() > limits::kPathBytesMax) {
        return fail(Errno::enametoolong, "",
                    "a path of more than " + std::to_string(limits::kPathBytesMax) +
                        " bytes: " + printable(text));
    }
    while (!text.empty()) {
        auto const slash = text.find('/');
        std::string_view const component = text.substr(0, slash);
        text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
        if (component.empty() || component == ".") {
            continue;
        }
        if (component == "..") {
            return fail(Errno::einval, "", "a path that leaves its root: " + printable(whole));
        }
        OBLEA_TRY(check_component(component));
        if (!path.text_.empty()) {
            path.text_ += '/';
        }
        path.text_ += component;
    }
    return path;
}

std::vector<std::string_view> RelPath::components() const {
    std::vector<std::string_view> list;
    std::string_view rest = text_;
    while (!rest.empty()) {
        auto const slash = rest.find('/');
        list.push_back(rest.substr(0, slash));
        rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    }
    return list;
}

RelPath RelPath::parent() const {
    RelPath up;
    auto const slash = text_.rfind('/');
    if (slash != std::string::npos) {
        up.text_ = text_.substr(0, slash);
    }
    return up;
}

std::string_view RelPath::filename() const {
    auto const slash = text_.rfind('/');
    return slash == std::string::npos ? std::string_view{text_}
                                      : std::string_view{text_}.substr(slash + 1);
}

RelPath RelPath::operator/(Name const& name) const {
    RelPath below;
    below.text_ = text_.empty() ? name.string() : text_ + '/' + name.string();
    return below;
}

}  // namespace oblea::base

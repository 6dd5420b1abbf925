// SPDX-License-Identifier: MIT
#include "tools/build/context/context.h"

#include "store/base/limits.h"
#include "store/base/sys.h"
#include "store/layer/decompress.h"
#include "store/layer/tar_header.h"
#include "tools/build/context/context_tree.h"

#include <fmt/format.h>

#include <array>

namespace oblea::tools::build {

namespace {

namespace sys = base::sys;
using store::FileType;
using store::RelPath;

// A stream of which the first bytes were read already.
class ResumedSource final : public base::ByteSource {
public:
    ResumedSource(base::Bytes head, base::ByteSource& rest)
        : bytes_(std::move(head)), head_(bytes_), rest_(rest) {}
    Result<std::size_t> read(base::MutableBytes buffer) override {
        std::size_t const count = OBLEA_TRY(head_.read(buffer));
        return count > 0 ? Result<std::size_t>{count} : rest_.read(buffer);
    }

private:
    base::Bytes bytes_;
    base::MemorySource head_;
    base::ByteSource& rest_;
};

bool begins_archive(base::ByteView head) {
    return store::detect_compression(head) != store::Compression::none ||
           !store::foreign_compression(head).empty() ||
           (head.size() == store::kTarBlockBytes &&
            (store::parse_tar_header(head).has_value() || store::is_zero_block(head)));
}

Result<std::string> read_text(base::ByteSource& source, std::string_view what,
                              std::size_t limit_bytes) {
    std::string text;
    base::Bytes buffer(64U << 10U);
    while (true) {
        std::size_t const count = OBLEA_TRY(source.read(buffer));
        if (count == 0) {
            return text;
        }
        if (text.size() + count > limit_bytes) {
            return fail(Errno::e2big, "",
                        fmt::format("{}: larger than {} bytes", what, limit_bytes));
        }
        text += base::text_of(base::ByteView{buffer}.first(count));
    }
}

// A text among the files; nullopt: nothing is there. Errors: EINVAL where it is no file.
Result<std::optional<std::string>> read_member(ContextTree const& files, std::string const& name,
                                               std::size_t limit_bytes) {
    RelPath const path = OBLEA_TRY(RelPath::parse(name));
    auto const place = OBLEA_TRY(files.follow(path));
    if (!place.has_value()) {
        return std::nullopt;
    }
    auto const source = OBLEA_TRY(files.open(*place));
    return OBLEA_TRY(read_text(*source, name, limit_bytes));
}

// The same of a file of the machine: a -f that the user typed may be any, also a pipe.
Result<std::optional<std::string>> read_file(std::string const& path, std::size_t limit_bytes) {
    auto opened = sys::open(path, O_RDONLY);
    if (!opened.has_value()) {
        if (opened.error().code == Errno::enoent) {
            return std::nullopt;
        }
        return std::unexpected{opened.error()};
    }
    base::FdSource source{*std::move(opened)};
    return OBLEA_TRY(with_context(read_text(source, path, limit_bytes), [&] { return path; }));
}

class Opener {
public:
    Opener(store::Store const& store, ContextRequest const& request)
        : store_(store), request_(request) {}

    Result<BuildContext> run() {
        OBLEA_TRY(request_.context == "-" ? read_input() : open_folder());
        if (result_.dockerfile_name.empty()) {
            OBLEA_TRY(read_dockerfile());
        }
        return BuildContext{.files = std::move(tree_),
                            .dockerfile = std::move(result_.dockerfile),
                            .dockerfile_name = std::move(result_.dockerfile_name)};
    }

private:
    Status open_folder() {
        std::string const& path = request_.context;
        if (path.find("://") != std::string::npos || path.starts_with("git@")) {
            return fail(Errno::eopnotsupp, "",
                        fmt::format("unable to prepare context: {} is not a folder; clone or "
                                    "download it first, or pipe a tar of it into: build -",
                                    path));
        }
        auto folder = sys::open(path, O_RDONLY | O_DIRECTORY);
        if (!folder.has_value() && folder.error().code == Errno::enoent) {
            return fail(Errno::enoent, "",
                        fmt::format("unable to prepare context: path \"{}\" not found", path));
        }
        base::UniqueFd opened = OBLEA_TRY(with_context(
            std::move(folder), [] { return std::string{"unable to prepare context"}; }));
        tree_ = std::make_unique<ContextTree>(folder_files(std::move(opened)));
        return {};
    }

    // A tar, or just a Dockerfile.
    Status read_input() {
        if (request_.dockerfile == "-") {
            return fail(Errno::einval, "", "can't use stdin for both build context and dockerfile");
        }
        base::FdSource input{OBLEA_TRY(sys::duplicate(request_.standard_input))};
        base::Bytes head(store::kTarBlockBytes);
        head.resize(OBLEA_TRY(base::read_full(input, head)));
        bool const is_archive = begins_archive(head);
        ResumedSource whole{std::move(head), input};
        if (is_archive) {
            auto files = OBLEA_TRY(with_context(archive_files(store_, whole),
                                                [] { return std::string{"the context"}; }));
            tree_ = std::make_unique<ContextTree>(std::move(files));
            return {};
        }
        if (request_.dockerfile.has_value()) {
            return fail(Errno::einval, "",
                        "standard input has a Dockerfile and not the context that -f is to be "
                        "found in");
        }
        tree_ = std::make_unique<ContextTree>(no_files());
        return read_dockerfile_from(whole);
    }

    // -f, or what the context has. A Dockerfile of a folder may lie anywhere on the machine; that
    // of a tar is one of its members.
    Status read_dockerfile() {
        if (request_.dockerfile == "-") {
            base::FdSource input{OBLEA_TRY(sys::duplicate(request_.standard_input))};
            OBLEA_TRY(read_dockerfile_from(input));
            return read_ignore_file(std::nullopt);
        }
        bool const by_path = request_.dockerfile.has_value() && request_.context != "-";
        std::vector<std::string> const names =
            request_.dockerfile.has_value() ? std::vector{*request_.dockerfile}
                                            : std::vector<std::string>{kDefaultName, "dockerfile"};
        for (std::string const& name : names) {
            auto text = OBLEA_TRY(by_path ? read_file(name, limits::kDockerfileBytesMax)
                                          : read_member(*tree_, name, limits::kDockerfileBytesMax));
            if (text.has_value()) {
                result_.dockerfile_name = name;
                result_.dockerfile = *std::move(text);
                std::string const beside = name + ".dockerignore";
                auto patterns = by_path ? read_file(beside, limits::kIgnoreFileBytesMax)
                                        : read_member(*tree_, beside, limits::kIgnoreFileBytesMax);
                return read_ignore_file(OBLEA_TRY(std::move(patterns)));
            }
        }
        return fail(
            Errno::enoent, "",
            fmt::format("failed to read dockerfile: open {}: no such file or directory; -f names "
                        "another one",
                        names.front()));
    }

    Status read_dockerfile_from(base::ByteSource& input) {
        result_.dockerfile_name = kDefaultName;
        result_.dockerfile =
            OBLEA_TRY(read_text(input, "the Dockerfile", limits::kDockerfileBytesMax));
        return {};
    }

    // The one beside the Dockerfile counts, or else that of the context.
    Status read_ignore_file(std::optional<std::string> text) {
        std::string name = result_.dockerfile_name + ".dockerignore";
        if (!text.has_value()) {
            name = ".dockerignore";
            text = OBLEA_TRY(read_member(*tree_, name, limits::kIgnoreFileBytesMax));
        }
        if (text.has_value()) {
            auto patterns =
                OBLEA_TRY(with_context(IgnorePatterns::parse_file(*text), [&] { return name; }));
            tree_->leave_out(std::move(patterns));
        }
        return {};
    }

    static constexpr char const* kDefaultName = "Dockerfile";

    store::Store const& store_;
    ContextRequest const& request_;
    std::unique_ptr<ContextTree> tree_;
    struct {
        std::string dockerfile;
        std::string dockerfile_name;
    } result_;
};

}  // namespace

Result<BuildContext> open_context(store::Store const& store, ContextRequest const& request) {
    return Opener(store, request).run();
}

}  // namespace oblea::tools::build

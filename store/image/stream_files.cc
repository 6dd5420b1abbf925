// SPDX-License-Identifier: MIT
#include "store/image/stream_files.h"

#include "store/base/limits.h"
#include "store/image/sniff.h"

#include <fmt/format.h>

namespace oblea::store {

namespace {

constexpr std::size_t kDocumentsBytesMax = 256U << 20U;

// What the layer library takes.
bool is_layer(base::ByteView head) {
    StreamKind const kind = sniff(head);
    return kind == StreamKind::tar || kind == StreamKind::gzip || kind == StreamKind::zstd;
}

}  // namespace

Status StreamFiles::scan(ArchiveReader& archive, LayerSink const& sink) {
    for (;;) {
        auto const entry = OBLEA_TRY(archive.next());
        if (!entry.has_value()) {
            return {};
        }
        OBLEA_TRY(take(archive, *entry, sink));
    }
}

Status StreamFiles::take(ArchiveReader& archive, ArchiveEntry const& entry, LayerSink const& sink) {
    std::string const name = OBLEA_TRY(links_.take(entry));
    members_.erase(name);
    documents_.erase(name);
    if (entry.type == FileType::regular && entry.hard_link_target.empty()) {
        return take_file(archive, name, entry.size.value_or(0), sink);
    }
    return {};
}

Status StreamFiles::take_file(ArchiveReader& archive, std::string const& name, std::uint64_t bytes,
                              LayerSink const& sink) {
    if (members_.size() >= limits::kArchiveMembersMax) {
        return fail(Errno::e2big, "",
                    fmt::format("more than {} members", limits::kArchiveMembersMax));
    }
    members_.insert(name);
    ArchiveEntrySource content{archive};
    HeadSource peeked{content};
    base::ByteView const head = OBLEA_TRY(peeked.peek(kHeadBytes));
    if (is_layer(head)) {
        return sink(name, peeked, bytes);
    }
    if (bytes > limits::kConfigBytesMax) {
        return {};  // nothing that an image is made of
    }
    documents_bytes_ += static_cast<std::size_t>(bytes);
    if (documents_bytes_ > kDocumentsBytesMax) {
        return fail(Errno::e2big, "",
                    fmt::format("more than {} bytes of documents", kDocumentsBytesMax));
    }
    base::Bytes text(static_cast<std::size_t>(bytes));
    std::size_t const count = OBLEA_TRY(base::read_full(peeked, text));
    documents_[name] = std::string{base::text_of(text).substr(0, count)};
    return {};
}

Result<std::optional<std::string>> StreamFiles::read(std::string const& name,
                                                     std::size_t limit_bytes) const {
    std::string const end = OBLEA_TRY(links_.follow(name));
    auto const at = documents_.find(end);
    if (at == documents_.end()) {
        if (members_.contains(end)) {
            return fail(Errno::einval, "", end + " is not a document");
        }
        return std::optional<std::string>{};
    }
    if (at->second.size() > limit_bytes) {
        return fail(Errno::e2big, "",
                    fmt::format("{}: {} bytes are more than the {} allowed", name,
                                at->second.size(), limit_bytes));
    }
    return std::optional{at->second};
}

Result<std::optional<std::string>> StreamFiles::resolve(std::string const& name) const {
    std::string end = OBLEA_TRY(links_.follow(name));
    return members_.contains(end) ? std::optional{std::move(end)} : std::nullopt;
}

}  // namespace oblea::store

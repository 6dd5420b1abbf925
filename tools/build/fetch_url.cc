// SPDX-License-Identifier: MIT
#include "tools/build/fetch_url.h"

#include "store/base/buffer_bytes.h"
#include "store/base/bytes.h"
#include "store/base/sys.h"
#include "store/layer/layout.h"
#include "tools/registry/http/http_client.h"

#include <fmt/format.h>

#include <ctime>

namespace oblea::tools::build {
namespace {

namespace sys = base::sys;

// RFC 9110 "Last-Modified"; 0 for what is none.
std::int64_t parse_http_date(std::string const& text) {
    std::tm parts{};
    char const* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return end != nullptr ? ::timegm(&parts) : 0;
}

std::string name_in(std::string_view url) {
    std::string_view path = url.substr(0, url.find_first_of("?#"));
    path.remove_prefix(std::min(path.find("://") + 3, path.size()));
    auto const slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string{} : std::string{path.substr(slash + 1)};
}

}  // namespace

bool is_url(std::string_view source) {
    return source.starts_with("http://") || source.starts_with("https://");
}

Result<FetchedFile> fetch_url(store::Store const& store, std::string const& url,
                              std::string const& checksum) {
    FetchedFile fetched{.name = name_in(url), .file = {}, .node = {}};
    if (fetched.name.empty()) {
        return fail(Errno::einval, "", "cannot determine filename from url: " + url);
    }
    registry::HttpClient client{{}};
    registry::HttpRequest request{.url = OBLEA_TRY(registry::Url::parse(url))};
    auto const stream = OBLEA_TRY(client.open(std::move(request)));
    if (stream->head().status != 200) {
        return fail(stream->head().status == 404 ? Errno::enoent : Errno::eio, "",
                    fmt::format("{}: the server answered {}", url, stream->head().status));
    }
    fetched.file =
        OBLEA_TRY(sys::openat(store.root(), store::layout::kTmp, O_TMPFILE | O_RDWR, mode_t{0600}));
    base::Sha256 hash;
    base::Bytes buffer(base::kBufferBytes);
    for (;;) {
        std::size_t const count = OBLEA_TRY(stream->read(buffer));
        if (count == 0) {
            break;
        }
        auto const part = base::ByteView{buffer}.first(count);
        hash.update(part);
        OBLEA_TRY(sys::write_all(fetched.file.get(), part));
        fetched.node.attr.size += count;
    }
    std::string const digest = hash.finish().to_string();
    if (!checksum.empty() && digest != checksum) {
        return fail(Errno::ebadmsg, "",
                    fmt::format("digest mismatch {}: expected {}, got {}", url, checksum, digest));
    }
    fetched.node.attr.permissions = 0600;
    fetched.node.attr.mtime.seconds =
        parse_http_date(stream->head().headers.first("last-modified"));
    return fetched;
}

}  // namespace oblea::tools::build

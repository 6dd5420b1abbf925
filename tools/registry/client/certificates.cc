// SPDX-License-Identifier: MIT
#include "tools/registry/client/certificates.h"

#include "store/base/sys.h"

#include <algorithm>

namespace oblea::registry {

namespace {

constexpr std::size_t kCertificateBytesMax = 4U << 20U;

std::unexpected<Error> without_partner(std::string const& folder, std::string const& name,
                                       std::string_view partner) {
    return fail(Errno::einval, "",
                folder + '/' + name + ": there is no " + std::string{partner} + " beside it");
}

Result<TlsTrust> read_folder(std::string const& folder, int dir) {
    auto entries = OBLEA_TRY(base::sys::list_dir(dir));
    std::ranges::sort(entries, {}, &base::sys::DirEntry::name);
    std::string const prefix = folder + '/';
    auto const exists = [&](std::string const& name) {
        return std::ranges::find(entries, name, &base::sys::DirEntry::name) != entries.end();
    };
    TlsTrust trust;
    for (auto const& entry : entries) {
        std::string const& name = entry.name;
        if (name.ends_with(".crt")) {
            std::string const pem = OBLEA_TRY(
                with_context(base::sys::read_file(dir, name.c_str(), kCertificateBytesMax),
                             [&] { return prefix + name; }));
            trust.extra_ca_pem += pem;
            trust.extra_ca_pem += '\n';
        } else if (name.ends_with(".cert")) {
            std::string const key = name.substr(0, name.size() - 5) + ".key";
            if (!exists(key)) {
                return without_partner(folder, name, key);
            }
            trust.client_certificate = prefix + name;
            trust.client_key = prefix + key;
        } else if (name.ends_with(".key")) {
            std::string const certificate = name.substr(0, name.size() - 4) + ".cert";
            if (!exists(certificate)) {
                return without_partner(folder, name, certificate);
            }
        }
    }
    return trust;
}

}  // namespace

std::vector<std::string> certificate_folders(std::string const& home) {
    return {home + "/.config/containers/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"};
}

Result<TlsTrust> read_certificates(std::vector<std::string> const& folders,
                                   std::string const& authority) {
    if (authority.find('/') != std::string::npos || authority.starts_with('.')) {
        return TlsTrust{};
    }
    for (auto const& folder : folders) {
        std::string path = folder;
        path += '/';
        path += authority;
        auto const dir = base::sys::open(path, O_RDONLY | O_DIRECTORY);
        if (dir.has_value()) {
            return read_folder(path, dir->get());
        }
        if (dir.error().code != Errno::enoent && dir.error().code != Errno::enotdir) {
            return std::unexpected<Error>(dir.error());
        }
    }
    return TlsTrust{};
}

}  // namespace oblea::registry

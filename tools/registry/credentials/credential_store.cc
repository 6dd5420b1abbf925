// SPDX-License-Identifier: MIT
#include "tools/registry/credentials/credential_store.h"

#include "store/base/absence.h"
#include "store/base/sys.h"
#include "tools/registry/credentials/credential_helper.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace oblea::registry {

namespace {

constexpr std::size_t kFileBytesMax = 16U << 20U;
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

std::optional<std::string> environment_variable(char const* name) {
    char const* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') {
        return std::nullopt;
    }
    return value;
}

std::string home_folder() {
    if (auto home = environment_variable("HOME"); home.has_value()) {
        return *std::move(home);
    }
    struct passwd const* const user = ::getpwuid(::geteuid());
    return user != nullptr ? user->pw_dir : "/";
}

// Nothing when there is no such file.
Result<std::optional<AuthFile>> read_auth_file(CredentialPlaces::File const& file) {
    auto text = base::sys::read_file(AT_FDCWD, file.path.c_str(), kFileBytesMax);
    if (!text.has_value()) {
        if (base::is_absent(text.error().code)) {
            return std::optional<AuthFile>{};
        }
        return std::unexpected<Error>(with_context(std::move(text).error(), file.path));
    }
    return std::optional{OBLEA_TRY(AuthFile::parse(*text, file.form, file.path))};
}

Result<std::optional<Credential>> find_in(AuthFile const& document, std::string_view domain,
                                          std::string_view path,
                                          std::vector<std::string>& warnings) {
    auto const name = document.helper(domain);
    if (name.has_value()) {
        auto const helper = CredentialHelper::named(*name);
        auto found =
            helper.has_value()
                ? helper->get(storage_key(domain))
                : Result<std::optional<Credential>>{std::unexpected<Error>(helper.error())};
        if (found.has_value() && found->has_value()) {
            return found;
        }
        if (!found.has_value()) {
            warnings.push_back(found.error().message());
        }
    }
    return document.find(domain, path);
}

// Holds the folder's lock while a file in it is read, changed and replaced.
struct Editing {
    base::UniqueFd folder;  // locked
    std::string name;
    AuthFile document;
};

Result<Editing> begin_editing(CredentialPlaces::File const& file) {
    // A linked file is changed where it is, as people keep theirs under version control.
    std::error_code ignored;
    auto const real = std::filesystem::weakly_canonical(file.path, ignored);
    std::string const path = ignored ? file.path : real.string();
    auto const slash = path.rfind('/');
    std::string const folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    OBLEA_TRY(base::sys::mkdir_all(folder, kFolderMode));
    auto opened = OBLEA_TRY(base::sys::open(folder, O_RDONLY | O_DIRECTORY));
    OBLEA_TRY(base::sys::lock(opened.get(), base::sys::LockKind::exclusive));
    auto document = OBLEA_TRY(read_auth_file({.path = path, .form = file.form}));
    return Editing{.folder = std::move(opened),
                   .name = slash == std::string::npos ? path : path.substr(slash + 1),
                   .document = document.has_value() ? *std::move(document) : AuthFile{}};
}

Status finish_editing(Editing const& editing) {
    return base::sys::replace_file(editing.folder.get(), editing.name.c_str(),
                                   editing.document.encode(), kFileMode, base::sys::Sync::yes);
}

}  // namespace

CredentialPlaces CredentialPlaces::plan(Environment const& variable, std::string const& home) {
    CredentialPlaces places;
    places.document = variable("DOCKER_AUTH_CONFIG");
    if (auto file = variable("REGISTRY_AUTH_FILE"); file.has_value()) {
        places.files.push_back({.path = *file});
    }
    auto const docker = variable("DOCKER_CONFIG");
    places.files.push_back({.path = docker.value_or(home + "/.docker") + "/config.json"});
    if (auto const runtime = variable("XDG_RUNTIME_DIR"); runtime.has_value()) {
        places.files.push_back({.path = *runtime + "/containers/auth.json"});
    }
    auto const config = variable("XDG_CONFIG_HOME");
    places.files.push_back({.path = config.value_or(home + "/.config") + "/containers/auth.json"});
    places.files.push_back({.path = home + "/.dockercfg", .form = AuthFile::Form::dockercfg});
    return places;
}

CredentialPlaces CredentialPlaces::of_process() {
    return plan(environment_variable, home_folder());
}

FoundCredential CredentialStore::find(std::string_view domain, std::string_view path) const {
    FoundCredential result;
    auto const take = [&](Result<std::optional<AuthFile>> document) {
        if (document.has_value() && !document->has_value()) {
            return;
        }
        auto found = document.has_value()
                         ? find_in(**document, domain, path, result.warnings)
                         : Result<std::optional<Credential>>{
                               std::unexpected<Error>(std::move(document).error())};
        if (!found.has_value()) {
            result.warnings.push_back(found.error().message());
        } else if (found->has_value()) {
            result.credential = *std::move(found);
        }
    };
    if (places_.document.has_value()) {
        auto parsed =
            AuthFile::parse(*places_.document, AuthFile::Form::config, "DOCKER_AUTH_CONFIG");
        if (parsed.has_value()) {
            take(std::optional{*std::move(parsed)});
        } else {
            take(std::unexpected<Error>(std::move(parsed).error()));
        }
    }
    for (auto const& file : places_.files) {
        if (result.credential.has_value()) {
            break;
        }
        take(read_auth_file(file));
    }
    return result;
}

Result<CredentialStore::Stored> CredentialStore::put(std::string_view domain,
                                                     Credential const& credential) const {
    auto const& file = places_.files.front();
    Editing editing = OBLEA_TRY(begin_editing(file));
    auto const name = editing.document.helper(domain);
    Stored stored{.place = file.path, .kind = Stored::Kind::plain_text};
    if (name.has_value()) {
        auto const helper = OBLEA_TRY(CredentialHelper::named(*name));
        OBLEA_TRY(helper.store(storage_key(domain), credential));
        editing.document.put_mark(domain);
        stored = {.place = helper.program(), .kind = Stored::Kind::helper};
    } else {
        editing.document.put(domain, credential);
    }
    OBLEA_TRY(with_context(finish_editing(editing), [&] { return file.path; }));
    return stored;
}

Result<bool> CredentialStore::erase(std::string_view domain) const {
    auto const& file = places_.files.front();
    if (!OBLEA_TRY(base::sys::stat_if_exists(AT_FDCWD, file.path.c_str())).has_value()) {
        return false;
    }
    Editing editing = OBLEA_TRY(begin_editing(file));
    bool found = editing.document.erase(domain);
    if (auto const name = editing.document.helper(domain); name.has_value()) {
        auto const helper = OBLEA_TRY(CredentialHelper::named(*name));
        found = OBLEA_TRY(helper.get(storage_key(domain))).has_value() || found;
        OBLEA_TRY(helper.erase(storage_key(domain)));
    }
    OBLEA_TRY(with_context(finish_editing(editing), [&] { return file.path; }));
    return found;
}

}  // namespace oblea::registry

// SPDX-License-Identifier: MIT
#include "tools/container/build_run.h"

#include "tools/container/mount_options.h"

#include "store/image/json_fields.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
using nlohmann::json;

constexpr char const* kBuildRun = "container.json, build";

BindMount::Access access_of(bool read_only) {
    return read_only ? BindMount::Access::read_only : BindMount::Access::read_write;
}

bool is_read_only(BindMount::Access access) {
    return access == BindMount::Access::read_only;
}

Result<std::uint32_t> small_number(json const& object, char const* key) {
    return static_cast<std::uint32_t>(OBLEA_TRY(fields::number(object, key, kBuildRun)));
}

json encode(TmpfsMount const& mount) {
    return encode_tmpfs(mount);
}

json encode(SecretMount const& mount) {
    return {{"target", mount.target}, {"file", mount.source.file}, {"env", mount.source.env},
            {"uid", mount.uid},       {"gid", mount.gid},          {"mode", mount.mode}};
}

json encode(SecretVariable const& variable) {
    return {{"name", variable.name}, {"file", variable.source.file}, {"env", variable.source.env}};
}

json encode(TreeMount const& mount) {
    return {{"container", mount.container},
            {"path", mount.path},
            {"target", mount.target},
            {"read_only", is_read_only(mount.access)}};
}

json encode(CacheMount const& mount) {
    return {{"folder", mount.folder}, {"target", mount.target},
            {"uid", mount.uid},       {"gid", mount.gid},
            {"mode", mount.mode},     {"read_only", is_read_only(mount.access)}};
}

json encode(ScriptMount const& mount) {
    return {{"target", mount.target}, {"text", mount.text}};
}

Result<ScriptMount> parse_script(json const& object) {
    ScriptMount mount;
    mount.target = OBLEA_TRY(fields::text(object, "target", kBuildRun));
    mount.text = OBLEA_TRY(fields::text(object, "text", kBuildRun));
    return mount;
}

Result<SecretSource> parse_source(json const& object) {
    SecretSource source;
    source.file = OBLEA_TRY(fields::text(object, "file", kBuildRun));
    source.env = OBLEA_TRY(fields::text(object, "env", kBuildRun));
    return source;
}

Result<SecretVariable> parse_variable(json const& object) {
    SecretVariable variable;
    variable.name = OBLEA_TRY(fields::text(object, "name", kBuildRun));
    variable.source = OBLEA_TRY(parse_source(object));
    return variable;
}

Result<SecretMount> parse_secret(json const& object) {
    SecretMount mount;
    mount.target = OBLEA_TRY(fields::text(object, "target", kBuildRun));
    mount.source = OBLEA_TRY(parse_source(object));
    mount.uid = OBLEA_TRY(small_number(object, "uid"));
    mount.gid = OBLEA_TRY(small_number(object, "gid"));
    mount.mode = OBLEA_TRY(small_number(object, "mode"));
    return mount;
}

Result<TreeMount> parse_tree(json const& object) {
    TreeMount mount;
    mount.container = OBLEA_TRY(fields::text(object, "container", kBuildRun));
    mount.path = OBLEA_TRY(fields::text(object, "path", kBuildRun));
    mount.target = OBLEA_TRY(fields::text(object, "target", kBuildRun));
    mount.access = access_of(OBLEA_TRY(fields::flag(object, "read_only", kBuildRun)));
    return mount;
}

Result<CacheMount> parse_cache(json const& object) {
    CacheMount mount;
    mount.folder = OBLEA_TRY(fields::text(object, "folder", kBuildRun));
    mount.target = OBLEA_TRY(fields::text(object, "target", kBuildRun));
    mount.uid = OBLEA_TRY(small_number(object, "uid"));
    mount.gid = OBLEA_TRY(small_number(object, "gid"));
    mount.mode = OBLEA_TRY(small_number(object, "mode"));
    mount.access = access_of(OBLEA_TRY(fields::flag(object, "read_only", kBuildRun)));
    return mount;
}

template <typename T>
json encode_all(std::vector<T> const& mounts) {
    json list = json::array();
    for (T const& mount : mounts) {
        list.push_back(encode(mount));
    }
    return list;
}

template <typename T>
Status parse_all(json const& object, char const* key, Result<T> (*parse)(json const&),
                 std::vector<T>& mounts) {
    for (json const& one : *OBLEA_TRY(fields::array(object, key, kBuildRun))) {
        mounts.push_back(OBLEA_TRY(parse(one)));
    }
    return {};
}

}  // namespace

std::vector<std::string> BuildRun::targets() const {
    std::vector<std::string> all;
    auto const add = [&](auto const& mounts) {
        for (auto const& mount : mounts) {
            all.push_back(mount.target);
        }
    };
    add(tmpfs);
    add(secrets);
    add(trees);
    add(caches);
    add(scripts);
    return all;
}

json encode_build_run(BuildRun const& run) {
    return {{"lease", run.lease},
            {"tmpfs", encode_all(run.tmpfs)},
            {"secrets", encode_all(run.secrets)},
            {"variables", encode_all(run.variables)},
            {"trees", encode_all(run.trees)},
            {"caches", encode_all(run.caches)},
            {"scripts", encode_all(run.scripts)}};
}

Result<BuildRun> parse_build_run(json const& object) {
    BuildRun run;
    run.lease = OBLEA_TRY(fields::text(object, "lease", kBuildRun));
    OBLEA_TRY(parse_all(object, "tmpfs", decode_tmpfs, run.tmpfs));
    OBLEA_TRY(parse_all(object, "secrets", parse_secret, run.secrets));
    OBLEA_TRY(parse_all(object, "variables", parse_variable, run.variables));
    OBLEA_TRY(parse_all(object, "trees", parse_tree, run.trees));
    OBLEA_TRY(parse_all(object, "caches", parse_cache, run.caches));
    OBLEA_TRY(parse_all(object, "scripts", parse_script, run.scripts));
    return run;
}

}  // namespace oblea::tools

// SPDX-License-Identifier: MIT
#include "tools/registry/copy/registry_place.h"

namespace oblea::registry {

namespace {

class RegistrySource final : public CopySource {
public:
    RegistrySource(std::unique_ptr<RegistryClient> client, store::Reference repository)
        : client_(std::move(client)), repository_(std::move(repository)) {}

    Result<std::vector<std::string>> names() override { return client_->tags(); }
    Result<RemoteManifest> manifest(std::string const& name) override {
        return client_->manifest(name.empty() ? "latest" : name);
    }
    Result<std::unique_ptr<base::ByteSource>> blob(ReferredBlob const& blob,
                                                   std::uint64_t offset) override {
        return client_->blob(blob.digest, blob.bytes, offset);
    }
    [[nodiscard]] std::optional<std::string> full_name(std::string const& name) const override {
        if (!store::Reference::is_valid_tag(name)) {
            return std::nullopt;
        }
        return repository_.repository() + ':' + name;
    }

private:
    std::unique_ptr<RegistryClient> client_;
    store::Reference repository_;
};

class RegistryTarget final : public CopyTarget {
public:
    RegistryTarget(std::unique_ptr<Connection> connection, std::vector<std::string> mount_from)
        : connection_(std::move(connection)), mount_from_(std::move(mount_from)) {}

    Result<PushedBlob> put_blob(BlobUpload const& blob) override {
        BlobUpload upload = blob;
        upload.mount_from = mount_from_;
        return push_blob(*connection_, upload);
    }
    Status put_manifest(RemoteManifest const& manifest,
                        std::optional<CopyName> const& name) override {
        return push_manifest(*connection_,
                             name.has_value() ? name->tag : manifest.digest.to_string(),
                             manifest.bytes, manifest_type(manifest.bytes, manifest.media_type));
    }

private:
    std::unique_ptr<Connection> connection_;
    std::vector<std::string> mount_from_;
};

}  // namespace

Result<std::unique_ptr<CopySource>> open_registry_source(RegistrySession& session,
                                                         store::Reference const& repository) {
    auto const endpoints = OBLEA_TRY(session.endpoints(repository));
    return std::make_unique<RegistrySource>(
        session.client(endpoints.back(), repository.familiar_repository()), repository);
}

Result<std::unique_ptr<CopyTarget>>
open_registry_target(RegistrySession& session, store::Reference const& repository,
                     std::optional<store::Reference> const& source) {
    auto const endpoints = OBLEA_TRY(session.endpoints(repository));
    std::vector<std::string> mount_from;
    if (source.has_value() && source->domain == repository.domain &&
        source->path != repository.path) {
        mount_from = {source->path};
    }
    return std::make_unique<RegistryTarget>(session.connection(endpoints.back(),
                                                               repository.familiar_repository(),
                                                               ClientOptions::Access::push),
                                            std::move(mount_from));
}

}  // namespace oblea::registry

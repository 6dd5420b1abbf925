// SPDX-License-Identifier: MIT
#include "tools/images/save_plan.h"

#include "tests/support/catch.h"

using namespace oblea::tools;
using oblea::base::sha256;
using oblea::store::Image;
using oblea::store::Images;
using Words = std::vector<std::string>;

namespace {

Images some_images() {
    Images images;
    Image old;
    old.id = sha256("old");
    old.names = {"docker.io/library/debian:11", "quay.io/team/base:1"};
    images.put(old);
    Image now;
    now.id = sha256("new");
    now.names = {"docker.io/library/debian:12", "docker.io/library/debian:latest"};
    images.put(now);
    return images;
}

// "names of the first image|names of the second", in the order of the plan.
std::string planned(Words const& typed) {
    auto const plan = plan_save(some_images(), typed);
    if (!plan.has_value()) {
        return plan.error().message();
    }
    std::string text;
    for (auto const& saved : *plan) {
        text += text.empty() ? "" : "|";
        for (auto const& name : saved.names) {
            text += ' ' + name;
        }
    }
    return text;
}

}  // namespace

TEST_CASE("a repository stands for all its tags, a name for itself", "[tools][save]") {
    CHECK(planned({"debian"}) == " docker.io/library/debian:11| docker.io/library/debian:12 "
                                 "docker.io/library/debian:latest");
    CHECK(planned({"debian:12"}) == " docker.io/library/debian:12");
    CHECK(planned({"quay.io/team/base"}) == " quay.io/team/base:1");
    CHECK(planned({"nosuch"}) == "No such image: nosuch:latest");
}

TEST_CASE("an image is saved once, under every name that was asked for", "[tools][save]") {
    CHECK(planned({"debian:11", "quay.io/team/base:1", "debian:11"}) ==
          " docker.io/library/debian:11 quay.io/team/base:1");
}

TEST_CASE("an image that is named by its id has no name in the archive", "[tools][save]") {
    CHECK(planned({sha256("new").to_string()}).empty());
    CHECK(planned({sha256("new").short_hex()}).empty());
    std::vector<SavedBlobs> const blobs{{.manifest_type = "m",
                                         .manifest = sha256("manifest"),
                                         .config = sha256("new"),
                                         .layers = {sha256("layer")},
                                         .names = {}}};
    CHECK(encode_docker_manifest(blobs) == "[{\"Config\":\"blobs/sha256/" + sha256("new").hex() +
                                               "\",\"Layers\":[\"blobs/sha256/" +
                                               sha256("layer").hex() + "\"],\"RepoTags\":null}]");
    CHECK(encode_repositories(blobs) == "{}");
}

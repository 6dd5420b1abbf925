// SPDX-License-Identifier: MIT
#include "tools/images/image_rows.h"

#include "store/image/reference.h"
#include "tools/output/human.h"
#include "tools/output/table.h"

#include <fnmatch.h>

#include <algorithm>
#include <tuple>

namespace oblea::tools {

namespace {

ImageRow row_of(store::Image const& image) {
    return {.repository = kNone,
            .tag = kNone,
            .digest = image.manifest.has_value() ? image.manifest->to_string() : kNone,
            .id = image.id,
            .created = parse_rfc3339(image.created),
            .size_bytes = image.size_bytes};
}

void give_name(ImageRow& row, std::string const& name) {
    auto const reference = store::Reference::parse(name);
    if (!reference.has_value()) {
        row.repository = name;  // of a newer grammar, perhaps; shown as it is
        return;
    }
    row.repository = reference->familiar_repository();
    row.tag = reference->tag.value_or(kNone);
    if (auto const& digest = reference->digest; digest.has_value()) {
        row.digest = digest->to_string();
    }
}

bool glob(std::string_view pattern, std::string const& text) {
    return ::fnmatch(std::string{pattern}.c_str(), text.c_str(), FNM_PATHNAME) == 0;
}

std::string age(ImageRow const& row, std::int64_t now) {
    return row.created.has_value() ? human_duration(now - *row.created) + " ago" : "N/A";
}

}  // namespace

std::vector<ImageRow> list_rows(store::Images const& images) {
    std::vector<ImageRow> rows;
    for (auto const& image : images.all()) {
        ImageRow const unnamed = row_of(image);
        if (image.names.empty()) {
            rows.push_back(unnamed);
        }
        for (auto const& name : image.names) {
            ImageRow row = unnamed;
            give_name(row, name);
            rows.push_back(std::move(row));
        }
    }
    std::ranges::sort(rows, [](ImageRow const& a, ImageRow const& b) {
        return std::tie(b.created, a.repository, a.tag, a.id) <
               std::tie(a.created, b.repository, b.tag, b.id);
    });
    return rows;
}

bool matches_reference(ImageRow const& row, std::string_view pattern) {
    if (row.repository == kNone) {
        return false;
    }
    std::vector<std::string> repositories{row.repository};
    if (auto const reference = store::Reference::parse(row.repository); reference.has_value()) {
        repositories.push_back(reference->repository());
    }
    return std::ranges::any_of(repositories, [&](std::string const& repository) {
        return glob(pattern, repository) ||
               (row.tag != kNone && glob(pattern, repository + ':' + row.tag)) ||
               (row.digest != kNone && glob(pattern, repository + '@' + row.digest));
    });
}

std::string display_id(store::Digest const& id, Truncate truncate) {
    return truncate == Truncate::yes ? id.short_hex() : id.to_string();
}

std::string render_image_table(std::vector<ImageRow> const& rows,
                               ImageTableOptions const& options) {
    bool const digests = options.digests == Digests::show;
    Table table(
        digests
            ? std::vector<std::string>{"REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE"}
            : std::vector<std::string>{"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"});
    for (auto const& row : rows) {
        std::vector<std::string> cells{row.repository, row.tag};
        if (digests) {
            cells.push_back(row.digest);
        }
        cells.push_back(display_id(row.id, options.truncate));
        cells.push_back(age(row, options.now));
        cells.push_back(human_size(row.size_bytes));
        table.add_row(std::move(cells));
    }
    return table.render();
}

}  // namespace oblea::tools

// SPDX-License-Identifier: MIT
#include "tools/images/image_rows.h"

#include "store/image/reference.h"
#include "tools/cli/filters.h"
#include "tools/output/human.h"
#include "tools/output/table.h"
#include "tools/template/rows.h"

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
    return match_path(pattern, text).value_or(false);
}

std::string age(ImageRow const& row, std::int64_t now) {
    return row.created.has_value() ? human_duration(now - *row.created) + " ago" : "";
}

// Every field that docker has for an image; what would have to be computed for it is "N/A".
templates::Record record_of(ImageRow const& row, ImageListOptions const& options) {
    templates::Record record{.type = "*formatter.imageContext"};
    record.set("Containers", "N/A");
    record.set("CreatedAt", row.created.has_value() ? go_time(*row.created) : "");
    record.set("CreatedSince", age(row, options.now));
    record.set("Digest", row.digest);
    record.set("ID", display_id(row.id, options.truncate));
    record.set("Repository", row.repository);
    record.set("SharedSize", "N/A");
    record.set("Size", human_size(row.size_bytes));
    record.set("Tag", row.tag);
    record.set("UniqueSize", "N/A");
    return record;
}

// What docker calls "raw", a paragraph for each row.
std::string raw_format(ImageListOptions const& options) {
    if (options.quiet == Quiet::yes) {
        return "image_id: {{.ID}}";
    }
    return std::string{"repository: {{.Repository}}\ntag: {{.Tag}}\n"} +
           (options.digests == Digests::show ? "digest: {{.Digest}}\n" : "") +
           "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n";
}

std::string format_of(ImageListOptions const& options) {
    if (options.format == "raw") {
        return raw_format(options);
    }
    bool const plain = options.format.empty() || options.format == "table";
    return plain && options.quiet == Quiet::yes ? "{{.ID}}" : options.format;
}

}  // namespace

std::vector<ImageRow> list_rows(std::span<store::Image const> images) {
    std::vector<ImageRow> rows;
    for (auto const& image : images) {
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

bool is_intermediate(store::Images const& images, store::Image const& image) {
    return image.names.empty() && std::ranges::any_of(images.all(), [&](store::Image const& other) {
               return other.parent.has_value() && *other.parent == image.id;
           });
}

std::string render_image_tree(std::vector<store::Image> images,
                              std::vector<store::Digest> const& used, Truncate truncate) {
    std::ranges::sort(images, [](store::Image const& a, store::Image const& b) {
        return std::tie(b.created, a.names, a.id) < std::tie(a.created, b.names, b.id);
    });
    Table table{{"IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"}};
    for (auto const& image : images) {
        std::uint64_t content = 0;
        for (auto const& layer : image.layers) {
            content += layer.blob_bytes;
        }
        std::string const id = display_id(image.id, truncate);
        std::string const disk = human_size(content + image.size_bytes);
        bool const in_use = std::ranges::find(used, image.id) != used.end();
        auto const add = [&](std::string const& what) {
            table.add_row({what, id, disk, human_size(content), in_use ? "U" : ""});
        };
        for (auto const& row : list_rows(std::span{&image, 1})) {
            add(row.repository == kNone ? std::string{"<untagged>"}
                : row.tag == kNone      ? row.repository + '@' + row.digest
                                        : row.repository + ':' + row.tag);
        }
        std::string const variant = image.variant.empty() ? "" : '/' + image.variant;
        add("\u2514\u2500 " + image.os + '/' + image.architecture + variant);
    }
    return table.render();
}

Result<std::string> render_images(std::vector<ImageRow> const& rows,
                                  ImageListOptions const& options) {
    std::vector<templates::Record> records;
    records.reserve(rows.size());
    for (auto const& row : rows) {
        records.push_back(record_of(row, options));
    }
    std::string const digest = options.digests == Digests::show ? "{{.Digest}}\t" : "";
    return templates::render_rows(
        {.format = format_of(options),
         .default_table = "{{.Repository}}\t{{.Tag}}\t" + digest +
                          "{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t"
                          "{{.Size}}",
         .titles = {{"Containers", "CONTAINERS"},
                    {"CreatedAt", "CREATED AT"},
                    {"CreatedSince", "CREATED"},
                    {"Digest", "DIGEST"},
                    {"ID", "IMAGE ID"},
                    {"Repository", "REPOSITORY"},
                    {"SharedSize", "SHARED SIZE"},
                    {"Size", "SIZE"},
                    {"Tag", "TAG"},
                    {"UniqueSize", "UNIQUE SIZE"}}},
        records);
}

}  // namespace oblea::tools

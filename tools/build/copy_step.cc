// SPDX-License-Identifier: MIT
#include "tools/build/copy_step.h"

#include "store/base/limits.h"
#include "store/image/rfc3339.h"
#include "tools/build/context/ignore_patterns.h"
#include "tools/build/fetch_url.h"
#include "tools/build/layer_stream.h"
#include "tools/build/loose_files.h"
#include "tools/cli/filters.h"
#include "tools/mount/user_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <span>

namespace oblea::tools::build {

using dockerfile::Add;
using dockerfile::Copy;
using dockerfile::Transfer;
using store::Digest;
using store::FileType;
using store::RelPath;

namespace {

Result<std::string> read_text(SourceTree const& tree, std::string_view path) {
    RelPath const typed = OBLEA_TRY(RelPath::parse(path));
    auto const place = OBLEA_TRY(tree.follow(typed));
    auto const node =
        place.has_value() ? OBLEA_TRY(tree.look(*place)) : std::optional<SourceNode>{};
    if (!node.has_value() || node->attr.type != FileType::regular ||
        node->attr.size > limits::kIdFileBytesMax) {
        return std::string{};
    }
    base::Bytes bytes(node->attr.size);
    auto const source = OBLEA_TRY(tree.open(*place));
    std::size_t const count = OBLEA_TRY(base::read_full(*source, bytes));
    return std::string{base::text_of(base::ByteView{bytes}.first(count))};
}

// "user[:group]" by the image's own accounts; without a group the number of the user, as docker has
// it.
Result<store::TarOwner> parse_owner(std::string const& spec, SourceTree const& image) {
    std::string const passwd = OBLEA_TRY(read_text(image, "etc/passwd"));
    std::string const group = OBLEA_TRY(read_text(image, "etc/group"));
    Identity const identity = OBLEA_TRY(
        with_context(resolve_user(spec, passwd, group), [&] { return "--chown=" + spec; }));
    bool const with_group = spec.find(':') != std::string::npos;
    return store::TarOwner{.uid = identity.uid, .gid = with_group ? identity.gid : identity.uid};
}

Result<std::uint32_t> parse_permissions(std::string const& text) {
    std::uint32_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    if (error != std::errc{} || end != text.data() + text.size() || value > 07777) {
        return fail(Errno::einval, "",
                    fmt::format("--chmod={}: expected an octal number such as 755", text));
    }
    return value;
}

bool has_wildcard(std::string_view text) {
    return text.find_first_of("*?[\\") != std::string_view::npos;
}

// Paths that a source names; those with wildcards in the order of their names.
class Matches {
public:
    Matches(SourceTree const& tree) : tree_(tree) {}

    Result<std::vector<RelPath>> find(std::string const& typed) {
        // Lexically, as docker does: ".." does not lead out.
        std::string const clean = absolute_path("/", typed);
        std::vector<std::string> parts;
        std::string_view rest = std::string_view{clean}.substr(1);
        while (!rest.empty()) {
            auto const end = std::min(rest.find('/'), rest.size());
            parts.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        OBLEA_TRY(descend({}, parts, 0));
        return std::move(found_);
    }

private:
    Status descend(RelPath const& at, std::vector<std::string> const& parts, std::size_t next) {
        if (next == parts.size()) {
            found_.push_back(at);
            return {};
        }
        if (!has_wildcard(parts[next])) {
            store::Name const name = OBLEA_TRY(store::Name::parse(parts[next]));
            return step(at / name, parts, next + 1);
        }
        auto const folder = OBLEA_TRY(tree_.look(at));
        if (!at.is_root() && (!folder.has_value() || folder->attr.type != FileType::directory)) {
            return {};
        }
        auto const names = OBLEA_TRY(tree_.list(at));
        for (std::string const& name : names) {
            if (OBLEA_TRY(match_path(parts[next], name))) {
                store::Name const found = OBLEA_TRY(store::Name::parse(name));
                OBLEA_TRY(step(at / found, parts, next + 1));
            }
        }
        return {};
    }

    Status step(RelPath const& path, std::vector<std::string> const& parts, std::size_t next) {
        auto const real = OBLEA_TRY(tree_.follow(path));
        return real.has_value() ? descend(*real, parts, next) : Status{};
    }

    SourceTree const& tree_;
    std::vector<RelPath> found_;
};

class Step {
public:
    Step(store::Store const& store, CopyStep const& asked) : store_(store), asked_(asked) {}

    Result<CopyOutcome> carry_out() {
        view_ = OBLEA_TRY(store::ImageView::open(store_, diff_ids()));
        below_ = image_tree(view_);
        latest_ = OBLEA_TRY(store::source_date_epoch());
        auto const& what = asked_.instruction.what;
        if (auto const* copy = std::get_if<Copy>(&what)) {
            return transfer(*copy, "COPY");
        }
        if (auto const* add = std::get_if<Add>(&what)) {
            return transfer(*add, "ADD");
        }
        return make_folder(std::get<dockerfile::Workdir>(what).path);
    }

private:
    struct Taken {
        CopySourcePath source;
        std::string typed;
    };

    [[nodiscard]] std::vector<Digest> diff_ids() const {
        std::vector<Digest> ids;
        std::ranges::transform(asked_.publish.parent.image.layers, std::back_inserter(ids),
                               &store::ImageLayer::diff_id);
        return ids;
    }

    [[nodiscard]] store::Timestamp now() const {
        return {latest_.value_or(store::now_seconds()), 0};
    }

    // --- COPY and ADD

    Result<CopyOutcome> transfer(Transfer const& what, std::string const& word) {
        CopyOwnership ownership;
        if (!what.chown.empty()) {
            ownership.owner = OBLEA_TRY(parse_owner(what.chown, *below_));
            ownership.archive_owner = ownership.owner;
        } else if (!asked_.from_image) {
            ownership.owner = store::TarOwner{};
        }
        if (!what.chmod.empty()) {
            ownership.permissions = OBLEA_TRY(parse_permissions(what.chmod));
        }
        CopyPlan plan{view_, ownership, now()};
        auto const taken = OBLEA_TRY(find_sources(what));
        CopyDestination const destination = destination_of(what);
        bool const parents = keeps_parents();
        if (taken.size() > 1 && !parents && destination.kind != CopyDestination::Kind::folder) {
            return fail(Errno::einval, "",
                        fmt::format("When using {} with more than one source file, the "
                                    "destination must be a directory and end with a /",
                                    word));
        }
        IgnorePatterns const patterns = OBLEA_TRY(IgnorePatterns::parse(what.exclude));
        std::vector<UnpackedArchive> archives;
        base::Sha256 archive_hash;
        for (Taken const& one : taken) {
            if (OBLEA_TRY(is_to_unpack(one))) {
                RelPath folder = OBLEA_TRY(plan.add_folder(destination));
                archives.push_back({.tree = one.source.tree,
                                    .archive = one.source.path,
                                    .folder = std::move(folder)});
                continue;
            }
            auto const target = parents ? OBLEA_TRY(below_parents(one, destination)) : destination;
            OBLEA_TRY(with_context(plan.add(one.source, target, exclude_of(patterns, one.source)),
                                   [&] { return word + " failed"; }));
        }
        std::string const text =
            OBLEA_TRY(text_of(what, word, plan.members(), archives, taken.size()));
        return finish(text, plan, std::move(archives));
    }

    [[nodiscard]] CopyDestination destination_of(Transfer const& what) const {
        std::string const& typed = what.destination;
        bool const folder = typed.ends_with('/') || typed == "." || typed == ".." ||
                            typed.ends_with("/.") || typed.ends_with("/..");
        return {.path = absolute_path(asked_.settings.workdir, typed),
                .kind = folder ? CopyDestination::Kind::folder : CopyDestination::Kind::any,
                .links =
                    what.link ? CopyDestination::Links::ignore : CopyDestination::Links::follow};
    }

    Result<std::vector<Taken>> find_sources(Transfer const& what) {
        auto const* add = std::get_if<Add>(&asked_.instruction.what);
        std::vector<Taken> taken;
        for (std::string const& typed : what.sources) {
            if (add != nullptr && is_url(typed)) {
                taken.push_back(OBLEA_TRY(fetch(*add, typed)));
                continue;
            }
            Matches matches{*asked_.tree};
            auto const paths = OBLEA_TRY(matches.find(typed));
            if (paths.empty()) {
                return fail(Errno::enoent, "", missing_text(typed));
            }
            for (RelPath const& path : paths) {
                taken.push_back(
                    {.source = {.tree = asked_.tree, .path = path, .name = name_of(typed, path)},
                     .typed = typed});
            }
        }
        for (dockerfile::Heredoc const& file : what.files) {
            store::Name const name = OBLEA_TRY(store::Name::parse(file.name));
            loose_.add_text(name, dockerfile::heredoc_text(file), now());
            taken.push_back(
                {.source = {.tree = &loose_, .path = RelPath{} / name, .name = file.name},
                 .typed = "<<" + file.name});
        }
        return taken;
    }

    // A link is called as it is written, whatever it leads to.
    static std::string name_of(std::string const& typed, RelPath const& path) {
        std::string const clean = absolute_path("/", typed);
        std::string const last = clean.substr(clean.rfind('/') + 1);
        return has_wildcard(last) || last.empty() ? std::string{path.filename()} : last;
    }

    [[nodiscard]] std::string missing_text(std::string const& typed) const {
        std::string const word{dockerfile::keyword_of(asked_.instruction)};
        if (has_wildcard(typed)) {
            return fmt::format("{} failed: no source files were specified by {}", word, typed);
        }
        return asked_.from_image
                   ? fmt::format("{} failed: stat {}: file does not exist", word, typed)
                   : fmt::format("{} failed: file not found in build context or excluded by "
                                 ".dockerignore: stat {}: file does not exist",
                                 word, typed);
    }

    Result<Taken> fetch(Add const& add, std::string const& url) {
        FetchedFile fetched = OBLEA_TRY(with_context(fetch_url(store_, url, add.checksum),
                                                     [] { return std::string{"ADD failed"}; }));
        store::Name const name = OBLEA_TRY(store::Name::parse(fetched.name));
        loose_.add_file(name, std::move(fetched.file), std::move(fetched.node));
        return Taken{.source = {.tree = &loose_, .path = RelPath{} / name, .name = name.string()},
                     .typed = url};
    }

    // Archives of the context are unpacked by ADD, fetched ones only when that is asked for.
    Result<bool> is_to_unpack(Taken const& taken) const {
        auto const* add = std::get_if<Add>(&asked_.instruction.what);
        if (add == nullptr || !add->unpack.value_or(!is_url(taken.typed))) {
            return false;
        }
        auto const node = OBLEA_TRY(taken.source.tree->look(taken.source.path));
        if (!node.has_value() || node->attr.type != FileType::regular || node->attr.size == 0) {
            return false;
        }
        auto const source = OBLEA_TRY(taken.source.tree->open(taken.source.path));
        auto reader = store::ArchiveReader::open(*source, store::ArchiveReader::Format::tar);
        return reader.has_value() && reader->next().has_value();
    }

    // Patterns are for paths below the source that is copied, or for the name of a file.
    static CopyPlan::Exclude exclude_of(IgnorePatterns const& patterns,
                                        CopySourcePath const& source) {
        if (patterns.empty()) {
            return {};
        }
        std::size_t const above = source.path.components().size();
        return [&patterns, above](RelPath const& path) {
            auto const parts = path.components();
            std::size_t const from = std::min(above, parts.empty() ? 0 : parts.size() - 1);
            auto const below =
                RelPath::parse(fmt::format("{}", fmt::join(std::span{parts}.subspan(from), "/")));
            return below.has_value() && patterns.excludes(*below);
        };
    }

    [[nodiscard]] bool keeps_parents() const {
        auto const* copy = std::get_if<Copy>(&asked_.instruction.what);
        return copy != nullptr && copy->parents;
    }

    // --parents: the folders that the source lies in are made in the destination, from where "/./"
    // stands in what was typed.
    Result<CopyDestination> below_parents(Taken const& taken,
                                          CopyDestination const& destination) const {
        std::string_view typed{taken.typed};
        while (typed.starts_with("./")) {
            typed.remove_prefix(2);
        }
        auto const mark = typed.find("/./");
        std::string const above = mark == std::string_view::npos
                                      ? std::string{}
                                      : absolute_path("/", std::string{typed.substr(0, mark)});
        auto const dropped = OBLEA_TRY(RelPath::parse(above)).components().size();
        auto const node = OBLEA_TRY(taken.source.tree->look(taken.source.path));
        bool const folder = node.has_value() && node->attr.type == FileType::directory;
        // A folder's contents go into a folder of its name.
        RelPath const kept = folder ? taken.source.path : taken.source.path.parent();
        auto const parts = kept.components();
        CopyDestination target = destination;
        target.kind = CopyDestination::Kind::folder;
        for (std::size_t i = dropped; i < parts.size(); ++i) {
            target.path += fmt::format("/{}", parts[i]);
        }
        return target;
    }

    // "COPY --chown=1:1 dir:... in /app ".
    Result<std::string> text_of(Transfer const& what, std::string const& word,
                                CopyMembers const& members,
                                std::vector<UnpackedArchive> const& archives, std::size_t count) {
        base::Sha256 hash;
        hash.update(OBLEA_TRY(digest_of(members)).value);
        for (UnpackedArchive const& archive : archives) {
            hash.update(OBLEA_TRY(digest_of_file(*archive.tree, archive.archive)).value);
        }
        bool const file = std::ranges::none_of(members, [](auto const& one) {
            return one.second.from == CopyMember::From::source &&
                   one.second.node.attr.type == FileType::directory;
        });
        char const* const kind = count > 1 ? "multi" : file ? "file" : "dir";
        std::string text = word;
        auto const add = [&](std::string_view flag, std::string const& value) {
            if (!value.empty()) {
                text += fmt::format(" {}={}", flag, value);
            }
        };
        add("--chown", what.chown);
        add("--chmod", what.chmod);
        text += what.link ? " --link" : "";
        text += keeps_parents() ? " --parents" : "";
        for (std::string const& pattern : what.exclude) {
            add("--exclude", pattern);
        }
        bool const folder = what.destination.ends_with('/');
        std::string path = absolute_path(asked_.settings.workdir, what.destination);
        path += folder && path != "/" ? "/" : "";
        return fmt::format("{} {}:{} in {} ", text, kind, hash.finish().hex(), path);
    }

    // --- WORKDIR

    Result<CopyOutcome> make_folder(std::string const& path) {
        CopyPlan plan{view_, {}, now()};
        OBLEA_TRY(plan.add_folder({.path = absolute_path(asked_.settings.workdir, path)}));
        return finish(" WORKDIR " + absolute_path(asked_.settings.workdir, path), plan, {});
    }

    // --- all

    Result<CopyOutcome> finish(std::string const& text, CopyPlan& plan,
                               std::vector<UnpackedArchive> archives) {
        StepFacts facts = asked_.publish.facts;
        facts.created_by = nop_text(asked_.settings, text);
        BuildImage const& parent = asked_.publish.parent;
        std::vector<store::PlannedImage> pending = asked_.publish.pending;
        if (asked_.use_cache) {
            if (auto const cached = OBLEA_TRY(find_cached(store_, parent, facts))) {
                return CopyOutcome{.id = cached->image.id, .cached = true};
            }
            for (BuildImage const& other : asked_.cache_from) {
                if (auto next = OBLEA_TRY(find_in_history(other, parent, facts))) {
                    pending.push_back(std::move(next->planned));
                    OBLEA_TRY(publish_pending(store_, pending));
                    return CopyOutcome{.id = pending.back().id, .cached = true};
                }
            }
        }
        bool const changes =
            !archives.empty() || std::ranges::any_of(plan.members(), [](auto const& one) {
                return one.second.from != CopyMember::From::below;
            });
        LayerStream tar{plan, std::move(archives), latest_};
        PublishStep const step{.parent = parent, .pending = std::move(pending), .facts = facts};
        Digest const id = OBLEA_TRY(publish_step(store_, step, changes ? &tar : nullptr));
        return CopyOutcome{.id = id, .cached = false};
    }

    store::Store const& store_;
    CopyStep const& asked_;
    std::shared_ptr<store::ImageView const> view_;
    std::unique_ptr<SourceTree> below_;
    std::optional<std::int64_t> latest_;
    LooseFiles loose_;
};

// Files of the context where they are in it.
Result<std::unique_ptr<CopyPlan>> plan_context(store::Store const& store, SourceTree const* files,
                                               std::string const& path) {
    if (files == nullptr) {
        return fail(Errno::enoent, "", "there is no context to bind from");
    }
    auto const nothing = OBLEA_TRY(store::ImageView::open(store, std::span<Digest const>{}));
    auto const latest = OBLEA_TRY(store::source_date_epoch());
    auto plan = std::make_unique<CopyPlan>(
        nothing, CopyOwnership{}, store::Timestamp{latest.value_or(store::now_seconds()), 0});
    RelPath const typed = OBLEA_TRY(RelPath::parse(path));
    auto const real = OBLEA_TRY(files->follow(typed));
    if (!real.has_value()) {
        return fail(Errno::enoent, "",
                    fmt::format("file not found in build context or excluded by .dockerignore: "
                                "stat {}: file does not exist",
                                path));
    }
    OBLEA_TRY(plan->add({.tree = files, .path = *real, .name = std::string{typed.filename()}},
                        {.path = path}));
    return plan;
}

}  // namespace

Result<Digest> digest_in_context(store::Store const& store, SourceTree const* files,
                                 std::string const& path) {
    auto const plan = OBLEA_TRY(plan_context(store, files, path));
    return digest_of(plan->members());
}

Result<Digest> import_context(store::Store const& store, SourceTree const* files,
                              std::string const& path) {
    auto const plan = OBLEA_TRY(plan_context(store, files, path));
    auto const latest = OBLEA_TRY(store::source_date_epoch());
    LayerStream tar{*plan, {}, latest};
    std::function<void(store::ImportProgress const&)> const silent;
    store::ProgressBoard board{silent};
    auto const layers = OBLEA_TRY(store::LayerImporter::create(store, board, nullptr));
    auto const outcome = OBLEA_TRY(layers.import(kStepMember, tar, 0, {}));
    OBLEA_TRY(layers.publish());
    return outcome.layer.diff_id;
}

Result<CopyOutcome> copy_step(store::Store const& store, CopyStep const& step) {
    return Step{store, step}.carry_out();
}

}  // namespace oblea::tools::build

// SPDX-License-Identifier: MIT
#include "tools/build/stage.h"

#include "store/image/rfc3339.h"
#include "tools/build/copy_step.h"
#include "tools/build/metadata.h"
#include "tools/build/run_mounts.h"
#include "tools/build/run_step.h"
#include "tools/images/open_image.h"
#include "tools/mount/child_work.h"
#include "tools/mount/command_plan.h"
#include "tools/registry/ensure_image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>

namespace oblea::tools::build {

using dockerfile::Instruction;
using nlohmann::json;
using store::Digest;

namespace {

class Stage {
public:
    Stage(StageWork const& work, EventSender const& events)
        : work_(work), events_(events), file_(work.build.file.stages[work.stage.stage]),
          scope_(work.plan.global.of_stage()), next_step_(work.stage.first_step) {}

    Status build() {
        OBLEA_TRY(with_context(begin(), [&] { return at(file_.lines); }));
        for (Instruction const& instruction : file_.instructions) {
            tell_step(instruction.text);
            OBLEA_TRY(carry_out(instruction, work_.build.file.escape));
        }
        if (is_target()) {
            OBLEA_TRY(add_labels());
        }
        return settle();
    }

    // What was built before something failed can be looked at.
    Status settle() {
        if (pending_.empty()) {
            return {};
        }
        auto const pending = std::exchange(pending_, {});
        auto const publish = [&]() -> Result<std::string> {
            OBLEA_TRY(publish_pending(work_.build.store, pending));
            return std::string{};
        };
        OBLEA_TRY(run_in_child(publish));
        return {};
    }

    [[nodiscard]] BuildImage const& image() const { return image_; }
    [[nodiscard]] std::set<std::string> const& consumed() const { return scope_.consumed(); }
    [[nodiscard]] int exit_code() const { return exit_code_; }

private:
    [[nodiscard]] bool is_target() const {
        return work_.plan.stages.back().stage == work_.stage.stage;
    }
    [[nodiscard]] std::string at(dockerfile::Lines lines) const {
        return dockerfile::place(work_.build.file, lines);
    }

    void tell_step(std::string const& text) {
        events_.send({.kind = Event::Kind::step, .step = next_step_++, .text = text});
    }
    void tell_image() {
        events_.send({.kind = Event::Kind::image,
                      .text = image_.is_nothing() ? std::string{} : image_.image.id.short_hex()});
    }

    // --- FROM

    Status begin() {
        tell_step(file_.text);
        StageBase const& base = work_.stage.base;
        store::Platform platform = work_.build.options.platform;
        if (!base.platform.empty()) {
            platform = OBLEA_TRY(store::Platform::parse(base.platform));
        }
        switch (base.kind) {
        case StageBase::Kind::scratch:
            image_ = nothing_yet(platform);
            break;
        case StageBase::Kind::stage:
            image_ = OBLEA_TRY(image_of_stage(base.stage, platform));
            break;
        case StageBase::Kind::image:
            image_ = OBLEA_TRY(named_image(base.image, platform));
            break;
        }
        config_ = OBLEA_TRY(run_config_of(image_));
        tell_image();
        return run_triggers();
    }

    Result<BuildImage> image_of_stage(std::size_t stage, store::Platform const& platform) const {
        Digest const id = work_.finished.at(stage);
        return id == Digest{} ? Result<BuildImage>{nothing_yet(platform)}
                              : load_image(work_.build.store, id);
    }

    Result<BuildImage> named_image(std::string const& name, store::Platform const& platform) {
        using Pull = BuildOptions::Pull;
        using registry::PullPolicy;
        Pull const pull = work_.build.options.pull;
        EnsureImageRequest const request{.image = name,
                                         .policy = pull == Pull::always  ? PullPolicy::always
                                                   : pull == Pull::never ? PullPolicy::never
                                                                         : PullPolicy::missing,
                                         .platform =
                                             platform == store::Platform::of_machine().normalised()
                                                 ? std::string{}
                                                 : platform.to_string()};
        std::string const here =
            OBLEA_TRY(ensure_image(work_.build.context, work_.build.store, request));
        auto const images = OBLEA_TRY(work_.build.store.images());
        store::Image const* image = OBLEA_TRY(images.resolve(here));
        return load_image(work_.build.store, image->id);
    }

    // What the base asks of those who build on it; it is asked once.
    Status run_triggers() {
        auto const found = config_.find("OnBuild");
        if (found == config_.end()) {
            return {};
        }
        std::vector<std::string> const triggers =
            found->is_array() ? found->get<std::vector<std::string>>() : std::vector<std::string>{};
        config_.erase("OnBuild");
        if (triggers.empty()) {
            return {};
        }
        events_.send({.kind = Event::Kind::note,
                      .text = fmt::format("# Executing {} build trigger{}", triggers.size(),
                                          triggers.size() == 1 ? "" : "s")});
        for (std::string const& trigger : triggers) {
            Instruction const instruction = OBLEA_TRY(with_context(
                dockerfile::parse_trigger(trigger), [&] { return "ONBUILD " + trigger; }));
            OBLEA_TRY(carry_out(instruction, '\\'));
        }
        return {};
    }

    // --- steps

    Status carry_out(Instruction const& instruction, char escape) {
        auto const lookup = [&](std::string_view name) {
            return scope_.find(name, settings_of(config_).env);
        };
        auto expanded = dockerfile::expand(instruction, escape, lookup);
        if (!expanded.has_value()) {
            return std::unexpected<Error>(
                with_context(std::move(expanded).error(), at(instruction.lines)));
        }
        auto done = step(*expanded, escape);
        // How a command failed says all by itself, in docker's words.
        return exit_code_ != 0
                   ? done
                   : with_context(std::move(done), [&] { return at(instruction.lines); });
    }

    Status step(Instruction const& instruction, char escape) {
        auto const& what = instruction.what;
        if (auto const* arg = std::get_if<dockerfile::Arg>(&what)) {
            return declare(*arg, escape);
        }
        if (auto const* run = std::get_if<dockerfile::Run>(&what)) {
            return run_command(*run);
        }
        if (auto const* copy = std::get_if<dockerfile::Copy>(&what)) {
            return transfer(instruction, copy->from);
        }
        if (std::holds_alternative<dockerfile::Add>(what)) {
            return transfer(instruction, {});
        }
        if (auto const* maintainer = std::get_if<dockerfile::Maintainer>(&what)) {
            author_ = maintainer->name;
        }
        own_cmd_ = std::holds_alternative<dockerfile::Cmd>(what) ? OwnCmd::yes : own_cmd_;
        RunSettings const before = settings_of(config_);
        std::string const text = apply_metadata(config_, instruction, own_cmd_);
        if (std::holds_alternative<dockerfile::Workdir>(what)) {
            return change_tree(instruction, before, nullptr, nullptr);
        }
        return metadata(before, text);
    }

    Status declare(dockerfile::Arg const& arg, char escape) {
        RunSettings const settings = settings_of(config_);
        std::string const text = OBLEA_TRY(declare_arguments(scope_, arg, escape, settings.env));
        return metadata(settings, text);
    }

    [[nodiscard]] Result<StepFacts> facts(std::string created_by) const {
        auto const latest = OBLEA_TRY(store::source_date_epoch());
        return StepFacts{.created = store::rfc3339(latest.value_or(store::now_seconds())),
                         .created_by = std::move(created_by),
                         .author = author_,
                         .config = config_};
    }

    // Takes what the cache has. False: the step is to be carried out.
    Result<bool> reuse(StepFacts const& facts) {
        if (work_.build.options.cache == UseCache::no) {
            return false;
        }
        if (auto cached = OBLEA_TRY(find_cached(work_.build.store, image_, facts))) {
            events_.send({.kind = Event::Kind::cached});
            return advance_to(*std::move(cached));
        }
        auto const others = OBLEA_TRY(cache_from());
        for (BuildImage const& other : others) {
            if (auto next = OBLEA_TRY(find_in_history(other, image_, facts))) {
                events_.send({.kind = Event::Kind::cached});
                pending_.push_back(std::move(next->planned));
                return advance_to(std::move(next->image));
            }
        }
        return false;
    }

    bool advance_to(BuildImage image) {
        image_ = std::move(image);
        tell_image();
        return true;
    }

    [[nodiscard]] Result<std::vector<BuildImage>> cache_from() const {
        std::vector<BuildImage> images;
        for (Digest const& id : work_.build.options.cache_from) {
            images.push_back(OBLEA_TRY(load_image(work_.build.store, id)));
        }
        return images;
    }

    Status metadata(RunSettings const& settings, std::string const& text) {
        StepFacts const said = OBLEA_TRY(facts(nop_text(settings, ' ' + text)));
        if (OBLEA_TRY(reuse(said))) {
            return {};
        }
        auto next = OBLEA_TRY(next_image(image_, said, std::nullopt));
        pending_.push_back(std::move(next.planned));
        advance_to(std::move(next.image));
        return {};
    }

    Status add_labels() {
        if (work_.build.options.labels.empty()) {
            return {};
        }
        dockerfile::Label label;
        for (auto const& [name, value] : work_.build.options.labels) {
            label.pairs.push_back({.name = name, .value = value});
        }
        std::string text = "LABEL";
        for (auto const& pair : label.pairs) {
            text += fmt::format(" {}={}", pair.name, pair.value);
        }
        tell_step(text);
        return step(Instruction{.lines = {}, .text = text, .what = std::move(label)}, '\\');
    }

    // --- COPY, ADD, WORKDIR

    Status transfer(Instruction const& instruction, std::string const& from) {
        if (from.empty()) {
            return change_tree(instruction, settings_of(config_), work_.build.files, nullptr);
        }
        BuildImage const source = OBLEA_TRY(image_named_by(from));
        return change_tree(instruction, settings_of(config_), nullptr, &source);
    }

    // What --from and from= name: a stage, or an image that is pulled.
    Result<BuildImage> image_named_by(std::string const& from) {
        auto const stage = OBLEA_TRY(find_stage(work_.build.file, work_.stage.stage, from));
        if (!stage.has_value()) {
            return named_image(from, work_.build.options.platform);
        }
        if (!work_.finished.contains(*stage)) {
            return fail(Errno::einval, "",
                        fmt::format("stage {} is only named by a trigger of the base image, and "
                                    "was not built before",
                                    from));
        }
        return image_of_stage(*stage, work_.build.options.platform);
    }

    // `source` is of --from.
    Status change_tree(Instruction const& instruction, RunSettings const& settings,
                       SourceTree const* tree, BuildImage const* source) {
        StepFacts const said = OBLEA_TRY(facts({}));
        auto const others = OBLEA_TRY(cache_from());
        auto const work = [&]() -> Result<std::string> {
            std::unique_ptr<SourceTree> from;
            if (source != nullptr) {
                from = image_tree(OBLEA_TRY(view_of(*source)));
            }
            CopyStep const copy{.publish = {.parent = image_, .pending = pending_, .facts = said},
                                .settings = settings,
                                .instruction = instruction,
                                .tree = from != nullptr ? from.get() : tree,
                                .from_image = from != nullptr,
                                .cache_from = others,
                                .use_cache = work_.build.options.cache == UseCache::yes};
            CopyOutcome const outcome = OBLEA_TRY(copy_step(work_.build.store, copy));
            return (outcome.cached ? "c" : "n") + outcome.id.to_string();
        };
        std::string const answer = OBLEA_TRY(run_in_child(work));
        pending_.clear();
        if (answer.starts_with('c')) {
            events_.send({.kind = Event::Kind::cached});
        }
        Digest const id = OBLEA_TRY(Digest::parse(answer.substr(1)));
        advance_to(OBLEA_TRY(load_image(work_.build.store, id)));
        return {};
    }

    Result<std::shared_ptr<store::ImageView const>> view_of(BuildImage const& image) const {
        std::vector<Digest> ids;
        std::ranges::transform(image.image.layers, std::back_inserter(ids),
                               &store::ImageLayer::diff_id);
        return store::ImageView::open(work_.build.store, ids);
    }

    // --- RUN

    Status run_command(dockerfile::Run const& run) {
        RunSettings const settings = settings_of(config_);
        std::vector<Container> trees;
        auto const drop_trees = [&] {
            for (Container const& tree : trees) {
                static_cast<void>(remove_container(work_.build.store, tree));  // else gc does
            }
        };
        auto done = run_with_mounts(run, settings, trees);
        drop_trees();
        return done;
    }

    Status run_with_mounts(dockerfile::Run const& run, RunSettings const& settings,
                           std::vector<Container>& trees) {
        MountSources const sources{
            .secrets = work_.build.options.secrets,
            .workdir = settings.workdir,
            .digest = [&](BoundSource const& source) { return digest_of_bound(source); }};
        RunMounts mounts = OBLEA_TRY(make_run_mounts(work_.build.store, run.mounts, sources));
        auto words = command_words(settings, run.command);
        auto const arguments = scope_.for_key(settings.env);
        StepFacts const said = OBLEA_TRY(
            facts(run_text(words, arguments, more_key(run, words, arguments, mounts.key))));
        if (OBLEA_TRY(reuse(said))) {
            return {};
        }
        mounts.run.lease = work_.lease;
        if (run.script.has_value()) {
            std::string const path = "/dev/pipes/" + run.script->name;
            mounts.run.scripts.push_back(
                {.target = path, .text = dockerfile::heredoc_text(*run.script)});
            words = {path};
        }
        for (std::size_t i = 0; i < mounts.trees.size(); ++i) {
            trees.push_back(OBLEA_TRY(container_of_bound(mounts.trees[i])));
            mounts.run.trees[i].container = trees.back().id;
        }
        RunConfig config = OBLEA_TRY(plan_run(run, settings, std::move(words)));
        config.build = std::move(mounts.run);
        RunStep const step{.publish = {.parent = image_, .pending = pending_, .facts = said},
                           .config = std::move(config)};
        RunOutcome const outcome = OBLEA_TRY(run_step(work_.build.store, step, events_));
        if (outcome.exit_code != 0) {
            exit_code_ = outcome.exit_code;
            return fail(Errno::eio, "",
                        fmt::format("The command '{}' returned a non-zero code: {}",
                                    fmt::join(step.config.command, " "), outcome.exit_code));
        }
        pending_.clear();
        advance_to(OBLEA_TRY(load_image(work_.build.store, outcome.id)));
        return {};
    }

    // What the text alone does not tell: how the words are divided, mounts, the network.
    static std::string more_key(dockerfile::Run const& run, std::vector<std::string> const& words,
                                std::vector<std::string> const& arguments,
                                std::vector<std::string> const& mounts) {
        auto const has_space = [](std::string const& text) {
            return text.empty() || text.find(' ') != std::string::npos;
        };
        bool const exec = run.command.form == dockerfile::Command::Form::exec;
        json key = json::object();
        if (exec && std::ranges::any_of(words, has_space)) {
            key["words"] = words;
        }
        if (std::ranges::any_of(arguments, has_space)) {
            key["arguments"] = arguments;
        }
        if (!mounts.empty()) {
            key["mounts"] = mounts;
        }
        if (run.network != dockerfile::Run::Network::default_) {
            key["network"] = static_cast<int>(run.network);
        }
        if (run.script.has_value()) {
            key["script"] = dockerfile::heredoc_text(*run.script);
        }
        return key.empty() ? std::string{}
                           : base::sha256(key.dump(-1, ' ', false, json::error_handler_t::replace))
                                 .short_hex();
    }

    Result<RunConfig> plan_run(dockerfile::Run const& run, RunSettings const& settings,
                               std::vector<std::string> words) const {
        if (run.security == dockerfile::Run::Security::insecure) {
            return fail(Errno::eopnotsupp, "",
                        "RUN --security=insecure is not supported: every step has docker's "
                        "ordinary rights");
        }
        RunConfig config;
        config.command = std::move(words);
        config.env = OBLEA_TRY(plan_environment({.image = settings.env,
                                                 .asked = scope_.for_run(settings.env),
                                                 .caller = {},
                                                 .home = ""}));
        std::erase(config.env, "HOME=");
        config.workdir = settings.workdir;
        config.user = settings.user;
        bool const closed = run.network == dockerfile::Run::Network::none ||
                            (run.network == dockerfile::Run::Network::default_ &&
                             work_.build.options.network == Network::none);
        config.network = closed ? tools::Network::none : tools::Network::host;
        config.stop_signal = SIGKILL;
        return config;
    }

    // --- RUN --mount=type=bind

    Result<std::string> digest_of_bound(BoundSource const& source) {
        if (source.from.empty()) {
            return run_in_child([&]() -> Result<std::string> {
                auto const digest =
                    OBLEA_TRY(digest_in_context(work_.build.store, work_.build.files, source.path));
                return digest.hex();
            });
        }
        BuildImage const image = OBLEA_TRY(image_named_by(source.from));
        base::Sha256 hash;
        for (store::ImageLayer const& layer : image.image.layers) {
            hash.update(layer.diff_id.value);
        }
        return hash.finish().hex();
    }

    Result<Container> container_of_bound(BoundSource const& source) {
        if (!source.from.empty()) {
            BuildImage const image = OBLEA_TRY(image_named_by(source.from));
            return tree_container(work_.build.store, image.image, work_.lease);
        }
        auto const import = [&]() -> Result<std::string> {
            auto const diff_id =
                OBLEA_TRY(import_context(work_.build.store, work_.build.files, source.path));
            return diff_id.to_string();
        };
        std::string const diff_id = OBLEA_TRY(run_in_child(import));
        store::Image image;
        store::ImageLayer layer;
        layer.diff_id = OBLEA_TRY(Digest::parse(diff_id));
        image.layers.push_back(std::move(layer));
        return tree_container(work_.build.store, image, work_.lease);
    }

    StageWork const& work_;
    EventSender const& events_;
    dockerfile::Stage const& file_;
    Scope scope_;
    std::size_t next_step_;
    BuildImage image_;
    json config_;
    std::string author_;
    OwnCmd own_cmd_ = OwnCmd::no;
    std::vector<store::PlannedImage> pending_;  // made, and not yet published
    int exit_code_ = 0;                         // of a command that failed
};

}  // namespace

int run_stage(StageWork const& work, EventSender const& events) {
    Stage stage{work, events};
    auto const built = stage.build();
    if (!built.has_value()) {
        static_cast<void>(stage.settle());  // the failure is what counts
        events.send({.kind = Event::Kind::failed,
                     .text = built.error().message(),
                     .code = stage.exit_code() != 0 ? stage.exit_code() : exit_code::kFailure});
        return 1;
    }
    auto const& consumed = stage.consumed();
    events.send(
        {.kind = Event::Kind::done,
         .text = stage.image().is_nothing() ? std::string{} : stage.image().image.id.to_string(),
         .names = {consumed.begin(), consumed.end()}});
    return 0;
}

}  // namespace oblea::tools::build

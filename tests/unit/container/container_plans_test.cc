// SPDX-License-Identifier: MIT
// What containers decide without touching anything: options, state, restarts, keys, copies.
#include "tests/support/catch.h"
#include "tools/container/bundle.h"
#include "tools/container/container_state.h"
#include "tools/container/container_usage.h"
#include "tools/container/copy_tree.h"
#include "tools/container/device.h"
#include "tools/container/mount_options.h"
#include "tools/container/process_table.h"
#include "tools/container/read_bundle.h"
#include "tools/container/run_config.h"
#include "tools/monitor/attach.h"
#include "tools/monitor/log_file.h"
#include "tools/monitor/monitor.h"
#include "tools/monitor/pasta.h"
#include "tools/monitor/wire.h"

#include <linux/capability.h>
#include <linux/mount.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>

#include <csignal>

using namespace oblea;
using namespace oblea::tools;
using nlohmann::json;

namespace {

constexpr char const* kImage = R"({"architecture":"amd64","os":"linux","config":{
    "Env":["PATH=/bin","A=image"],"Entrypoint":["/init"],"Cmd":["serve"],"WorkingDir":"/srv",
    "User":"www","Labels":{"from":"image"},"StopSignal":"SIGQUIT"},
    "rootfs":{"type":"layers","diff_ids":[]}})";

Result<RunConfig> planned(RunRequest request) {
    return plan_run_config(kImage, std::move(request));
}

RunRequest with_command(std::vector<std::string> command) {
    RunRequest request;
    request.command = std::move(command);
    return request;
}

RunRequest with_entrypoint(std::string entrypoint) {
    RunRequest request;
    request.entrypoint = std::move(entrypoint);
    return request;
}

PortMapping port(std::string address, std::uint16_t outside, std::uint16_t inside,
                 PortMapping::Protocol protocol = PortMapping::Protocol::tcp) {
    PortMapping mapping;
    mapping.host_address = std::move(address);
    mapping.host_port = outside;
    mapping.container_port = inside;
    mapping.protocol = protocol;
    return mapping;
}

}  // namespace

TEST_CASE("the image's defaults hold unless others are asked for", "[container][run_config]") {
    auto const plain = planned({});
    REQUIRE(plain.has_value());
    CHECK(plain->arguments() == std::vector<std::string>{"/init", "serve"});
    CHECK(plain->workdir == "/srv");
    CHECK(plain->user == "www");
    CHECK(plain->stop_signal == 3);
    CHECK(plain->labels.at("from") == "image");

    RunRequest request = with_command({"other"});
    request.env = {"A=asked", "B"};
    request.caller_env = {"B=mine"};
    request.labels = {"from=asked", "bare"};
    auto const asked = planned(request);
    REQUIRE(asked.has_value());
    CHECK(asked->arguments() == std::vector<std::string>{"/init", "other"});
    CHECK(asked->env == std::vector<std::string>{"PATH=/bin", "A=asked", "B=mine"});
    CHECK(asked->labels.at("from") == "asked");
    CHECK(asked->labels.at("bare").empty());

    // The image's command suits its own entrypoint only.
    CHECK(planned(with_entrypoint("/bin/sh"))->arguments() == std::vector<std::string>{"/bin/sh"});
    CHECK(planned(with_entrypoint(""))->arguments() == std::vector<std::string>{"/bin/sh"});
}

TEST_CASE("the caller's terminal is not the container's", "[container][run_config]") {
    auto const env = [](std::vector<std::string> image, std::vector<std::string> asked,
                        HasTerminal terminal) {
        return plan_container_environment({.image = std::move(image),
                                           .asked = std::move(asked),
                                           .caller = {"TERM=mine", "PATH=/mine"},
                                           .home = ""},
                                          terminal)
            .value();
    };
    using List = std::vector<std::string>;
    CHECK(env({"PATH=/bin"}, {}, HasTerminal::no) == List{"PATH=/bin"});
    CHECK(env({"PATH=/bin"}, {}, HasTerminal::yes) == List{"PATH=/bin", "TERM=xterm"});
    CHECK(env({"PATH=/bin", "TERM=dumb"}, {}, HasTerminal::yes) == List{"PATH=/bin", "TERM=dumb"});
    CHECK(env({"PATH=/bin"}, {"TERM"}, HasTerminal::no) == List{"PATH=/bin", "TERM=mine"});
    CHECK(env({"PATH=/bin"}, {"HOME=/x"}, HasTerminal::no) == List{"PATH=/bin", "HOME=/x"});
}

TEST_CASE("options that contradict each other are refused", "[container][run_config]") {
    RunRequest ports;
    ports.plain.ports.push_back(port("", 1, 1));
    CHECK(planned(ports)->network == Network::published);
    ports.network = "host";
    CHECK(planned(ports).error().code == Errno::einval);
    RunRequest remove;
    remove.plain.remove_at_end = true;
    remove.plain.restart.kind = RestartPolicy::Kind::always;
    CHECK(planned(remove).error().code == Errno::einval);
    RunRequest relative;
    relative.workdir = "relative";
    CHECK(planned(relative).error().code == Errno::einval);
}

TEST_CASE("what an image exposes is published once", "[container][run_config]") {
    RunRequest request;
    request.publish_all = true;
    request.plain.ports.push_back(port("", 8080, 80));
    auto const run = plan_run_config(R"({"config":{"ExposedPorts":{"80/tcp":{},"53/udp":{}}}})",
                                     std::move(request));
    REQUIRE(run.has_value());
    REQUIRE(run->ports.size() == 2);
    CHECK(run->ports[1] == port("", 0, 53, PortMapping::Protocol::udp));
    CHECK(run->network == Network::published);
}

TEST_CASE("what a container runs is kept as it was settled", "[container][run_config]") {
    RunRequest request = with_command({"a", "b c"});
    request.plain.binds.push_back({"/a", "/b", BindMount::Access::read_only});
    request.plain.ports.push_back(port("127.0.0.1", 8080, 80, PortMapping::Protocol::udp));
    request.plain.ports.push_back(port("", 1, 2));
    request.plain.restart = {.kind = RestartPolicy::Kind::on_failure, .retries_max = 3};
    request.plain.terminal = true;
    request.plain.hostname = "box";
    auto const config = planned(request);
    REQUIRE(config.has_value());
    auto const again = parse_run_config(encode_run_config(*config).dump());
    REQUIRE(again.has_value());
    CHECK(*again == *config);
    CHECK(parse_run_config("{}").error().code == Errno::einval);
    CHECK(parse_run_config("[]").error().code == Errno::einval);
}

TEST_CASE("ports, volumes, policies and signals are read as docker writes them",
          "[container][run_config]") {
    auto const ports = [](char const* text) {
        std::string shown;
        auto const parsed = parse_port_mappings(text);
        REQUIRE(parsed.has_value());
        for (PortMapping const& one : *parsed) {
            shown += one.to_string() + ' ';
        }
        return shown;
    };
    CHECK(ports("8080:80") == "0.0.0.0:8080->80/tcp ");
    CHECK(ports("127.0.0.1:53:53/udp") == "127.0.0.1:53->53/udp ");
    CHECK(ports("[::1]:53:53") == "::1:53->53/tcp ");
    CHECK(ports("80") == "0.0.0.0:0->80/tcp ");
    CHECK(ports("127.0.0.1::80") == "127.0.0.1:0->80/tcp ");
    CHECK(ports("8000-8001:80-81") == "0.0.0.0:8000->80/tcp 0.0.0.0:8001->81/tcp ");
    for (char const* bad : {"", "a:80", "80:0", "80:70000", "80:80/sctp", "80:", "2-1:2-1",
                            "1-3:1-2", "1-2:1", "1-:1-", "-1"}) {
        CAPTURE(bad);
        CHECK(parse_port_mappings(bad).error().code == Errno::einval);
    }
    CHECK(parse_bind_mount("/a:/b:ro")->access == BindMount::Access::read_only);
    CHECK(parse_bind_mount("/a:/b:ro,z")->access == BindMount::Access::read_only);
    CHECK(parse_bind_mount("/a:/b:Z")->access == BindMount::Access::read_write);
    for (char const* bad : {"/a", "name:/b", "/a:b", "/a:/b:x", "/a:/b:ro,x"}) {
        CAPTURE(bad);
        CHECK(parse_bind_mount(bad).error().code == Errno::einval);
    }
    for (char const* good : {"no", "always", "unless-stopped", "on-failure", "on-failure:4"}) {
        CHECK(to_string(parse_restart_policy(good).value()) == good);
    }
    for (char const* bad : {"never", "always:3", "on-failure:x"}) {
        CAPTURE(bad);
        CHECK(parse_restart_policy(bad).error().code == Errno::einval);
    }
    CHECK(parse_signal("TERM").value() == 15);
    CHECK(parse_signal("SIGKILL").value() == 9);
    CHECK(parse_signal("1").value() == 1);
    CHECK(parse_signal("hup").value() == 1);
    CHECK(parse_signal("SIGRTMIN+3").value() == SIGRTMIN + 3);
    CHECK(parse_signal("RTMAX-1").value() == SIGRTMAX - 1);
    CHECK(signal_name(SIGRTMIN + 3) == "SIGRTMIN+3");
    CHECK(signal_name(15) == "SIGTERM");
    CHECK(parse_signal("0").error().code == Errno::einval);
    CHECK(parse_signal("SIGRTMIN+99").error().code == Errno::einval);
    CHECK(parse_signal("NONE").error().code == Errno::einval);
    CHECK(parse_env_file("# no\n\nA=1\r\n  B=two words\n") ==
          std::vector<std::string>{"A=1", "B=two words"});
}

TEST_CASE("state is told in docker's words", "[container][state]") {
    ContainerState state;
    CHECK(status_text(state, 0) == "Created");
    state.status = ContainerState::Status::running;
    state.started = "1970-01-01T00:00:00Z";
    CHECK(status_text(state, 4 * 3600) == "Up 4 hours");
    state.status = ContainerState::Status::paused;
    CHECK(status_text(state, 4 * 3600) == "Up 4 hours (Paused)");
    CHECK(parse_state(encode_state(state))->status == ContainerState::Status::paused);
    state.status = ContainerState::Status::exited;
    state.exit_code = 130;
    state.finished = state.started;
    CHECK(status_text(state, 5) == "Exited (130) 5 seconds ago");
    auto const again = parse_state(encode_state(state));
    REQUIRE(again.has_value());
    CHECK(again->exit_code == 130);
    CHECK(again->status == ContainerState::Status::exited);
    CHECK(parse_state("{}").error().code == Errno::euclean);
    CHECK(parse_state("").error().code == Errno::euclean);
}

TEST_CASE("restarts follow the policy, slower each time", "[container][restart]") {
    using Kind = RestartPolicy::Kind;
    using Stopped = EndOfRun::Stopped;
    auto const end = [](int code, unsigned restarts = 0, Stopped stopped = Stopped::by_itself) {
        return EndOfRun{.exit_code = code, .restarts = restarts, .stopped = stopped};
    };
    CHECK_FALSE(decide_restart_ms({}, end(1)).has_value());
    CHECK(decide_restart_ms({Kind::always, 0}, end(0)) == 100);
    CHECK(decide_restart_ms({Kind::always, 0}, end(0, 2)) == 400);
    CHECK(decide_restart_ms({Kind::always, 0}, end(0, 1000)) == 60'000);
    CHECK_FALSE(decide_restart_ms({Kind::always, 0}, end(0, 0, Stopped::by_user)).has_value());
    CHECK_FALSE(decide_restart_ms({Kind::on_failure, 0}, end(0)).has_value());
    CHECK(decide_restart_ms({Kind::on_failure, 2}, end(1, 1)).has_value());
    CHECK_FALSE(decide_restart_ms({Kind::on_failure, 2}, end(1, 2)).has_value());
}

TEST_CASE("detach keys are found in what is typed", "[container][attach]") {
    auto keys = DetachKeys::parse(kDefaultDetachKeys);
    REQUIRE(keys.has_value());
    CHECK(keys->feed("ab").pass == "ab");
    CHECK(keys->feed("\x10").pass.empty());        // waits for the next
    CHECK(keys->feed("x").pass == "\x10x");        // which is another one
    CHECK(keys->feed("\x10\x10").pass == "\x10");  // the second may begin them
    CHECK(keys->feed("\x11").detached);
    CHECK(DetachKeys::parse("a,ctrl-],ctrl-@").has_value());
    CHECK(DetachKeys::parse("ctrl-1").error().code == Errno::einval);
    CHECK(DetachKeys::parse("meta-x").error().code == Errno::einval);
}

TEST_CASE("frames come back whole, however they arrive", "[container][wire]") {
    std::string const sent =
        encode_frame(Frame::Kind::output, "text") + encode_frame(Frame::Kind::exit, "");
    std::string buffer;
    std::vector<Frame> received;
    for (char const c : sent) {
        buffer += c;
        auto frame = take_frame(buffer);
        REQUIRE(frame.has_value());
        if (frame->has_value()) {
            received.push_back(**frame);
        }
    }
    REQUIRE(received.size() == 2);
    CHECK(received[0].payload == "text");
    CHECK(received[1].kind == Frame::Kind::exit);
    std::string huge{"O\xff\xff\xff\xff"};
    CHECK(take_frame(huge).error().code == Errno::ebadmsg);
}

TEST_CASE("a copy goes where docker's rules put it", "[container][cp]") {
    using Source = CopySource::Kind;
    using Target = CopyTarget::Kind;
    using Into = CopyPlan::Into;
    CHECK(plan_copy({"f", Source::file}, {Target::folder, "d", false})->into == Into::target);
    CHECK(plan_copy({"f", Source::file}, {Target::missing, "new", false})->rename == "new");
    CHECK(plan_copy({"f", Source::file}, {Target::file, "old", false})->rename == "old");
    CHECK(plan_copy({"d", Source::folder}, {Target::missing, "new", false})->into == Into::parent);
    CHECK(plan_copy({".", Source::contents}, {Target::missing, "new", false})->into ==
          Into::new_folder);
    CHECK(plan_copy({".", Source::contents}, {Target::folder, "d", false})->into == Into::target);
    CHECK_FALSE(plan_copy({"f", Source::file}, {Target::missing, "new", true}).has_value());
    CHECK_FALSE(plan_copy({"d", Source::folder}, {Target::file, "f", false}).has_value());
    CHECK(parse_copy_end("web:/etc").container == "web");
    CHECK(parse_copy_end("./a:b").container.empty());
    CHECK(parse_copy_end("/a:b").path == "/a:b");
}

TEST_CASE("a bundle gives capabilities to root alone", "[container][bundle]") {
    RunConfig config;
    config.command = {"true"};
    auto const process = [&](std::uint32_t uid) {
        Identity identity;
        identity.uid = uid;
        identity.gid = uid;
        return json::parse(make_bundle_config({.config = config,
                                               .root = "/r",
                                               .hostname = "h",
                                               .identity = identity,
                                               .capabilities = {"CAP_CHOWN"},
                                               .files = {}}))["process"];
    };
    CHECK(process(0)["capabilities"]["effective"] == json{"CAP_CHOWN"});
    CHECK(process(33)["capabilities"]["effective"].empty());
    CHECK(process(33)["capabilities"]["bounding"] == json{"CAP_CHOWN"});
    CHECK(process(33)["cwd"] == "/");
}

TEST_CASE("what a bundle says is read back by the runtime of oblea's own", "[container][bundle]") {
    RunConfig config;
    config.entrypoint = {"sh"};
    config.command = {"-c", "true"};
    config.env = {"A=1"};
    config.workdir = "/srv";
    config.terminal = true;
    config.read_only = true;
    config.network = Network::none;
    config.binds = {{.source = "/a", .target = "/b", .access = BindMount::Access::read_only}};
    Identity identity;
    identity.uid = 33;
    identity.gid = 34;
    identity.groups = {5, 6};
    identity.home = "/var/www";
    BundleFacts const facts{.config = config,
                            .root = "/r",
                            .hostname = "h",
                            .identity = identity,
                            .capabilities = {"CAP_CHOWN", "CAP_KILL"},
                            .files = {},
                            .devices = {"null"}};
    auto const bundle = read_bundle(make_bundle_config(facts));
    REQUIRE(bundle.has_value());
    CHECK(bundle->root == "/r");
    CHECK(bundle->access == Bundle::Access::read_only);
    CHECK(bundle->hostname == "h");
    CHECK(bundle->network == Bundle::Network::own);
    CHECK(bundle->process.arguments == std::vector<std::string>{"sh", "-c", "true"});
    CHECK(bundle->process.env == std::vector<std::string>{"A=1", "HOSTNAME=h", "HOME=/var/www"});
    CHECK(bundle->process.workdir == "/srv");
    CHECK(bundle->process.terminal);
    CHECK(bundle->process.uid == 33);
    CHECK(bundle->process.gid == 34);
    CHECK(bundle->process.groups == std::vector<std::uint32_t>{5, 6});
    CHECK(bundle->process.bounding == ((1U << CAP_CHOWN) | (1U << CAP_KILL)));
    CHECK(bundle->process.effective == 0);
    auto const& proc = bundle->mounts.front();
    CHECK(proc.target == "/proc");
    CHECK(proc.type == "proc");
    CHECK(proc.flags == (MS_NOSUID | MS_NOEXEC | MS_NODEV));
    // The harmless devices alone are devices.
    for (BundleMount const& mount : bundle->mounts) {
        CAPTURE(mount.target);
        bool const nodev = (mount.flags & (mount.type.empty() ? MOUNT_ATTR_NODEV : MS_NODEV)) != 0;
        CHECK(nodev == (mount.target != "/dev/null" && mount.target != "/dev/pts"));
    }
    auto const& shown = bundle->mounts.back();
    CHECK(shown.type.empty());
    CHECK(shown.source == "/a");
    CHECK(shown.flags == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV));
    CHECK_FALSE(bundle->masked_paths.empty());
    CHECK_FALSE(bundle->read_only_paths.empty());
}

TEST_CASE("a bundle that asks for what is not known is refused", "[container][bundle]") {
    auto const changed = [](char const* pointer, json value) {
        RunConfig config;
        config.command = {"true"};
        config.binds = {{.source = "/a", .target = "/b"}};
        BundleFacts const facts{.config = config,
                                .root = "/r",
                                .hostname = "h",
                                .identity = {},
                                .capabilities = {},
                                .files = {}};
        json document = json::parse(make_bundle_config(facts));
        document[json::json_pointer{pointer}] = std::move(value);
        return read_bundle(document.dump()).has_value();
    };
    CHECK(changed("/hostname", "other"));
    CHECK_FALSE(changed("/hostname", 1));
    CHECK_FALSE(changed("/process/args", json::array()));
    CHECK_FALSE(changed("/process/user", nullptr));
    CHECK_FALSE(changed("/process/user/uid", 4294967295U));
    CHECK_FALSE(changed("/process/capabilities/bounding", {"CAP_NONE"}));
    CHECK_FALSE(changed("/mounts/6/options", {"rslave"}));
    CHECK_FALSE(changed("/mounts", nullptr));
    CHECK_FALSE(read_bundle("[]").has_value());
}

TEST_CASE("mounts are described in docker's two forms", "[container][mounts]") {
    using Words = std::vector<std::string>;
    CHECK(parse_tmpfs_mount("/run")->options == Words{"noexec", "nosuid", "nodev"});
    CHECK(parse_tmpfs_mount("/run:rw,exec,size=64k")->options ==
          Words{"nosuid", "nodev", "size=64k"});
    auto const bind = parse_mount_option("type=bind,src=/a,dst=/b,readonly");
    CHECK(std::get<BindMount>(bind.value()) ==
          BindMount{.source = "/a", .target = "/b", .access = BindMount::Access::read_only});
    CHECK(std::get<BindMount>(parse_mount_option("type=bind,src=/a,dst=/b,ro=false").value())
              .access == BindMount::Access::read_write);
    auto const memory = parse_mount_option("type=tmpfs,target=/m,tmpfs-size=1GB,tmpfs-mode=1777");
    CHECK(std::get<TmpfsMount>(memory.value()) ==
          TmpfsMount{.target = "/m",
                     .options = {"noexec", "nosuid", "nodev", "size=1g", "mode=1777"}});
    auto const wrong =
        GENERATE("", "type=bind", "type=bind,src=/a", "type=bind,dst=/b", "type=tmpfs,target=/",
                 "type=tmpfs,src=/a,target=/m", "type=tmpfs,target=/m,tmpfs-size=much",
                 "type=tmpfs,target=/m,tmpfs-mode=8", "type=nosuch,target=/m",
                 "type=bind,src=/a,dst=/b,tmpfs-size=1", "type=bind,src=/a,dst=/b,readonly=perhaps",
                 "type=bind,src=/a,dst=/b,bind-propagation=shared");
    CAPTURE(wrong);
    CHECK(parse_mount_option(wrong).error().code == Errno::einval);
    CHECK(parse_tmpfs_mount("run").error().code == Errno::einval);
    CHECK(parse_tmpfs_mount("/run:size=").error().code == Errno::einval);
}

TEST_CASE("devices are described as docker does", "[container][mounts]") {
    auto const wanted = [](char const* source, char const* target) {
        return Device{.source = source, .target = target};
    };
    CHECK(parse_device("/dev/fuse").value() == wanted("/dev/fuse", "/dev/fuse"));
    CHECK(parse_device("/dev/fuse:rwm").value() == wanted("/dev/fuse", "/dev/fuse"));
    CHECK(parse_device("/dev/a:/dev/b").value() == wanted("/dev/a", "/dev/b"));
    CHECK(parse_device(to_string(wanted("/dev/a", "/x"))).value() == wanted("/dev/a", "/x"));
    auto const wrong = GENERATE("", "fuse", "/dev/a:b", "/dev/a:/dev/b:rw", "/dev/a:r",
                                "/dev/a:/b:x", "/a:/b:rwm:");
    CAPTURE(wrong);
    CHECK(parse_device(wrong).error().code == Errno::einval);
}

TEST_CASE("folders are mounted before what is in them", "[container][mounts]") {
    RunRequest request;
    request.plain.binds = {{.source = "/a", .target = "/srv/x/in"}};
    request.plain.tmpfs = {{.target = "/srv/x", .options = {"nosuid"}}};
    RunConfig const config = planned(request).value();
    CHECK(parse_run_config(encode_run_config(config).dump()).value() == config);
    auto const document = json::parse(make_bundle_config({.config = config,
                                                          .root = "/r",
                                                          .hostname = "",
                                                          .identity = {},
                                                          .capabilities = {},
                                                          .files = {}}));
    auto const& mounts = document["mounts"];
    CHECK(mounts[mounts.size() - 2]["destination"] == "/srv/x");
    CHECK(mounts[mounts.size() - 1]["destination"] == "/srv/x/in");
    request.plain.tmpfs.push_back({.target = "/srv/x/in/", .options = {}});
    CHECK(planned(request).error().message() == "Duplicate mount point: /srv/x/in");
}

TEST_CASE("lines of ps are those of the container", "[container][top]") {
    constexpr std::string_view kListed = "UID     PID  CMD\nroot      7  sh -c  'a  b'\n"
                                         "root     71  other\nx       8\n";
    std::vector<pid_t> const wanted{7, 8};
    CHECK(select_processes(kListed, wanted).value() ==
          "UID                 PID                 CMD\n"
          "root                7                   sh -c  'a  b'\n"
          "x                   8\n");
    CHECK(select_processes("CMD\nsh\n", wanted).error().message() ==
          "Couldn't find PID field in ps output");
    CHECK_FALSE(select_processes("", wanted).has_value());
}

TEST_CASE("what containers use is read from /proc", "[container][stats]") {
    auto const stat =
        parse_process_stat("7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 30 12 5 6 20 0 3 0 9");
    CHECK(stat.cpu_ticks == 42);
    CHECK(stat.threads == 3);
    CHECK(parse_process_stat("7 (cut").threads == 0);
    auto const network = parse_network_devices(
        "Inter-|   Receive  |  Transmit\n face |bytes    packets\n"
        "    lo:  100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
        "  eth0: 2000 1 0 0 0 0 0 0 3000 1 0 0 0 0 0 0\n  bolo: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n");
    CHECK(network.received_bytes == 2001);
    CHECK(network.sent_bytes == 3002);
    ContainerUsage before;
    before.processes = {{1, {.cpu_ticks = 10}}, {2, {.cpu_ticks = 500}}};
    ContainerUsage now;
    now.processes = {{1, {.cpu_ticks = 15}}, {3, {.cpu_ticks = 2}}};
    CHECK(now.cpu_ticks_since(before) == 7);
}

TEST_CASE("pasta is told the UDP ports, and nothing else is forwarded", "[container][pasta]") {
    PortMapping name_service = port("127.0.0.1", 5353, 53);
    name_service.protocol = PortMapping::Protocol::udp;
    auto const command = pasta_command({port("", 8080, 80), name_service}, "/proc/7/ns/net");
    auto const has = [&](std::string const& option, std::string const& value) {
        for (std::size_t i = 0; i + 1 < command.size(); ++i) {
            if (command[i] == option && command[i + 1] == value) {
                return true;
            }
        }
        return false;
    };
    CHECK(has("-t", "none"));
    CHECK(has("-u", "127.0.0.1/5353:53"));
    CHECK(has("-T", "none"));
    CHECK(has("--netns", "/proc/7/ns/net"));
}

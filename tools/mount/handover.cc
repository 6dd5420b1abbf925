// SPDX-License-Identifier: MIT
#include "tools/mount/handover.h"

#include <nlohmann/json.hpp>

namespace oblea::tools {
namespace {

using nlohmann::json;

// Raised whenever the meaning of anything in it changes, that of the shared memory included.
constexpr int kGeneration = 4;

json json_of(fs::Placeholders::Added const& one) {
    return {{"parent", static_cast<std::uint64_t>(one.parent)},
            {"name", one.name},
            {"folder", one.type == fs::FileType::directory},
            {"seconds", one.time.seconds},
            {"nanoseconds", one.time.nanoseconds}};
}

fs::Placeholders::Added placeholder_of(json const& one) {
    return {.parent = fs::Ino{one.at("parent").get<std::uint64_t>()},
            .name = one.at("name").get<std::string>(),
            .type = one.at("folder").get<bool>() ? fs::FileType::directory : fs::FileType::regular,
            .time = {.seconds = one.at("seconds").get<std::int64_t>(),
                     .nanoseconds = one.at("nanoseconds").get<std::uint32_t>()}};
}

json json_of(fs::Handover const& server) {
    std::vector<unsigned> init;
    init.reserve(server.init.size());
    for (std::byte const byte : server.init) {
        init.push_back(std::to_integer<unsigned>(byte));
    }
    json placeholders = json::array();
    for (auto const& one : server.placeholders) {
        placeholders.push_back(json_of(one));
    }
    return {{"device", server.device},
            {"counters", server.counters},
            {"in_hand", server.in_hand},
            {"backing", server.backing},
            {"rings", server.rings},
            {"rings_at", server.rings_at},
            {"ring_queues", server.ring_queues},
            {"init", init},
            {"agreed", server.agreed},
            {"asked_data", server.asked_data},
            {"data", server.data},
            {"reason", server.reason},
            {"transport_reason", server.transport_reason},
            {"mount_point", server.mount_point},
            {"mount_device", server.mount_device},
            {"mount_id", server.mount_id},
            {"placeholders", placeholders}};
}

fs::Handover server_of(json const& object) {
    fs::Handover server{.device = object.at("device").get<int>(),
                        .counters = object.at("counters").get<int>(),
                        .in_hand = object.at("in_hand").get<int>(),
                        .backing = object.at("backing").get<int>(),
                        .rings = object.at("rings").get<int>(),
                        .rings_at = object.at("rings_at").get<std::uint64_t>(),
                        .ring_queues = object.at("ring_queues").get<unsigned>(),
                        .agreed = object.at("agreed").get<std::uint64_t>(),
                        .asked_data = object.at("asked_data").get<std::string>(),
                        .data = object.at("data").get<std::string>(),
                        .reason = object.at("reason").get<std::string>(),
                        .transport_reason = object.at("transport_reason").get<std::string>(),
                        .mount_point = object.at("mount_point").get<std::string>(),
                        .mount_device = object.at("mount_device").get<std::string>(),
                        .mount_id = object.at("mount_id").get<std::uint64_t>()};
    for (json const& byte : object.at("init")) {
        server.init.push_back(std::byte{byte.get<std::uint8_t>()});
    }
    for (json const& one : object.at("placeholders")) {
        server.placeholders.push_back(placeholder_of(one));
    }
    return server;
}

ImageHandover image_of(json const& object) {
    ImageHandover image{
        .store = {.path = object.at("store").get<std::string>(),
                  .shared = object.at("shared_stores").get<std::vector<std::string>>()},
        .lease = object.at("lease").get<std::string>(),
        .lease_file = object.at("lease_file").get<int>(),
        .image_name = object.at("image_name").get<std::string>(),
        .container_id = object.at("container").get<std::string>()};
    MountRequest& request = image.request;
    request.mode = object.at("writable").get<bool>() ? MountMode::writable : MountMode::read_only;
    request.upper_dir = object.at("upper_dir").get<std::string>();
    request.contents =
        object.at("verified").get<bool>() ? store::Contents::verified : store::Contents::trusted;
    request.remove =
        object.at("remove").get<bool>() ? RemoveAtUnmount::always : RemoveAtUnmount::when_untouched;
    request.options.threads = object.at("threads").get<unsigned>();
    image.made = object.at("made_by_this_mount").get<bool>() ? ImageHandover::Made::by_this_mount
                                                             : ImageHandover::Made::before;
    image.owner_ids = object.at("squashed").get<bool>() ? OwnerIds::squashed : OwnerIds::real;
    return image;
}

void add(json& object, ImageHandover const& image) {
    json layers = json::array();
    for (store::Digest const& layer : image.layers) {
        layers.push_back(layer.to_string());
    }
    object.update({{"store", image.store.path},
                   {"shared_stores", image.store.shared},
                   {"lease", image.lease},
                   {"lease_file", image.lease_file},
                   {"writable", image.request.mode == MountMode::writable},
                   {"upper_dir", image.request.upper_dir},
                   {"verified", image.request.contents == store::Contents::verified},
                   {"remove", image.request.remove == RemoveAtUnmount::always},
                   {"threads", image.request.options.threads},
                   {"image_name", image.image_name},
                   {"layers", layers},
                   {"container", image.container_id},
                   {"made_by_this_mount", image.made == ImageHandover::Made::by_this_mount},
                   {"squashed", image.owner_ids == OwnerIds::squashed}});
}

StackHandover stack_of(json const& object) {
    return {.options = object.at("options").get<std::vector<std::string>>(),
            .layers = object.at("layers").get<std::vector<int>>(),
            .numbering = object.at("numbering").get<int>(),
            .upper = object.at("upper").get<int>(),
            .work = object.at("work").get<int>()};
}

void add(json& object, StackHandover const& stack) {
    object["stack"] = {{"options", stack.options},
                       {"layers", stack.layers},
                       {"numbering", stack.numbering},
                       {"upper", stack.upper},
                       {"work", stack.work}};
}

MountHandover handover_of(json const& object) {
    MountHandover handover{.description = object.at("description").get<std::string>(),
                           .server = server_of(object.at("server")),
                           .life = object.at("life").get<int>()};
    if (object.contains("stack")) {
        handover.mounted = stack_of(object.at("stack"));
    } else {
        handover.mounted = image_of(object);
    }
    if (json const& memory = object.at("memory"); memory.is_object()) {
        handover.memory = {.lower_counts = memory.at("lower_counts").get<int>(),
                           .ledger = memory.at("ledger").get<int>(),
                           .upper_lock = memory.at("upper_lock").get<int>()};
    }
    return handover;
}

std::vector<int> own_descriptors(ImageHandover const& image) {
    return {image.lease_file};
}

std::vector<int> own_descriptors(StackHandover const& stack) {
    std::vector<int> all = stack.layers;
    all.push_back(stack.numbering);
    if (stack.upper >= 0) {
        all.insert(all.end(), {stack.upper, stack.work});
    }
    return all;
}

}  // namespace

std::string encode_handover(MountHandover const& handover) {
    json memory;
    if (handover.memory.has_value()) {
        memory = {{"lower_counts", handover.memory->lower_counts},
                  {"ledger", handover.memory->ledger},
                  {"upper_lock", handover.memory->upper_lock}};
    }
    json object = {{"generation", kGeneration},
                   {"description", handover.description},
                   {"memory", memory},
                   {"server", json_of(handover.server)},
                   {"life", handover.life}};
    std::visit([&](auto const& mounted) { add(object, mounted); }, handover.mounted);
    // Paths may be any bytes; a byte that is no UTF-8 cannot be told, and then the path is not
    // found.
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<MountHandover> parse_handover(std::string_view text) {
    json const object = json::parse(text, nullptr, false);
    if (!object.is_object() || object.value("generation", 0) != kGeneration) {
        return fail(Errno::eopnotsupp, "",
                    "the program that mounted is of another generation; unmount and mount again "
                    "to use this one");
    }
    try {
        MountHandover handover = handover_of(object);
        if (auto* const image = std::get_if<ImageHandover>(&handover.mounted)) {
            for (json const& layer : object.at("layers")) {
                image->layers.push_back(OBLEA_TRY(store::Digest::parse(layer.get<std::string>())));
            }
        }
        return handover;
    } catch (json::exception const& wrong) {
        return fail(Errno::eio, "",
                    std::string{"what the holder says cannot be read: "} + wrong.what());
    }
}

std::vector<int> descriptors_of(MountHandover const& handover) {
    std::vector<int> all =
        std::visit([](auto const& mounted) { return own_descriptors(mounted); }, handover.mounted);
    all.insert(all.end(), {handover.server.device, handover.server.counters,
                           handover.server.in_hand, handover.life});
    if (handover.server.backing >= 0) {
        all.push_back(handover.server.backing);
    }
    if (handover.server.rings >= 0) {
        all.push_back(handover.server.rings);
    }
    if (handover.memory.has_value()) {
        all.insert(all.end(), {handover.memory->lower_counts, handover.memory->ledger,
                               handover.memory->upper_lock});
    }
    return all;
}

}  // namespace oblea::tools

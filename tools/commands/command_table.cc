// SPDX-License-Identifier: MIT
#include "tools/build/build_command.h"
#include "tools/cli/run_program.h"
#include "tools/commands/commands.h"

namespace oblea::tools {

CommandTable command_table() {
    // In the order in which help lists them.
    // clang-format off
    return {
        pull_command(),
        push_command(),
        search_command(),
        copy_command(),
        tags_command(),
        login_command(),
        logout_command(),
        build_command(),
        import_command(),
        load_command(),
        images_command(),
        inspect_command(),
        image_inspect_command(),
        history_command(),
        tag_command(),
        rmi_command(),
        prune_command(),
        save_command(),
        unpack_command(),
        ls_command(),
        cat_command(),
        which_command(),
        image_diff_command(),
        explore_command(),
        mount_command(),
        umount_command(),
        upgrade_server_command(),
        mounts_command(),
        overlay_command(),
        seal_command(),
        chroot_command(),
        run_command(),
        create_command(),
        start_command(),
        stop_command(),
        restart_command(),
        kill_command(),
        pause_command(),
        unpause_command(),
        attach_command(),
        exec_command(),
        logs_command(),
        wait_command(),
        ps_command(),
        top_command(),
        stats_command(),
        port_command(),
        rm_command(),
        rename_command(),
        update_command(),
        container_prune_command(),
        cp_command(),
        diff_command(),
        commit_command(),
        export_command(),
        bundle_command(),
        container_inspect_command(),
        df_command(),
        gc_command(),
        system_prune_command(),
        publish_command(),
        verify_command(),
        verify_signature_command(),
        repair_command(),
        info_command(),
        version_command(),
        help_command(),
    };
    // clang-format on
}

}  // namespace oblea::tools

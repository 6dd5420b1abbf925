// SPDX-License-Identifier: MIT
// The commands, each described and run in the file of its name.
#pragma once
#include "tools/cli/command.h"

namespace oblea::tools {

Command attach_command();
Command bundle_command();
Command cat_command();
Command chroot_command();
Command commit_command();
Command container_inspect_command();
Command container_prune_command();
Command copy_command();
Command cp_command();
Command create_command();
Command df_command();
Command diff_command();
Command exec_command();
Command explore_command();
Command export_command();
Command gc_command();
Command help_command();
Command history_command();
Command image_diff_command();
Command image_inspect_command();
Command images_command();
Command import_command();
Command info_command();
Command inspect_command();
Command kill_command();
Command load_command();
Command login_command();
Command logout_command();
Command logs_command();
Command ls_command();
Command mount_command();
Command mounts_command();
Command overlay_command();
Command pause_command();
Command port_command();
Command prune_command();
Command system_prune_command();
Command ps_command();
Command pull_command();
Command push_command();
Command rename_command();
Command repair_command();
Command restart_command();
Command rm_command();
Command rmi_command();
Command run_command();
Command save_command();
Command seal_command();
Command search_command();
Command start_command();
Command stats_command();
Command stop_command();
Command tag_command();
Command tags_command();
Command top_command();
Command umount_command();
Command unpause_command();
Command update_command();
Command upgrade_server_command();
Command unpack_command();
Command publish_command();
Command verify_command();
Command verify_signature_command();
Command version_command();
Command wait_command();
Command which_command();

}  // namespace oblea::tools

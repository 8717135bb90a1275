"""Promises about the embedded PostgreSQL and the commands, broken on purpose."""

from tests.sabotage import Sabotage

PRIVATE = "tests/db/embedded/test_private_folders.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let access(2) ignore the capability",
        "app/db/privileges.py",
        ', "--securebits=+no_setuid_fixup"]',
        "]",
        PRIVATE + "test_private_folder_is_no_obstacle_for",
    ),
    Sabotage(
        "know one way to give up root",
        "app/db/privileges.py",
        "        ((0, 0), namespace),\n",
        "",
        PRIVATE + "test_root_who_lacks_capabilities_gets_another_way_or_one_line",
    ),
    Sabotage(
        "keep a capability that is not needed",
        "app/db/privileges.py",
        '        ((uid, gid), [*user, "--inh-caps=-all"]),\n',
        "",
        PRIVATE + "test_server_keeps_a_capability_only_where_it_needs_one",
    ),
)

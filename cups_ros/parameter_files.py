"""Writes `config/perception.yaml` and the README's parameter tables from the settings classes.

python -m cups_ros.parameter_files yaml > config/perception.yaml
python -m cups_ros.parameter_files table
"""

from __future__ import annotations

import sys

from cups_ros import harvest_node
from cups_ros.drive_player import PlayerSettings
from cups_ros.parameters import Groups, parameter_table, parameter_yaml
from cups_ros.pseudo_label_node import PARAMETERS

# The parameter file of the launch file holds the vehicle's nodes; the player is for trying things
# out.
VEHICLE_NODES: dict[str, Groups] = {
    "pseudo_label_node": PARAMETERS,
    "harvest_node": harvest_node.PARAMETERS,
}
NODES: dict[str, Groups] = {**VEHICLE_NODES, "drive_player": {"": PlayerSettings}}


def perception_yaml() -> str:
    """The content of `config/perception.yaml`."""
    head = (
        "# Parameters of the vehicle's nodes with their defaults, written by `python -m "
        "cups_ros.parameter_files yaml`.\n"
        "# Copy this file, change the copy, and launch with params_file:=copy.yaml.\n"
    )
    return head + "\n".join(parameter_yaml(name, groups) for name, groups in VEHICLE_NODES.items())


def readme_tables() -> str:
    """One Markdown table per node."""
    return "\n".join(f"### {name}\n\n{parameter_table(groups)}" for name, groups in NODES.items())


if __name__ == "__main__":
    wanted = sys.argv[1:]
    if wanted not in (["yaml"], ["table"]):
        sys.exit("usage: python -m cups_ros.parameter_files yaml | table")
    sys.stdout.write(perception_yaml() if wanted == ["yaml"] else readme_tables())

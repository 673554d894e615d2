"""The vehicle stack: the pseudo-label node on a stereo camera; harvest node and RViz on demand.

ros2 launch cups_ros perception.launch.py left_namespace:=/camera/left
right_namespace:=/camera/right
"""

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

SHARE = FindPackageShare("cups_ros")
PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE"
ARGUMENTS = [
    ("namespace", "", "namespace of the nodes"),
    ("left_namespace", "left", "where image_rect and camera_info of the left camera are"),
    ("right_namespace", "right", "where image_rect and camera_info of the right camera are"),
    (
        "params_file",
        PathJoinSubstitution([SHARE, "config", "perception.yaml"]),
        "parameters of the nodes",
    ),
    ("autostart", "true", "false leaves the transitions to a lifecycle manager"),
    ("use_sim_time", "false", "take the time from /clock"),
    ("log_level", "info", "debug, info, warn or error"),
    ("harvest", "false", "record the frames worth learning from (parameters of harvest_node)"),
    ("rviz", "false", "start RViz with the shipped view"),
    (
        "fastdds_profile",
        EnvironmentVariable(
            PROFILE,
            default_value=PathJoinSubstitution([SHARE, "config", "fastdds_large_images.xml"]),
        ),
        "Fast DDS profile; the camera driver needs the same one",
    ),
]


def generate_launch_description() -> LaunchDescription:
    argument = LaunchConfiguration
    use_sim_time = ParameterValue(argument("use_sim_time"), value_type=bool)
    remappings = [
        (f"{side}/{topic}", [argument(f"{side}_namespace"), f"/{topic}"])
        for side in ("left", "right")
        for topic in ("image_rect", "image_rect/compressed", "camera_info")
    ]

    def perception_node(name: str, **options: object) -> LifecycleNode:
        return LifecycleNode(
            package="cups_ros",
            executable=name,
            name=name,
            namespace=argument("namespace"),
            parameters=[
                ParameterFile(argument("params_file"), allow_substs=True),
                {
                    "autostart": ParameterValue(argument("autostart"), value_type=bool),
                    "use_sim_time": use_sim_time,
                },
            ],
            remappings=remappings,
            arguments=["--ros-args", "--log-level", argument("log_level")],
            output="screen",
            **options,
        )

    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([SHARE, "config", "cups.rviz"])],
        parameters=[{"use_sim_time": use_sim_time}],
        condition=IfCondition(argument("rviz")),
    )
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, default, description in ARGUMENTS
            ),
            SetEnvironmentVariable(PROFILE, argument("fastdds_profile")),
            perception_node("pseudo_label_node"),
            perception_node("harvest_node", condition=IfCondition(argument("harvest"))),
            rviz,
        ]
    )

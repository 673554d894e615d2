"""The doctor on distribution folders written for the purpose and on this environment."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

import pytest

from cups_training.cli import main
from cups_training.doctor.findings import Verdict
from cups_training.doctor.packages import check_packages
from cups_training.doctor.ros_stack import check_one_ros, check_profile, check_receive_buffer
from cups_training.doctor.torch_pair import check_torch_pair

CUDA_TORCH = ("torch/__init__.py", "torch/lib/libtorch_cuda.so")
CPU_TORCH = ("torch/__init__.py", "torch/lib/libtorch_cpu.so")
CUDA_VISION = ("torchvision/_C_stable.so", "torchvision.libs/libcudart.3eda8113.so.13")
CPU_VISION = ("torchvision/_C_stable.so",)


def install(folder: Path, name: str, version: str, files: tuple[str, ...] | None) -> None:
    """Writes the metadata that pip leaves of an installed wheel."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if files is not None:
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.mark.parametrize(
    ("torch", "vision", "verdict"),
    [
        # What pip makes of a CPU torch and torchvision from PyPI.
        (("2.13.0+cpu", CPU_TORCH), ("0.28.0", CUDA_VISION), Verdict.WRONG),
        # The same without labels: the files tell.
        (("2.14.0", CPU_TORCH), ("0.29.1", CUDA_VISION), Verdict.WRONG),
        # The pair of the train extra.
        (("2.15.0", CUDA_TORCH), ("0.29.2", CUDA_VISION), Verdict.OK),
        (("2.15.0+cu132", CUDA_TORCH), ("0.29.2+cu132", CUDA_VISION), Verdict.OK),
        # Both from the index of CPU builds.
        (("2.15.0+cpu", CPU_TORCH), ("0.29.2+cpu", CPU_VISION), Verdict.OK),
        # Without labels on a machine where PyPI has CPU builds only.
        (("2.15.0", CPU_TORCH), ("0.29.2", CPU_VISION), Verdict.OK),
        # Imports, but its operators know no GPU.
        (("2.15.0+cu132", CUDA_TORCH), ("0.29.2+cpu", CPU_VISION), Verdict.WRONG),
        # A system package without a list of files cannot be judged.
        (("2.15.0", None), ("0.29.2", None), Verdict.OK),
    ],
)
def test_a_torch_and_torchvision_that_do_not_fit_are_named(
    torch: tuple[str, tuple[str, ...] | None],
    vision: tuple[str, tuple[str, ...] | None],
    verdict: Verdict,
    tmp_path: Path,
) -> None:
    install(tmp_path, "torch", *torch)
    install(tmp_path, "torchvision", *vision)
    found = check_torch_pair(distributions(path=[str(tmp_path)]))
    assert found.verdict is verdict
    assert torch[0] in found.found
    assert vision[0] in found.found
    assert ("pip install" in found.advice) == (verdict is Verdict.WRONG)


def test_a_missing_torch_is_no_fault(tmp_path: Path) -> None:
    install(tmp_path, "torchvision", "0.29.2", CPU_VISION)
    found = check_torch_pair(distributions(path=[str(tmp_path)]))
    assert found.verdict is Verdict.MISSING
    assert "cups-ros[train]" in found.advice


def test_a_small_receive_buffer_comes_with_the_command_that_raises_it(tmp_path: Path) -> None:
    limit = tmp_path / "rmem_max"
    limit.write_text("212992\n")
    (found,) = check_receive_buffer(limit)
    assert found.verdict is Verdict.MISSING
    assert "sysctl -w net.core.rmem_max" in found.advice
    limit.write_text("16777216\n")
    (found,) = check_receive_buffer(limit)
    assert found.verdict is Verdict.OK


def test_the_fast_dds_profile_is_looked_for(tmp_path: Path) -> None:
    assert check_profile({}).verdict is Verdict.MISSING
    assert "fastdds_large_images.xml" in check_profile({}).advice
    chosen = {"FASTDDS_DEFAULT_PROFILES_FILE": str(tmp_path / "gone.xml")}
    assert check_profile(chosen).verdict is Verdict.WRONG
    (tmp_path / "gone.xml").touch()
    assert check_profile(chosen).verdict is Verdict.OK
    assert check_profile({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}).verdict is Verdict.OK


def test_a_sourced_distribution_beside_the_wheels_is_wrong() -> None:
    pytest.importorskip("rclpy")
    assert [found.verdict for found in check_one_ros({"ROS_DISTRO": "kilted"})] == [Verdict.WRONG]
    assert not list(check_one_ros({}))


def test_the_base_packages_are_found_with_their_versions() -> None:
    import numpy

    found = {finding.subject: finding for finding in check_packages()}
    assert found["numpy"].found.startswith(numpy.__version__)
    assert found["cv2"].verdict is Verdict.OK


def test_the_command_prints_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    printed = capsys.readouterr().out
    for subject in ("Python", "numpy", "rclpy", "Fast DDS profile", "torch and torchvision"):
        assert subject in printed


def test_an_unknown_verb_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fly"])
    assert "invalid choice" in capsys.readouterr().err

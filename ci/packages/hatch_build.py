"""What the wheel's description in pyproject.toml cannot say."""

import os
import pathlib

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        # Any Python 3, and the platform that ci/release found for the binary.
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{os.environ['KPLAN_PLATFORM']}"
        # Each file by its name: hatchling finds none in directories when there is no Python to select.
        share = [str(each) for each in pathlib.Path("share").rglob("*") if each.is_file()]
        build_data["shared_data"] = {each: each for each in share if not each.startswith("share/doc/")}

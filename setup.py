"""Puts the workflow with its configs and resources into the wheel, beside the library."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

WORKBENCH = ("Snakefile", "environment.yml", "workflow", "config", "resources", "profiles")
# the link that lets jobs find a library that is not installed, and what studies download
LEFT_OUT = shutil.ignore_patterns("concept_transfer", "data", "__pycache__")


class BuildWithWorkbench(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        workbench = Path(self.build_lib, "concept_transfer", "workbench")
        shutil.rmtree(workbench, ignore_errors=True)
        workbench.mkdir(parents=True)
        for name in WORKBENCH:
            if Path(name).is_dir():
                shutil.copytree(name, workbench / name, ignore=LEFT_OUT)
            else:
                shutil.copy(name, workbench)


setup(cmdclass={"build_py": BuildWithWorkbench})

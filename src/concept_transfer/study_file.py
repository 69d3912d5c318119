"""A study from its config file, for those who run without Snakemake."""

from __future__ import annotations

from pathlib import Path

import yaml

from concept_transfer.errors import StudyError
from concept_transfer.settings.files import check_files
from concept_transfer.study import Study, load_study
from concept_transfer.yaml_files import read_yaml


def read_study(path: Path) -> Study:
    """Raises StudyError where the file is missing, is no YAML, or describes no valid study."""
    if not path.is_file():
        raise StudyError(f"{path} does not exist; a config file describes the study")
    try:
        check_files([path])
        config = read_yaml(path)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict):
        raise StudyError(f"{path} holds no section; a config begins with 'study: <name>'")
    return load_study(config, str(path))

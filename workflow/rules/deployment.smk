# Where the workflow itself lies: around the study, or elsewhere and used as a module.
import sys
from pathlib import Path

HOME = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
ROOT = Path.cwd()
ENVIRONMENT = "../../environment.yml"  # of every job under --sdm conda

# An installed library comes first, else the one beside the rules serves. Jobs find it beside their
# scripts (the link workflow/scripts/concept_transfer).
sys.path.append(str(HOME / "src"))

from concept_transfer.deployment import located


def is_prefixed():
    """Whether Snakemake puts a module's `prefix:` before every relative path of the rules."""
    modifier = workflow.modifier.path_modifier
    while modifier is not None:
        if modifier.prefix or modifier.modifies_prefixes:
            return True
        modifier = modifier.inner_modifier
    return False

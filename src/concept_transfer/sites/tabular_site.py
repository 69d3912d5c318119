"""The adapter `tabular`: a row an encounter, findings in its columns or in long tables."""

from __future__ import annotations

from typing import Literal

from concept_transfer.sites.adapters import Adapter
from concept_transfer.sites.table_settings import (
    PATHS,
    TableSite,
    described_tables,
    files_of_tables,
    table_files,
)


class TabularSite(TableSite):
    """A table of encounters, one a row, with findings in its columns (wide), in tables with a row a
    finding (long), or both (CSV, Parquet or XLSX).

    Without a crosswalk columns are concepts; with one, their names are codes.
    """

    adapter: Literal["tabular"]


TABULAR = Adapter(
    settings=TabularSite,
    check="concept_transfer.sites.tabular:check_tabular",
    read="concept_transfer.sites.tabular:read_tabular",
    columns="concept_transfer.sites.layout:columns_of",
    numbers="concept_transfer.sites.tabular_numbers:read_numbers",
    files=files_of_tables,
    table_files=table_files,
    paths=PATHS,
    described=described_tables,
)

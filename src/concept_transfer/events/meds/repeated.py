"""What a dataset has more than once: events that equal another one, subjects in several files."""

from __future__ import annotations

from dataclasses import dataclass

from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Repeated:
    """copies: events that equal another one of their subject in every column that is read;
    divided: subjects with events in several files; files: two of such files."""

    copies: int
    divided: int
    files: tuple[str, str] | None

    def warnings(self) -> list[str]:
        """Sentences for a person who may have put a dataset together of parts that overlap."""
        said = []
        if self.copies:
            events = "event equals" if self.copies == 1 else "events equal"
            said.append(
                f"{self.copies:,} {events} another of the same subject in time, code and value; "
                "findings do not change by it, and histories hold both"
            )
        if self.files is not None:
            subjects = "subject has" if self.divided == 1 else "subjects have"
            said.append(
                f"{self.divided:,} {subjects} events in several files, {' and '.join(self.files)} "
                "among them, which the standard forbids; see that no part was copied twice, and "
                "that no identifier means two people"
            )
        return said


def repeated(db: DuckDBPyConnection) -> Repeated:
    """Count in ``raw`` (patient, time, code, value, unit, visit, file)."""
    found = db.execute(
        """
        SELECT sum(events - kinds)::BIGINT, count(*) FILTER (first <> last),
            min(row(first, last)) FILTER (first <> last)
        FROM (
            SELECT count(*) AS events, min(file) AS first, max(file) AS last,
                count(DISTINCT hash(time, code, value, unit, visit)) AS kinds
            FROM raw WHERE patient IS NOT NULL GROUP BY patient
        )
        """
    ).fetchone()
    copies, divided, files = found or (0, 0, None)
    return Repeated(copies or 0, divided, files and (str(files[0]), str(files[1])))

"""Somebody outside who wants the small counts of a site, and has all that a study publishes.

Knows the formulas of every published number, the config (shares, replicates, vocabulary) and how
small counts are hidden. Every number keeps those candidates that are compatible with it within its
printed rounding.
"""

from __future__ import annotations

import base64
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

Fact = tuple[str, ...]
Candidates = dict[Fact, set[int]]
Number = tuple[float, float]  # value, half of its last printed place
FLOAT = 1e-9  # of an unrounded number
DIRECTED = re.compile(r"(?:heatmap|learning-curve|calibration-curve)_(.*)-to-(.*)")
AREAS = {"auroc", "difference", "loss", "best", "best_simple", "best_target_only"}
SENSITIVITIES = {"sensitivity_at_90", "sensitivity_at_95"}


@dataclass(frozen=True)
class Attacker:
    """``folder`` holds report.html, methods.md, tables/ and figures/; the rest is in the config:
    the threshold, the replicates, the share of encounters that test, the flag's threshold, the
    concepts of the vocabulary."""

    folder: Path
    small: int
    replicates: int
    share: float
    flagged: int
    concepts: tuple[str, ...]

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Every CSV file as text, by its stem."""
        return {
            path.stem: pd.read_csv(path, dtype=str, keep_default_na=False)
            for path in sorted(self.folder.glob("*/*.csv"))
        }

    @cached_property
    def texts(self) -> dict[str, str]:
        """Every published text file, the tables inside the page decoded."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if path.suffix in {".html", ".md", ".tex", ".csv", ".json", ".svg"}:
                text = path.read_text(encoding="utf-8")
                inside = re.findall(r"data:text/csv;base64,([\w+/=]+)", text)
                found[path.name] = text + "".join(base64.b64decode(x).decode() for x in inside)
        return found

    def verbatim(self, values: dict[str, float]) -> list[tuple[str, str]]:
        """(file, name) of every value that stands in a file with at least five digits."""
        found = []
        for name, text in self.texts.items():
            numbers = set(re.findall(r"\d*\.\d{4,}(?:e-?\d+)?", text))
            for what, value in values.items():
                for token in numbers:
                    digits = token.split("e")[0].replace(".", "").lstrip("0")
                    shown, rounding = number(token)
                    if len(digits) >= 5 and abs(shown - value) <= rounding:
                        found.append((name, what))
        return sorted(set(found))

    def candidates(self) -> Candidates:
        found: Candidates = {}
        for site in sorted({*self.frames["cells"]["target"], *self.frames["sites"]["site"]}):
            found |= self._counts(site)
            found |= self._dropped(site)
            for variable in sorted(set(self._groups(site)["variable"])):
                found |= self._groups_of(site, variable)
        return found | self._findings()

    def _counts(self, site: str) -> Candidates:
        """Positives of the site, of its test encounters and of the rest, seen together."""
        own = self._site(site)
        whole = number(own["encounters"])[0]
        tested = {number(text)[0] for text in self._cells(site)["encounters"]} - {math.nan}
        tests = tested.pop() if tested else math.nan
        if math.isnan(whole):
            return {}
        of_site = self._of_site(site, int(whole))
        if math.isnan(tests):
            return {("positives", site): of_site}
        of_test = self._of_test(site, int(tests))
        pairs = {
            (s, t)
            for s, t in itertools.product(of_site, of_test)
            if 0 <= s - t <= whole - tests and abs(t - self.share * s) <= 0.5 + FLOAT
        }
        return {
            ("positives", site): {s for s, _ in pairs},
            ("test positives", site): {t for _, t in pairs},
            ("other positives", site): {s - t for s, t in pairs},
        }

    def _of_site(self, site: str, whole: int) -> set[int]:
        own = self._site(site)
        kept = self.labelled(own["positives"], whole)
        share = number(own["prevalence"])
        kept = {k for k in kept if agrees(k / whole, share)}
        shift = self.frames["shift"]
        for row in shift[shift["target"] == site].to_dict("records"):
            other = number(self._site(row["source"])["prevalence"])
            if not math.isnan(other[0]):
                value, rounding = number(row["prevalence_difference"])
                there = (other[0] + value, other[1] + rounding)
                kept = {k for k in kept if agrees(k / whole, there)}
        return kept

    def _of_test(self, site: str, n: int) -> set[int]:
        kept = self.labelled(self._cells(site)["positives"].iloc[0], n)
        areas = list(self._areas(site))
        wide = self._wide(site)
        return {
            p
            for p in kept
            if all(self._on_grid(value, 2 * p * (n - p)) for value in areas)
            and all(self._compatible(p, n, row) for row in wide)
        }

    def _compatible(self, p: int, n: int, row: dict[str, str]) -> bool:
        """What one model's metrics say about the positives."""
        prevalence = p / n
        checks = [
            agrees(prevalence, number(row.get("auprc_no_skill", ""))),
            agrees(prevalence * (1 - prevalence), number(row.get("brier_uncertainty", ""))),
            *(self._on_grid(number(row.get(name, "")), p) for name in SENSITIVITIES),
        ]
        parts = [
            number(row.get(f"brier{part}", ""))
            for part in ("", "_miscalibration", "_discrimination")
        ]
        if not any(math.isnan(value) for value, _ in parts):
            uncertainty = parts[0][0] - parts[1][0] + parts[2][0]
            rounding = sum(rounding for _, rounding in parts)
            checks.append(agrees(prevalence * (1 - prevalence), (uncertainty, rounding)))
        if row.get("auroc") == "0.5":  # one risk for everybody
            checks += [agrees(prevalence, number(row[name])) for name in ("auprc",)]
            checks.append(agrees(prevalence, number(row.get("ppv_at_alert_rate", ""))))
            checks.append(self._one_risk(prevalence, row))
        return all(checks)

    def _one_risk(self, prevalence: float, row: dict[str, str]) -> bool:
        """Whether some risk c gives both the Brier score and the log loss."""
        brier, log_loss = number(row.get("brier", "")), number(row.get("log_loss", ""))
        if math.isnan(brier[0]) or math.isnan(log_loss[0]):
            return True
        square = brier[0] - prevalence * (1 - prevalence)  # (c - prevalence) ** 2
        if square < -brier[1]:
            return False
        root = math.sqrt(max(square, 0))
        for c in (prevalence - root, prevalence + root):
            if 0 < c < 1:
                loss = -prevalence * math.log(c) - (1 - prevalence) * math.log(1 - c)
                if abs(loss - log_loss[0]) <= log_loss[1] + 1e3 * brier[1]:
                    return True
        return False

    def _on_grid(self, value: Number, steps: int) -> bool:
        """Whether a mean over replicates of multiples of 1 / steps can be the value."""
        shown, rounding = value
        if math.isnan(shown):
            return True
        if steps == 0:
            return False
        steps *= self.replicates
        return abs(shown * steps - round(shown * steps)) <= rounding * steps + 1e-6

    def _areas(self, site: str) -> Iterator[Number]:
        """AUROCs, and differences of AUROCs, measured on a site's test encounters."""
        for stem, frame in self.frames.items():
            directed = DIRECTED.fullmatch(stem)
            if stem in {"subgroups", "shift"} or stem.startswith("calibration-"):
                continue
            for row in frame.to_dict("records"):
                if row.get("target", directed and directed[2]) != site:
                    continue
                if row.get("metric", "auroc") != "auroc":
                    continue
                names = AREAS | ({"estimate"} if stem != "cells" else set())
                yield from (number(row[name]) for name in names & row.keys())

    def _wide(self, site: str) -> list[dict[str, str]]:
        """All metrics of a model in one row, from the tables that have them."""
        keys = ["target", "source", "embedding", "classifier", "strategy", "size"]
        wide = self.frames["cells"]
        for stem in ("calibration", "usefulness"):
            if stem in self.frames:
                other = self.frames[stem]
                new = [name for name in other if name not in wide]
                wide = wide.merge(other[[*keys, *new]], on=keys, how="left").fillna("")
        return wide[wide["target"] == site].to_dict("records")

    def _dropped(self, site: str) -> Candidates:
        own = self._site(site)
        kept = self.labelled(own["dropped"], 1000)
        rows, encounters = number(own["rows_read"]), number(own["encounters"])
        if not math.isnan(rows[0] + encounters[0]):
            kept &= {int(rows[0] - encounters[0])}
        return {("dropped", site): kept}

    def _groups_of(self, site: str, variable: str) -> Candidates:
        """Counts of the groups of a variable, which add up to those of the test encounters."""
        found: Candidates = {}
        groups = self._groups(site)
        groups = groups[groups["variable"] == variable].drop_duplicates("group")
        cells = self._cells(site)
        for name in ("positives", "encounters"):
            total = number(cells[name].iloc[0])[0]
            if math.isnan(total):
                total = number(cells["encounters"].iloc[0])[0]
            texts = dict(zip(groups["group"], groups[name], strict=True))
            ranges = {group: self._range(text, texts, int(total)) for group, text in texts.items()}
            if name == "positives":
                flags = dict(zip(groups["group"], groups["flag"], strict=True))
                ranges = {g: self._unflagged(flags[g], r) for g, r in ranges.items()}
            if number(cells[name].iloc[0])[0] == total:
                ranges = add_up(ranges, int(total))
            hidden = [group for group, text in texts.items() if not text.isdigit()]
            for group, (low, high) in ranges.items():
                found[f"group {name}", site, variable, group] = set(range(low, high + 1))
            if hidden and number(cells[name].iloc[0])[0] == total:
                seen = sum(int(text) for text in texts.values() if text.isdigit())
                found[f"hidden {name}", site, variable] = {int(total) - seen}
        return found

    def _range(self, text: str, texts: dict[str, str], total: int) -> tuple[int, int]:
        """Where some groups say that they are small, the others say that they are not."""
        if text.isdigit():
            return int(text), int(text)
        if text.startswith("<"):
            return 0, self.small - 1
        told = any(other.startswith("<") for other in texts.values())
        return (self.small if told else 0), total

    def _unflagged(self, flag: str, bounds: tuple[int, int]) -> tuple[int, int]:
        if flag == "few positives":
            return bounds[0], min(bounds[1], self.flagged - 1)
        return (max(bounds[0], self.flagged), bounds[1]) if flag == "" else bounds

    def _findings(self) -> Candidates:
        """Encounters with a concept on record: printed rates, and sums less what is printed."""
        found: Candidates = {}
        table, shift = self.frames.get("shift_findings"), self.frames["shift"]
        listed = {} if table is None else {
            (row["source"], row["target"], row["concept"]): row for row in table.to_dict("records")
        }  # fmt: skip
        for pair in shift.to_dict("records"):
            a, b = pair["source"], pair["target"]
            if not any(key[:2] == (a, b) for key in listed):
                continue
            left = [c for c in self.concepts if (a, b, c) not in listed]
            if len(left) != 1:
                continue
            sizes = [int(number(self._site(name)["encounters"])[0]) for name in (a, b)]
            mean, rounding = number(pair["recording_difference_mean"])
            rest, unsure = mean * len(self.concepts), rounding * len(self.concepts)
            for c in set(self.concepts) - set(left):
                row = listed[a, b, c]
                for sign, name in ((1, "source_recorded"), (-1, "target_recorded")):
                    value, rounding = number(row[name])
                    rest, unsure = rest + sign * value, unsure + rounding
            counts = itertools.product(*(range(size + 1) for size in sizes))
            pairs = [(s, t) for s, t in counts if abs(t / sizes[1] - s / sizes[0] - rest) <= unsure]
            found["recorded", a, left[0]] = {s for s, _ in pairs}
            found["recorded", b, left[0]] = {t for _, t in pairs}
        return found

    def labelled(self, text: str, most: int) -> set[int]:
        """What a printed count says by itself."""
        if text.startswith("<"):
            return set(range(min(self.small, most + 1)))
        value = number(text)[0]
        return set(range(most + 1)) if math.isnan(value) else {int(value)}

    def _site(self, site: str) -> dict[str, str]:
        sites = self.frames["sites"]
        return dict(sites[sites["site"] == site].iloc[0])

    def _cells(self, site: str) -> pd.DataFrame:
        cells = self.frames["cells"]
        return cells[cells["target"] == site]

    def _groups(self, site: str) -> pd.DataFrame:
        groups = self.frames.get("subgroups", pd.DataFrame(columns=["target", "variable"]))
        return groups[groups["target"] == site]


def number(text: str) -> Number:
    """A printed number and half of its last place; NaN where there is none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan, 0.0
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    place = 0.5 * 10.0 ** (int(exponent or 0) - decimals)
    return value, max(FLOAT, place) if 0 < decimals < 10 else FLOAT


def agrees(value: float, shown: Number) -> bool:
    return math.isnan(shown[0]) or abs(value - shown[0]) <= shown[1] + FLOAT


def add_up(ranges: dict[str, tuple[int, int]], total: int) -> dict[str, tuple[int, int]]:
    """What is left of ranges whose members add up to a total."""
    low, high = (sum(r[end] for r in ranges.values()) for end in (0, 1))
    return {
        name: (max(a, total - (high - b)), min(b, total - (low - a)))
        for name, (a, b) in ranges.items()
    }

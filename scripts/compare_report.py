"""What `scripts/compare` found: rows, what they come to, and the table."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

TOLERANCE: Final = 0.05  # of confidences; labels closer to each other than this are a tie of the model's own
STEPS: Final = 3 / 256  # of a quantised model's output: what two runtimes may differ by on the same pixels
WIDE: Final = 190


@dataclass(frozen=True)
class Row:
    """One model and photo.

    Attributes:
        same: both find the same label best.
        lead: of the best label over the second, on the side where it is less.
        sways: looked for where the labels differ: edged's own changes when the picture is moved by a pixel or two.
        edged_confidence, mediapipe_confidence: of the label that MediaPipe finds best.
        largest_difference: of the two sides' confidences, over all classes.
        left_difference: the same, where edged is given the pixels as MediaPipe decodes and samples them.
        edged_ms, mediapipe_ms: from the file to the labels, lower quartiles.
        ratio: MediaPipe's time over edged's: above 1 edged is faster.
    """

    model: str
    photo: str
    format: str
    edged_label: str
    mediapipe_label: str
    same: bool
    lead: float
    sways: bool
    edged_confidence: float
    mediapipe_confidence: float
    largest_difference: float
    left_difference: float
    edged_ms: float
    mediapipe_ms: float
    ratio: float

    @property
    def difference(self) -> float:
        """Between the two confidences in the label that MediaPipe finds best."""
        return abs(self.edged_confidence - self.mediapipe_confidence)

    @property
    def tie(self) -> bool:
        """Whether the model itself does not prefer one of its two best labels."""
        return self.lead < TOLERANCE or self.sways


@dataclass(frozen=True)
class Command:
    """Least seconds from the start of a command to its end, for one JPEG file and for a folder of them."""

    photos: int
    edged_one_s: float
    mediapipe_one_s: float
    edged_all_s: float
    mediapipe_all_s: float

    @property
    def edged_ms(self) -> float:
        """For each further file."""
        return 1000 * (self.edged_all_s - self.edged_one_s) / (self.photos - 1)

    @property
    def mediapipe_ms(self) -> float:
        """For each further file."""
        return 1000 * (self.mediapipe_all_s - self.mediapipe_one_s) / (self.photos - 1)


@dataclass(frozen=True)
class Report:
    """Everything that was found."""

    rows: tuple[Row, ...]
    command: Command | None
    left_out: dict[str, str]

    @property
    def summary(self) -> dict[str, float]:
        """What the rows come to."""
        return {
            "rows": len(self.rows),
            "same_label": sum(row.same for row in self.rows),
            "other_label_in_a_tie": sum(not row.same and row.tie for row in self.rows),
            "other_label": sum(not row.same and not row.tie for row in self.rows),
            "mean_difference": round(statistics.mean(row.difference for row in self.rows), 4),
            "largest_difference": round(max(row.largest_difference for row in self.rows), 4),
            "left_difference": round(max(row.left_difference for row in self.rows), 4),
            "unexplained": sum(row.largest_difference > TOLERANCE and row.left_difference > STEPS for row in self.rows),
            "slower_rows": sum(row.ratio <= 1.0 for row in self.rows),
            "least_ratio": min(row.ratio for row in self.rows),
            "median_ratio": round(statistics.median(row.ratio for row in self.rows), 2),
        }

    @property
    def met(self) -> bool:
        """Whether every goal is met: labels, confidences, explanations, times."""
        found = self.summary
        command = self.command is None or self.command.edged_ms < self.command.mediapipe_ms
        wrong = found["other_label"] or found["unexplained"] or found["slower_rows"]
        return command and not wrong and found["mean_difference"] <= TOLERANCE


def print_report(report: Report) -> None:
    """The table and its sum, for people."""
    console = Console()
    console.width = max(console.width, WIDE)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("model", "photo", "MediaPipe's best", "edged's"):
        table.add_column(title, no_wrap=True)
    for title in ("MediaPipe", "edged", "largest\ndiff.", "same\npixels", "MediaPipe\nms", "edged\nms", "ratio"):
        table.add_column(title, justify="right")
    for row in report.rows:
        other = "same" if row.same else f"{'(tie) ' if row.tie else ''}{row.edged_label}"
        figures = [row.mediapipe_confidence, row.edged_confidence, row.largest_difference, row.left_difference]
        times = [row.mediapipe_ms, row.edged_ms, row.ratio]
        labels = [row.model[:36], row.photo[:35], row.mediapipe_label[:20], other[:20]]
        table.add_row(*labels, *(f"{figure:.3f}" for figure in figures), *(f"{figure:.2f}" for figure in times))
    console.print(table)
    for name, why in report.left_out.items():
        console.print(f"left out: {name}: {why}", highlight=False, markup=False)
    for name, figure in report.summary.items():
        console.print(f"{name}: {figure:g}", highlight=False)
    if report.command is not None:
        whole = report.command
        console.print(
            f"edged label, and a plain loop with MediaPipe: one {whole.edged_one_s:.2f}, {whole.mediapipe_one_s:.2f} s;"
            f" {whole.photos} files {whole.edged_all_s:.2f}, {whole.mediapipe_all_s:.2f} s; each further file"
            f" {whole.edged_ms:.2f}, {whole.mediapipe_ms:.2f} ms"
        )

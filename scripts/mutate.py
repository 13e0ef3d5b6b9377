"""Thousands of damaged models, and what edged does with each: the throw-away process may die of it, nothing else.

Three real models: both of the base package, and one with TFLite Metadata ($EDGED_TESTDATA's where that is set, else the
base package's with metadata written into it). Every mutant is opened as a bare file, in a package whose digests are the
original's, and in one whose `model.yaml` an attacker has rewritten. Of those that are opened some are loaded and run,
golden photos included, in a forked child with the worker's and the prover's own code, and a few by `prove` itself. The
same seed gives the same mutants. Exit code 1 where anything is wrong; the last lines say what.

    scripts/mutate.py --count 10000 --run 1000 --prove 30 --seed 1 --log mutants.jsonl
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: this process forks, and is to have one thread

import argparse
import contextlib
import gc
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

import psutil

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "tests"))

from mutant_models import real_models  # noqa: E402
from mutant_trial import ACCEPTED, TOLERANCE  # noqa: E402
from support.mutations import MUTATIONS, mutate  # noqa: E402

from edged.errors import ModelError, WorkerError  # noqa: E402
from edged.models.prove import prove  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mutant_child import Ended
    from mutant_trial import Subject

Thing = TypeVar("Thing")
SLOW_SECONDS = 1.0  # of processor time, to open a mutant four times
GROWTH_MB = 32.0
SHOW_EVERY = 500


@dataclass
class Report:
    """What came of it so far: outcomes by stage and way, faults in words, and the most that one mutant took.

    `drifted`: accepted ones with other answers where no package states any.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    largest_mb: float = 0.0
    drifted: int = 0

    def count(self, what: str, outcome: str) -> None:
        """Add one outcome; of a refusal, that it is one."""
        self.outcomes.setdefault(what, Counter())[outcome.partition(":")[0]] += 1


@dataclass(frozen=True)
class Mutant:
    """One damaged model, to be had again from these."""

    number: int
    subject: Subject
    kind: str
    seed: int

    def put(self) -> None:
        """Put it where the subject's files are."""
        self.subject.put(mutate(self.kind, self.seed, self.subject.original))

    @property
    def words(self) -> str:
        """For people."""
        return f"mutant {self.number} ({self.subject.name}, {self.kind}, seed {self.seed})"


class Trials:
    """All mutants, stage by stage."""

    def __init__(self, mutants: Sequence[Mutant], log: TextIO | None) -> None:
        self._mutants = mutants
        self._log = log
        self._process = psutil.Process()
        self._before = self._own()
        self.report = Report()

    def parse(self) -> list[Mutant]:
        """Open every mutant. Returns those that were opened as what they are."""
        opened = []
        for mutant in self._mutants:
            mutant.put()
            ended = mutant.subject.parse()
            self._note(mutant, "open", ended)
            self.report.slowest = max(self.report.slowest, ended.cpu)
            if ended.fate or ended.cpu > SLOW_SECONDS:
                self._fault(mutant, f"opening: {ended.fate or f'{ended.cpu:.1f} s'}")
            for way, verdict in ended.said.items():
                self.report.count(f"open, {way}", verdict)
            if not ended.fate and "with sha256" not in ended.said["digest"]:
                self._fault(mutant, f"digest: {ended.said['digest']}")
            if ACCEPTED in {ended.said.get("bare"), ended.said.get("rewritten")}:
                opened.append(mutant)
            if not (mutant.number + 1) % SHOW_EVERY:
                rss, descriptors, threads = self._own()
                print(f"{mutant.number + 1}: {rss:.0f} MB, {descriptors} descriptors, {threads} threads", flush=True)
        return opened

    def run(self, mutants: Sequence[Mutant]) -> list[tuple[Mutant, bool, str]]:
        """Load and run mutants, bare and rewritten. Returns each with its way (bare?) and its verdict or fate."""
        done = []
        for mutant in mutants:
            for bare in (True, False):
                mutant.put()
                ended = mutant.subject.run(bare=bare)
                way = "bare" if bare else "rewritten"
                verdict = ended.fate or ended.said["verdict"]
                self._note(mutant, f"run, {way}", ended)
                self.report.count(f"run, {way}", verdict)
                self.report.drifted += not bare and verdict == ACCEPTED and float(ended.said["elsewhere"]) > TOLERANCE
                if verdict.startswith("escaped") or (not bare and verdict.startswith(("other", "accepted:"))):
                    self._fault(mutant, f"run, {way}: {verdict}")
                done.append((mutant, bare, verdict))
        return done

    def prove(self, tried: Sequence[tuple[Mutant, bool, str]]) -> None:
        """Have the real throw-away process prove mutants: it is to come to the same verdict."""
        for mutant, bare, verdict in tried:
            mutant.put()
            subject = mutant.subject
            if not bare:
                subject.rewrite()
            try:
                prove(subject.bare if bare else subject.package, activation=subject.activation if bare else None)
                found = ACCEPTED
            except ModelError as error:
                found = f"refused: {error}"
            except WorkerError as error:
                found = f"no verdict: {error}"
            self.report.count(f"prove, {'bare' if bare else 'rewritten'}", found)
            may = verdict.startswith((ACCEPTED, "other"))
            if found.startswith("no verdict") or (found == ACCEPTED) != may:
                self._fault(mutant, f"prove: {found}, where a forked child found: {verdict}")
            if self._process.children():
                self._fault(mutant, "prove: left a process behind")

    def watch(self) -> str:
        """What has become of this process meanwhile; growth is a fault."""
        rss, descriptors, threads = self._own()
        before, *others = self._before
        if rss - before > GROWTH_MB or [descriptors, threads] != others:
            self.report.faults.append("this process has grown")
        return (
            f"{before:.0f} to {rss:.0f} MB, {others[0]} to {descriptors} descriptors, {others[1]} to {threads} threads"
        )

    def _own(self) -> tuple[float, int, int]:
        return self._process.memory_info().rss / 2**20, self._process.num_fds(), self._process.num_threads()

    def _fault(self, mutant: Mutant, what: str) -> None:
        self.report.faults.append(f"{mutant.words}: {what}")

    def _note(self, mutant: Mutant, stage: str, ended: Ended) -> None:
        if ended.fate:
            self.report.count(stage.partition(",")[0] + ", child", ended.fate)
        self.report.largest_mb = max(self.report.largest_mb, ended.memory_mb)
        if self._log is not None:
            entry = {"mutant": mutant.number, "model": mutant.subject.name, "kind": mutant.kind, "seed": mutant.seed}
            more = {"stage": stage, "fate": ended.fate, **ended.said, "cpu": ended.cpu, "memory_mb": ended.memory_mb}
            print(json.dumps(entry | more), file=self._log, flush=True)


def spread(things: Sequence[Thing], count: int) -> list[Thing]:
    """So many of them, from beginning to end."""
    count = min(count, len(things))
    return [things[index * len(things) // count] for index in range(count)]


def show(report: Report, grown: str) -> int:
    """Print everything. Returns 1 where anything is wrong."""
    for what, outcomes in sorted(report.outcomes.items()):
        print(f"{what}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    print(f"the slowest to open took {report.slowest:.2f} s of processor time, the largest {report.largest_mb:.0f} MB")
    print(
        f"drifted: {report.drifted} of those accepted as rewritten give other answers where no golden photo states any"
    )
    print(f"this process: {grown}")
    for fault in report.faults:
        print(f"FAULT {fault}")
    print("nothing is wrong" if not report.faults else f"{len(report.faults)} faults")
    return 1 if report.faults else 0


def main() -> int:
    """Try all of them and print what came of it. Returns 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="mutants to open (%(default)s)")
    parser.add_argument("--run", type=int, default=1000, help="of them to load and run as well (%(default)s)")
    parser.add_argument("--prove", type=int, default=30, help="of them for the real throw-away process (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--base-only", action="store_true", help="without the model with metadata, which is to be made")
    parser.add_argument("--log", type=Path, help="a line of JSON for each mutant and stage")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edged-mutate-")))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        log = None if args.log is None else stack.enter_context(args.log.open("w", encoding="utf-8"))
        subjects = real_models(folder, described_too=not args.base_only)
        kinds = list(MUTATIONS)
        mutants = []
        for number in range(args.count):
            turn, which = divmod(number, len(subjects))
            kind = kinds[turn % len(kinds)]
            mutants.append(Mutant(number, subjects[which], kind, args.seed * 1_000_000 + number))
        gc.freeze()
        trials = Trials(mutants, log)
        opened = trials.parse()
        tried = trials.run(spread(opened, args.run))
        fatal = [one for one in tried if one[2].startswith(("crash", "hang", "memory"))]
        chosen = spread(fatal, args.prove // 3)
        trials.prove(chosen + spread([one for one in tried if one not in fatal], args.prove - len(chosen)))
        grown = trials.watch()
    return show(trials.report, grown)


if __name__ == "__main__":
    sys.exit(main())

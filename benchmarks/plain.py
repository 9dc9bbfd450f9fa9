"""`fastdl train` in its plainest form on the logs of ../shared/data/ctr.

    python benchmarks/plain.py [--model deepfm]

Only what a log itself cannot tell is said: which column is the label where its name is none of the
usual, and which value of it is a click. Test rows are the last tenth, or with "random" in the
table drawn: those logs are sorted by something else than time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
from pathlib import Path

from common import machine

from fastdl import cli

LOGS = Path(__file__).parents[2] / "shared" / "data" / "ctr"
RUNS = {
    "criteo_head_train.tsv": [],
    "criteo_200.csv": [],
    "criteo_200.ffm": [],
    "avazu_head.csv": [],
    "taobao_head.csv": ["--split", "random"],
    "open_bandit_random_all.csv": [],
    "adult.parquet": ["--label", "income", "--positive", ">50K", "--split", "random"],
    "movielens_100k.tsv": ["--label", "rating:float", "--positive", ">=4", "--split", "random"],
}


def train(name: str, model: str, options: list[str], folder: Path) -> dict[str, object]:
    """metrics.json of a run."""
    command = ["train", "--model", model, "--data", str(LOGS / name), "--out", str(folder)]
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main([*command, *options])
        except SystemExit as stopped:
            if stopped.code:
                raise
    found: dict[str, object] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def kinds(columns: list[list[str]]) -> str:
    """How many columns were taken for what."""
    found = [kind for _, kind, _ in columns]
    return ", ".join(f"{found.count(kind)} {kind}" for kind in dict.fromkeys(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="deepfm")
    arguments = parser.parse_args()
    print(machine())
    print("| log | said | columns taken as | train rows | test clicks | test AUC | log loss "
          "| base rate's | predicted / observed | seconds |\n" + "|---" * 10 + "|")  # fmt: skip
    for name, options in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = train(name, arguments.model, options, Path(folder) / "run")
        test, base, facts = (dict(found[key]) for key in ("test", "base_rate", "facts"))  # type: ignore[call-overload]
        said = " ".join(options).replace("--", "") or "nothing"
        print(f"| {name} | {said} | {kinds(found['columns'])} | {facts['train rows']:,} "  # type: ignore[arg-type]
              f"| {test['clicks']:,} | {test['auc']:.4f} | {test['log_loss']:.4f} "
              f"| {base['log_loss']:.4f} | {test['calibration']:.3f} "
              f"| {facts['seconds in all']:.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
